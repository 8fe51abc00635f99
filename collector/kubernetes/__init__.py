"""AILoop's telemetry on Kubernetes: manifests and Helm values, and the command that brings collector's files along."""
