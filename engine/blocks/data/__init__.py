"""Blocks of the category data, one a file."""
