"""What the package costs, beside what others cost on the same work; `make bench` runs it, pytest does not."""
