"""The workspace's cache, as a run's process asks it.

Called by the attempt. A hit's artifacts lie in the run's folder before it is answered; what a run adds is checked
against its own document, and its artifacts are in the workspace's store before the entry exists.
"""

from __future__ import annotations

import json
from typing import Any

from webapp import bridge
from webapp.runs import cache
from webapp.runs.models import Run
from webapp.supervisor import protocol
from webapp.supervisor.eventfile import ProtocolError
from webapp.supervisor.staging import RunFolder


class RunCache:
    """Answers one run."""

    def __init__(self, run: Run, folder: RunFolder) -> None:
        self._workspace = run.project.workspace_id
        self._place = cache.place_of(run.pipeline_id, run.project_id)
        self._blocks = run.spec.document["blocks"]
        self._folder = folder
        self._run_id = run.id
        self.makers: dict[str, dict[str, Any]] = {}
        """The runs that made what blocks were answered with."""

    def answer(self, question: protocol.CacheLookup) -> dict[str, Any]:
        """The answer to a question, in the child's words."""
        hit = cache.find(self._workspace, question.key)
        if hit is not None:
            for digest in hit.outputs.values():
                self._folder.stage(digest)
            cache.note(self._place, question.block, question.key, question.components)
            maker = cache.maker_of(hit)
            if maker is not None:
                self.makers[question.block] = maker
        previous = None if hit else cache.previous(self._place, question.block)
        return {
            "type": "cache_answer",
            "id": question.id,
            "hit": None if hit is None else {"outputs": hit.outputs, "metrics": hit.metrics},
            "previous": previous,
        }

    def keep(self, message: protocol.CacheStore) -> None:
        """Remember what a block made.

        Raises
        ------
        ProtocolError
            When the block is not in the document, or the key is not the digest of its components.
        """
        block = self._blocks.get(message.block)
        if block is None or message.components.get("type") != block["type"]:
            raise ProtocolError(f"the pipeline has no such block {message.block}")
        if bridge.digest_of(message.components) != message.key:
            raise ProtocolError("a cache key does not belong to its components")
        for digest in message.outputs.values():
            self._folder.take(digest)
        cache.remember(self._workspace, self._place, json.loads(message.model_dump_json()), self._run_id)
