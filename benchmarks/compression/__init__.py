"""Compression beside its peers; see `__main__.py`."""
