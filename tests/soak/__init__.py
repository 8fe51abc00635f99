"""Everything at once for minutes, the collector away twice: memory is flat, nothing is lost and nothing is left."""
