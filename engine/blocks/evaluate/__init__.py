"""Blocks that measure a trained model."""
