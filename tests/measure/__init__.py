"""Tests of the measuring kit."""
