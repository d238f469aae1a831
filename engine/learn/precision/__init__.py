"""Adaptive precision: as fast as a machine allows, and not where it fails.

Called by the training loop. The controller is :class:`PrecisionController`; :func:`make_controller` makes the one
that a plan asks for.
"""

from engine.learn.precision.controller import PrecisionController
from engine.learn.precision.make import make_controller
from engine.learn.precision.options import PrecisionOptions
from engine.learn.precision.tracer import Verdict

__all__ = ["PrecisionController", "PrecisionOptions", "Verdict", "make_controller"]
