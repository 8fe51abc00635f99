"""Tests of the laws that hold whatever happens."""
