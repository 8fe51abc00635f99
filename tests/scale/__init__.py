"""The chain for many servers, under load and with its programs killed; and what it takes, measured and computed."""
