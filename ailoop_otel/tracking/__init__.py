"""The state of what lasts: exchanges and sessions, and the watchdog that notices a silent AI."""
