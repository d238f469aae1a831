"""Precision of training: what a step computes in, and what watches over it."""
