"""Message content on spans, where a user has switched it on: captured, redacted, truncated, bounded."""
