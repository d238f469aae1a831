"""Where the agents of a job meet: a key-value store on its first machine, and what they tell each other there.

Called by :mod:`engine.distributed.launch` and :mod:`engine.distributed.member`. The store is PyTorch's ``TCPStore``,
the rendezvous in it ``c10d``: both take whoever reaches the port for a member of the job, so it must lie in a network
that only workers share.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from engine.distributed.messages import Nodes

JOIN_S = 300
_kept: dict[str, Any] = {}
_jobs: dict[str, int] = {}


def open_store(nodes: Nodes) -> Any:
    """The store of a job: made on the first machine, where it stays for later jobs of the run; else reached.

    Raises
    ------
    torch.distributed.DistError
        When the first machine cannot be reached.
    """
    from torch import distributed

    host, _, port = nodes.endpoint.rpartition(":")
    if nodes.endpoint in _kept:
        return _kept[nodes.endpoint]
    store = distributed.TCPStore(  # type: ignore[attr-defined]  # it is there, and not in its list of names
        host,
        int(port),
        is_master=nodes.is_first,
        wait_for_workers=False,
        timeout=timedelta(seconds=JOIN_S),
    )
    if int(port):
        _kept[nodes.endpoint] = store
    return store


def rendezvous(store: Any, nodes: Nodes, name: str) -> Any:
    """How the agents of one job find each other, and again after a loss."""
    from torch.distributed.elastic.rendezvous.api import RendezvousParameters
    from torch.distributed.elastic.rendezvous.c10d_rendezvous_backend import C10dRendezvousBackend
    from torch.distributed.elastic.rendezvous.dynamic_rendezvous import DynamicRendezvousHandler, create_handler

    # Agents are told apart by address, process id and this count; inside walls process ids are small and often equal.
    DynamicRendezvousHandler._node_desc_generator._local_id += int.from_bytes(os.urandom(4))
    parameters = RendezvousParameters(
        backend="c10d",
        endpoint=nodes.endpoint,
        run_id=name,
        min_nodes=nodes.count,
        max_nodes=nodes.count,
        local_addr=nodes.address,
        join_timeout=JOIN_S,
    )
    return create_handler(store, C10dRendezvousBackend(store, name), parameters)


def next_job(nodes: Nodes) -> int:
    """Number of the next job among these machines."""
    number = _jobs.get(nodes.endpoint, 0)
    _jobs[nodes.endpoint] = number + 1
    return number


class Board:
    """What the machines of one job tell each other beside the work: the job itself, losses, health, an error."""

    def __init__(self, store: Any, number: int) -> None:
        self._store, self._number, self._read = store, number, 0

    def publish(self, job: Mapping[str, Any]) -> None:
        """Say what is to be done; the other machines wait for it."""
        self._store.set(f"job/{self._number}", json.dumps(job))

    def job(self) -> dict[str, Any] | None:
        """What is to be done, once it is published."""
        found: dict[str, Any] | None = self._get(f"job/{self._number}")
        return found

    def tell(self, kind: str, value: Any) -> None:
        """Add to what the first machine passes on to the run."""
        index = self._store.add(f"told/{self._number}/count", 1) - 1
        self._store.set(f"told/{self._number}/{index}", json.dumps([kind, value]))

    def told(self) -> list[tuple[str, Any]]:
        """What was added since the last time."""
        found = []
        while (line := self._get(f"told/{self._number}/{self._read}")) is not None:
            self._read += 1
            found.append((line[0], line[1]))
        return found

    def _get(self, key: str) -> Any:
        return json.loads(self._store.get(key)) if self._store.check([key]) else None
