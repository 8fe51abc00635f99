"""Small servers that are switched on in every way there is, and what they recorded."""
