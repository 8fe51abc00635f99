"""What stands between AILoop's servers and a person who looks: collector, Jaeger, Prometheus, dashboards, alerts."""
