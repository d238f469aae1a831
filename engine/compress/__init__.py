"""Compression: smaller and faster models, each method one file and a pure function on networks.

Called by the compress blocks. Must not know pipelines, artifacts or the SDK.
"""
