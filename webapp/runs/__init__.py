"""Runs: their rows (which are the queue), their event log, their metrics, and the questions asked about them."""
