"""Blocks that ask a trained model."""
