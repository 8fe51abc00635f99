"""A dialect in a package of its own: docs/dialects.md explains it, and here it is installed and used."""
