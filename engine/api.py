"""The engine's only door: what the web application, the SDK and the command line may use.

Imports no torch; what needs it is reached by dotted path when a run starts.
"""

from engine.artifacts import (
    ArtifactStore,
    DatasetRef,
    FigureRef,
    FileRef,
    FrontRef,
    ImagesRef,
    MetricsRef,
    ModelRef,
    PredictionsRef,
    Ref,
    TableRef,
    canonical_json,
    digest_of,
    hash_file,
    is_manifest,
)
from engine.catalog import catalog_path, load_catalog
from engine.errors import CancelledRun, InterruptedRun, StudioError, TransientError, UserError, error_json, render
from engine.events import Event, Sink, unpack_points
from engine.graph import Document, Problem, apply_operations, arrange, parse_document, validate
from engine.graph.lookup import Catalog, find_block, fits
from engine.graph.validate import errors_in
from engine.home import home
from engine.resources import is_here as has_resource
from engine.run.cache import Cache, Hit, LocalCache, Lookup, NoCache
from engine.run.doors import (
    load_bundle,
    open_images,
    open_predictor,
    open_table,
    profile_of,
    register_architecture,
    remember_choice,
    save_bundle,
)
from engine.run.executor import RunResult, execute
from engine.run.preview import preview_run
from engine.spec.context import ExecutionPlan

__all__ = [
    "ArtifactStore",
    "Cache",
    "CancelledRun",
    "Catalog",
    "DatasetRef",
    "Document",
    "Event",
    "ExecutionPlan",
    "FigureRef",
    "FileRef",
    "FrontRef",
    "Hit",
    "ImagesRef",
    "InterruptedRun",
    "LocalCache",
    "Lookup",
    "MetricsRef",
    "ModelRef",
    "NoCache",
    "PredictionsRef",
    "Problem",
    "Ref",
    "RunResult",
    "Sink",
    "StudioError",
    "TableRef",
    "TransientError",
    "UserError",
    "apply_operations",
    "arrange",
    "canonical_json",
    "catalog_path",
    "digest_of",
    "error_json",
    "errors_in",
    "execute",
    "find_block",
    "fits",
    "has_resource",
    "hash_file",
    "home",
    "is_manifest",
    "load_bundle",
    "load_catalog",
    "open_images",
    "open_predictor",
    "open_table",
    "parse_document",
    "preview_run",
    "profile_of",
    "register_architecture",
    "remember_choice",
    "render",
    "save_bundle",
    "unpack_points",
    "validate",
]
