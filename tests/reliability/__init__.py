"""What may go wrong, what is promised then, and the tests that show it: docs/reliability.md is written from them."""
