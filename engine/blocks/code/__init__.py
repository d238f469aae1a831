"""Blocks of the category code, one a file."""
