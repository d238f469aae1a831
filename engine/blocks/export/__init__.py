"""Blocks that make files to take away."""
