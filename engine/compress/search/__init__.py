"""One search over all ways to compress: candidates are made, measured here, and kept when nothing beats them.

Called by the block ``compress.search``. Rooms: :mod:`front` (points and what is on the front), :mod:`strategy` (what
to try next), :mod:`judge` (how good a candidate is), :mod:`maker` (how it is made), :mod:`memory` (what survives a
crash), :mod:`picture`, :mod:`hunt`, which tries one after the other, and :mod:`whole`, from a model to models.
"""

from engine.compress.search.front import Point
from engine.compress.search.hunt import Goal
from engine.compress.search.whole import Found, search

__all__ = ["Found", "Goal", "Point", "search"]
