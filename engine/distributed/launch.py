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
from collections.abc import Mapping
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from engine.distributed.context import CANCELLED, INTERRUPTED
from engine.distributed.health import HANG_S, Beat
from engine.distributed.messages import Inbox, RankFolder, read_json, write_json
from engine.errors import CancelledRun, InterruptedRun, UserError
from engine.spec import RunContext

LOOK_S = 0.05
HEALTH_S = 1.0
STOP_S = 20.0
RESTARTS = 3
HERE = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Nodes:
    """The machines of one job.

    Attributes
    ----------
    count
        How many.
    endpoint
        ``host:port`` of the first; port 0 on a single machine: any that is free.
    name
        Equal on all of them, and no other job's.
    is_first
        True on the machine whose address the endpoint is.
    address
        Of this machine, as the others reach it.
    """

    count: int = 1
    endpoint: str = f"{HERE}:0"
    name: str = "ranks"
    is_first: bool = True
    address: str = HERE


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
            self.ctx.decide(
                "rank",
                loss.step,
                "Rank {rank} (process {pid}) {how}; all ranks go on from the last checkpoint",
                evidence={
                    "rank": loss.rank,
                    "process": loss.pid,
                    "exit code": "hung" if loss.exit_code is None else loss.exit_code,
                    "silent seconds": round(loss.silent_s, 1),
                },
                rank=loss.rank,
                pid=loss.pid,
                how=loss.how,
            )

    def _tell_health(self, beats: Mapping[int, Beat]) -> None:
        """Step, time of a step and memory of each rank, once a second, as curves over that rank's own step."""
        now = time.monotonic()
        if now < self._next_health:
            return
        self._next_health = now + HEALTH_S
        for rank, beat in beats.items():
            if beat.steps and beat.phase != "end" and beat.step > self._told_step.get(rank, -1):
                self._told_step[rank] = beat.step
                self.ctx.metric(f"rank_{rank}_step", beat.step, beat.step)
                self.ctx.metric(f"rank_{rank}_step_ms", beat.step_s * 1000, beat.step)
                self.ctx.metric(f"rank_{rank}_memory_mib", beat.memory_mib, beat.step)

    def _outcome(self) -> Any:
        for error in sorted((self.folder.path / "errors").glob("*.json")):
            _raise(read_json(error), error.stem)
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
            "arguments": dict(self.job.arguments),
            "device": self.job.device,
            "context": context,
        }

    def _agent(self) -> Any:
        """The agent with its rendezvous. PyTorch's part of this is imported by those who need it only."""
        from torch.distributed.elastic.agent.server.api import WorkerSpec
        from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs, Std
        from torch.distributed.elastic.rendezvous import registry
        from torch.distributed.elastic.rendezvous.api import RendezvousParameters

        from engine.distributed.agent import Agent
        from engine.distributed.health import Watch

        # What it has to say is said as decisions of the run.
        for name in list(logging.root.manager.loggerDict):
            if name.startswith("torch.distributed.elastic"):
                logging.getLogger(name).setLevel(logging.CRITICAL)
        nodes = self.job.nodes
        rendezvous = registry.get_rendezvous_handler(
            RendezvousParameters(
                backend="c10d",
                endpoint=nodes.endpoint,
                run_id=nodes.name,
                min_nodes=nodes.count,
                max_nodes=nodes.count,
                local_addr=nodes.address,
                is_host=nodes.is_first,
                join_timeout=300,
            )
        )
        spec = WorkerSpec(
            role="rank",
            local_world_size=self.job.processes,
            entrypoint=sys.executable,
            args=("-P", "-m", "engine.distributed.rank", str(self.folder.path)),
            rdzv_handler=rendezvous,
            max_restarts=RESTARTS,
            monitor_interval=0.1,
            local_addr=nodes.address,
        )
        logs = DefaultLogsSpecs(log_dir=str(self.folder.logs), redirects=Std.ALL)
        watch = Watch(self.folder, self.job.hang_s)
        return Agent(spec, logs, folder=self.folder, watch=watch, told=self._losses.put)


def _raise(error: Mapping[str, Any], rank: str) -> None:
    """Raise the error of a rank here."""
    if error["kind"] in ("user", "transient"):
        values = {key: value for key, value in error["values"].items() if key not in ("block", "field", "hint")}
        raise UserError(error["template"], field=error["field"], hint=error["hint_template"], **values)
    raise RuntimeError(f"Rank {rank}: {error['message']}\n{error['traceback'] or ''}".rstrip())
