"""Blocks that make models smaller and faster."""
