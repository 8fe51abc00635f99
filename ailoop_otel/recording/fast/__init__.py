"""Fast paths beside the SDK, one file each, each switched off by one word less in `AILOOP_OTEL_FAST_PATHS`."""
