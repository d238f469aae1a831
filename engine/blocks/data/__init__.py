"""Blocks that bring data in and get it ready."""
