"""A release: what is built, whether it can be built again, and which names it promises."""
