"""Architectures, one file each. Adding one means adding a file with a decorated builder; nothing else changes."""

from engine.models.registry import (
    Architecture,
    ModelConfig,
    architecture,
    architectures,
    build,
    complete,
    find,
    register_local,
)

__all__ = [
    "Architecture",
    "ModelConfig",
    "architecture",
    "architectures",
    "build",
    "complete",
    "find",
    "register_local",
]
