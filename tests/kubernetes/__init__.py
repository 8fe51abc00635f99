"""The manifests and Helm values of collector/kubernetes."""
