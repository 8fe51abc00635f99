"""Tests of reading what was recorded."""
