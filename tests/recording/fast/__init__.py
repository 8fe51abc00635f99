"""The fast paths beside the SDK."""
