"""Pipelines: documents that change by operations, with their log and named versions."""
