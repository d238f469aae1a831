"""The pipeline as a document: reading, editing, checking and ordering it. Pure data; no torch, no files."""

from engine.graph.document import Block, Document, Wire, parse_document
from engine.graph.layout import arrange
from engine.graph.operations import apply_operations
from engine.graph.topology import ancestors, cycle_in, descendants, order
from engine.graph.validate import Problem, validate

__all__ = [
    "Block",
    "Document",
    "Problem",
    "Wire",
    "ancestors",
    "apply_operations",
    "arrange",
    "cycle_in",
    "descendants",
    "order",
    "parse_document",
    "validate",
]
