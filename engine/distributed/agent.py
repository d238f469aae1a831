"""PyTorch's elastic agent, which also says who was lost and finds who hangs.

Called by :mod:`engine.distributed.launch`. The agent of PyTorch starts the ranks of one machine, meets the agents of
the others, and starts all ranks again when one ends. Added here: a name and a reason for every loss, the end of a rank
that hangs, no new start after an error that would come again, and new strength after progress.
"""

from __future__ import annotations

import contextlib
import os
import signal
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch.distributed.elastic.agent.server.api import RunResult, Worker, WorkerGroup, WorkerState
from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent

from engine.distributed.health import Beat, Hung, Watch
from engine.distributed.messages import RankFolder, read_json, write_json
from engine.distributed.rank import EXIT_PEER_LOST

SHUTDOWN_S = 5
"""Seconds that ranks have to end by themselves before they are killed."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A rank that was lost.

    Attributes
    ----------
    exit_code
        Negative for the number of a signal; None for one that hung and was ended.
    silent_s, where
        Of one that hung.
    step
        Of its last sign.
    """

    rank: int
    local_rank: int
    pid: int
    step: int
    exit_code: int | None
    silent_s: float = 0.0
    where: str = ""

    @property
    def evidence(self) -> dict[str, Any]:
        """The numbers behind it."""
        return {
            "rank": self.rank,
            "process": self.pid,
            "exit code": "hung" if self.exit_code is None else self.exit_code,
            "silent seconds": round(self.silent_s, 1),
        }

    @property
    def how(self) -> str:
        """What happened to it, in words."""
        if self.exit_code is None:
            return f"gave no sign for {self.silent_s:.0f} s" + (f" ({self.where})" if self.where else "")
        if self.exit_code < 0:
            return f"was ended by {_signal_name(-self.exit_code)}"
        return f"ended with exit code {self.exit_code}"


class Agent(LocalElasticAgent):
    """The agent of one machine.

    Parameters
    ----------
    told
        Called with every loss, from the agent's thread.
    is_first
        True on the machine that has rank 0.
    """

    def __init__(
        self,
        spec: Any,
        logs_specs: Any,
        *,
        folder: RankFolder,
        watch: Watch,
        told: Callable[[Loss], None],
        is_first: bool = True,
    ) -> None:
        super().__init__(spec, logs_specs, exit_barrier_timeout=60)
        self._folder, self._watch, self._told, self._is_first = folder, watch, told, is_first
        self._hung: dict[int, Hung] = {}
        self._lost_at = -1
        self.pids: dict[int, int] = {}
        self.ranks: dict[int, int] = {}

    def beats(self) -> dict[int, Beat]:
        """The last signs of the ranks of this machine, by their number in the world."""
        signs = self._watch.beats(self.pids)
        return {self.ranks[local]: beat for local, beat in signs.items() if local in self.ranks}

    def end(self) -> None:
        """End all ranks of this machine now. From any thread; the agent then sees them gone."""
        self._remaining_restarts = 0
        for pid in list(self.pids.values()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _assign_worker_ranks(self, store: Any, group_rank: int, group_world_size: int, spec: Any) -> list[Worker]:
        """Give rank 0 to the machine that speaks for all; PyTorch orders machines by their address."""
        store.set(f"first/{group_rank}", str(int(self._is_first)))
        others = [int(store.get(f"first/{number}")) for number in range(group_world_size)]
        place = 0 if self._is_first else 1 + sum(not first for first in others[:group_rank])
        count = spec.local_world_size
        return [
            Worker(
                local_rank=local,
                global_rank=place * count + local,
                role_rank=place * count + local,
                world_size=group_world_size * count,
                role_world_size=group_world_size * count,
            )
            for local in range(count)
        ]

    def _start_workers(self, worker_group: Any) -> dict[int, Any]:
        store = worker_group.store
        if worker_group.group_rank == 0:
            store.set("name", uuid.uuid4().hex)
        write_json(self._folder.round, {"name": store.get("name").decode()})
        self._hung = {}
        self.pids = dict(super()._start_workers(worker_group))
        self.ranks = {worker.local_rank: worker.global_rank for worker in worker_group.workers}
        return self.pids

    def _shutdown(self, death_sig: signal.Signals = signal.SIGTERM, timeout: int = 30) -> None:
        """End the ranks; PyTorch would wait half a minute for them, and 2.11 cannot be told otherwise."""
        if self._pcontext is not None:
            self._pcontext.close(death_sig, SHUTDOWN_S)
        super()._shutdown(death_sig)  # closes them once more and finds nothing left to end
        # PyTorch leaves the log files of processes open that ended by themselves.
        for handler in getattr(self._pcontext, "subprocess_handlers", {}).values():
            for stream in (handler._stdout, handler._stderr):
                if stream is not None:
                    stream.close()

    def _monitor_workers(self, worker_group: WorkerGroup) -> RunResult:
        for hung in [] if self._hung else self._watch.hung(self.pids):
            self._hung[hung.local_rank] = hung
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pids[hung.local_rank], signal.SIGKILL)
        result: RunResult = super()._monitor_workers(worker_group)
        if result.state in (WorkerState.FAILED, WorkerState.UNHEALTHY):
            codes = {failure.local_rank: failure.exitcode for failure in result.failures.values()}
            self._failed(codes)
        return result

    def _failed(self, codes: Mapping[int, int]) -> None:
        """Say who was lost, and decide whether a new start is of use."""
        if any(read_json(self._folder.error(local)) is not None for local in self.pids):
            self._remaining_restarts = 0
            return
        beats = self._watch.beats(self.pids)
        guilty = list(self._hung) or guilty_of(codes)
        step = max((beat.step for beat in beats.values() if beat.phase != "end"), default=0)
        if step > self._lost_at >= 0:
            self._remaining_restarts = max(self._remaining_restarts, self._worker_group.spec.max_restarts)
        self._lost_at = step
        for local in guilty:
            beat = beats.get(local)
            hung = self._hung.get(local)
            self._told(
                Loss(
                    rank=self.ranks[local],
                    local_rank=local,
                    pid=self.pids[local],
                    step=0 if beat is None else beat.step,
                    exit_code=None if hung else codes[local],
                    silent_s=hung.silent_s if hung else 0.0,
                    where=hung.where if hung else "",
                )
            )


def guilty_of(codes: Mapping[int, int]) -> list[int]:
    """The ranks that a new start is owed to, of all that ended: local rank -> exit code.

    A rank that only lost its peer is named when nobody else is: then the way between them broke. Nor is one that was
    still running when PyTorch's agent found the loss, and ended it with SIGTERM like the rest.

    Examples
    --------
    >>> guilty_of({0: -15, 1: -9}), guilty_of({0: 76, 1: -15}), guilty_of({0: 76, 1: 76})
    ([1], [1], [0, 1])
    """
    excuses: tuple[set[int], ...] = ({EXIT_PEER_LOST, -signal.SIGTERM}, {EXIT_PEER_LOST}, set())
    found = ([local for local, code in codes.items() if code not in excused] for excused in excuses)
    return next((some for some in found if some), [])


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
