"""Blocks that run a person's own code."""
