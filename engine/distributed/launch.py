"""Start a function on N processes, follow them, and give back what rank 0 returned.

Called by blocks that train (through :mod:`engine.learn`). The agent runs on a thread of this process, so that the run
stays in reach of a cancel, and the ranks are its children, so that the walls around the run hold for them and its end
is theirs. What rank 0 says is passed on to the run's own context.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from engine.distributed.context import CANCELLED, INTERRUPTED
from engine.distributed.health import HANG_S, Beat
from engine.distributed.meeting import Board, next_job, open_store, rendezvous
from engine.distributed.messages import Inbox, Nodes, RankFolder, read_json, write_json
from engine.errors import CancelledRun, InterruptedRun, UserError
from engine.spec import RunContext

LOOK_S = 0.05
HEALTH_S = 1.0
STOP_S = 20.0
RESTARTS = 3


@dataclass(slots=True)
class Job:
    """What the ranks do.

    Attributes
    ----------
    program
        Module with ``main(arguments, ctx, world) -> JSON``; called on every rank, the result of rank 0 counts.
    processes
        On this machine.
    device
        ``"cpu"`` or a type of accelerator, of which each rank gets one.
    """

    program: str
    arguments: Mapping[str, Any]
    processes: int
    device: str = "cpu"
    artifacts: Sequence[str] = ()
    """Digests that the program opens: what other machines must have."""
    nodes: Nodes = field(default_factory=Nodes)
    hang_s: float = HANG_S


def launch(job: Job, ctx: RunContext) -> Any:
    """Run a job to its end.

    A rank that dies or hangs is named within half a minute (``ctx.decide("rank", ...)``) and all ranks start again; the
    program then goes on from its last checkpoint in ``ctx.workdir``. When ranks are lost again and again without
    progress, the job fails.

    Returns
    -------
    Any
        What the program returned on rank 0; None on a machine that has not rank 0.

    Raises
    ------
    UserError
        The program's own, or after too many losses.
    CancelledRun
        When the run was stopped; the ranks have saved a checkpoint.
    """
    return _Launch(job, ctx).run()


class _Launch:
    """One job on one machine."""

    def __init__(self, job: Job, ctx: RunContext) -> None:
        self.job, self.ctx = job, ctx
        self.folder = RankFolder(ctx.workdir / "ranks")
        self._losses: SimpleQueue[Any] = SimpleQueue()
        self._last_loss: Any = None
        self._steps: dict[str, int] = {}
        self._told_step: dict[int, int] = {}
        self._next_health = 0.0
        self._stop: CancelledRun | None = None
        self._crash: BaseException | None = None
        self._board: Board | None = None
        self._others_error: dict[str, Any] | None = None

    def run(self) -> Any:
        self.folder.make()
        for old in (self.folder.path / "errors").iterdir():
            old.unlink()
        write_json(self.folder.job, self._description())
        agent = self._agent()
        inbox = Inbox(self.folder.said)
        thread = threading.Thread(target=self._work, args=(agent,), name="ranks", daemon=True)
        thread.start()
        try:
            self._follow(agent, inbox, thread)
        finally:
            agent.end()
            thread.join(STOP_S)
            inbox.close()
        return self._outcome()

    def _follow(self, agent: Any, inbox: Inbox, thread: threading.Thread) -> None:
        deadline = 0.0
        while True:
            alive = thread.is_alive()  # before reading: what was said before the end is read below
            self._pass_on(inbox)
            self._tell_losses()
            self._hear_others()
            if not alive:
                return
            self._tell_health(agent.beats())
            deadline = self._look_for_stop(deadline)
            if deadline and time.monotonic() > deadline:
                return
            thread.join(LOOK_S)

    def _look_for_stop(self, deadline: float) -> float:
        """Pass on a wish to stop; returns when the ranks are ended that did not."""
        try:
            self.ctx.check_cancelled()
        except CancelledRun as error:
            if self._stop is None:
                self._stop = error
                self.folder.stop.write_text(INTERRUPTED if isinstance(error, InterruptedRun) else CANCELLED)
                return time.monotonic() + STOP_S
        return deadline

    def _pass_on(self, inbox: Inbox) -> None:
        for name, args, values in inbox.take():
            if name == "metric" and not self._is_new(args[0], args[2]):
                continue  # said before the last loss
            getattr(self.ctx, name)(*args, **values)

    def _is_new(self, name: str, step: int) -> bool:
        if step <= self._steps.get(name, -1):
            return False
        self._steps[name] = step
        return True

    def _tell_losses(self) -> None:
        while True:
            try:
                loss = self._losses.get_nowait()
            except Empty:
                return
            self._last_loss = loss
            if self.job.nodes.is_first or self._board is None:
                self._decide(loss.rank, loss.pid, loss.step, loss.how, loss.evidence)
            else:
                self._board.tell("loss", [loss.rank, loss.pid, loss.step, loss.how, loss.evidence])

    def _decide(self, rank: int, pid: int, step: int, how: str, evidence: Mapping[str, Any]) -> None:
        self.ctx.decide(
            "rank",
            step,
            "Rank {rank} (process {pid}) {how}; all ranks go on from the last checkpoint",
            evidence=evidence,
            rank=rank,
            pid=pid,
            how=how,
        )

    def _hear_others(self) -> None:
        """Pass on what the other machines tell."""
        if self._board is None or not self.job.nodes.is_first:
            return
        for kind, value in self._board.told():
            if kind == "loss":
                self._decide(*value)
            elif kind == "error":
                self._others_error = self._others_error or value
            else:
                self._tell_rank(*value)

    def _tell_health(self, beats: Mapping[int, Beat]) -> None:
        """Step, time of a step and memory of each rank, once a second, as curves over that rank's own step."""
        now = time.monotonic()
        if now < self._next_health:
            return
        self._next_health = now + HEALTH_S
        for rank, beat in beats.items():
            if beat.steps and beat.phase != "end" and beat.step > self._told_step.get(rank, -1):
                self._told_step[rank] = beat.step
                said = (rank, beat.step, beat.step_s * 1000, beat.memory_mib)
                if self.job.nodes.is_first or self._board is None:
                    self._tell_rank(*said)
                else:
                    self._board.tell("health", said)

    def _tell_rank(self, rank: int, step: int, step_ms: float, memory_mib: float) -> None:
        for name, value in (("step", step), ("step_ms", step_ms), ("memory_mib", memory_mib)):
            if self._is_new(f"rank_{rank}_{name}", step):
                self.ctx.metric(f"rank_{rank}_{name}", value, step)

    def _outcome(self) -> Any:
        for error in sorted((self.folder.path / "errors").glob("*.json")):
            if self._board is not None and not self.job.nodes.is_first:
                self._board.tell("error", read_json(error))
            raise_error(read_json(error))
        if self._others_error is not None:
            raise_error(self._others_error)
        if self._stop is not None:
            raise self._stop
        if self._crash is not None:
            raise self._crash
        result = read_json(self.folder.result)
        if self.job.nodes.is_first and (result is None or "made" not in result):
            raise self._lost()
        logs = self.folder.logs
        shutil.rmtree(logs, ignore_errors=True)
        return None if result is None else result["made"]

    def _lost(self) -> UserError:
        loss = self._last_loss
        return UserError(
            "Rank {rank} was lost again and again: its process {how}",
            hint="A process that the system ends has mostly run out of memory: use fewer devices or a smaller batch. "
            "What the ranks printed lies in {logs}.",
            rank="?" if loss is None else loss.rank,
            how="ended" if loss is None else loss.how,
            logs=str(self.folder.logs),
        )

    def _work(self, agent: Any) -> None:
        try:
            agent.run()
        except BaseException as error:
            self._crash = error
        finally:
            agent._rdzv_handler.shutdown()

    def _description(self) -> dict[str, Any]:
        ctx = self.ctx
        context = {
            "seed": ctx.seed,
            "block_id": ctx.block_id,
            "plan": ctx.plan.model_dump(),
            "document": ctx.document,
            "store": str(ctx.store.root),
            "workdir": str(ctx.workdir),
        }
        return {
            "agent": os.getpid(),
            "program": self.job.program,
            "processes": self.job.processes,
            "hang_s": self.job.hang_s,
            "artifacts": list(self.job.artifacts),
            "arguments": dict(self.job.arguments),
            "device": self.job.device,
            "context": context,
        }

    def _agent(self) -> Any:
        """The agent with its rendezvous. PyTorch's part of this is imported by those who need it only."""
        from torch.distributed.elastic.agent.server.api import WorkerSpec
        from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs, Std

        from engine.distributed.agent import Agent
        from engine.distributed.health import Watch

        # What it has to say is said as decisions of the run.
        for name in list(logging.root.manager.loggerDict):
            if name.startswith("torch.distributed.elastic"):
                logging.getLogger(name).setLevel(logging.CRITICAL)
        nodes = self.job.nodes
        store, number = open_store(nodes), next_job(nodes)
        if nodes.count > 1:
            self._board = Board(store, number)
            if nodes.is_first:
                self._board.publish(self._description())
        spec = WorkerSpec(
            role="rank",
            local_world_size=self.job.processes,
            entrypoint=sys.executable,
            args=("-P", "-m", "engine.distributed.rank", str(self.folder.path)),
            rdzv_handler=rendezvous(store, nodes, f"{nodes.name}-{number}"),
            max_restarts=RESTARTS,
            monitor_interval=0.1,
            local_addr=nodes.address,
        )
        logs = DefaultLogsSpecs(log_dir=str(self.folder.logs), redirects=Std.ALL)
        watch = Watch(self.folder, self.job.hang_s, sees_all=nodes.count == 1)
        return Agent(spec, logs, folder=self.folder, watch=watch, told=self._losses.put, is_first=nodes.is_first)


def raise_error(error: Mapping[str, Any]) -> None:
    """Raise the error of a rank here."""
    if error["kind"] in ("user", "transient"):
        values = {key: value for key, value in error["values"].items() if key not in ("block", "field", "hint")}
        raise UserError(error["template"], field=error["field"], hint=error["hint_template"], **values)
    raise RuntimeError(f"{error['message']}\n{error['traceback'] or ''}".rstrip())
