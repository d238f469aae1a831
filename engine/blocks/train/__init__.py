"""Blocks that train."""
