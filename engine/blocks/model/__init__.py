"""Blocks that make models."""
