"""Structured pruning: whole channels, neurons and heads are taken out, so the network that is left is simply smaller.

Called by the compress blocks and the search. Must not know pipelines, artifacts or the SDK.
"""

from engine.compress.prune.choose import Scope
from engine.compress.prune.importance import Importance
from engine.compress.prune.method import Pruned, Ranking, prune

__all__ = ["Importance", "Pruned", "Ranking", "Scope", "prune"]
