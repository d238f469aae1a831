"""Artifacts, uploaded data, registered models, and the small jobs that read them."""
