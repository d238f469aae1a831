"""Keep processes alive: start them, start one again when it dies, stop all of them.

Called by ``deepseek up`` and ``deepseek worker``. One thread, no callbacks: the caller starts children, waits for
whatever it wants to wait for, and then hands over to `Keeper.watch`, which returns when a signal asked for the end.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType

from deepseek.errors import DeepSeekError
from deepseek.services.child import (
    Child,
    Spec,
    adopt_orphans,
    describe_exit,
    kill_descendants,
    kill_orphans,
    reap_orphans,
)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0
#: A child that lived this long has recovered: its next death is treated as the first one.
RECOVERED_S = 30.0


class StopAsked(BaseException):
    """SIGINT or SIGTERM arrived. Not an Exception: nothing may swallow it."""


class Keeper:
    """The children of this process.

    Parameters
    ----------
    say
        Shows one line to the person.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._children: dict[str, Child] = {}
        self._deaths: dict[str, int] = {}
        self._due: dict[str, float] = {}
        adopt_orphans()

    def listen(self) -> None:
        """Turn SIGINT and SIGTERM into `StopAsked`, wherever this process is."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _raise_stop)

    def start(self, spec: Spec) -> Child:
        """Start a child and keep it."""
        child = Child.start(spec)
        self._children[spec.name] = child
        return child

    def check_started(self) -> None:
        """Nothing has ended yet.

        Raises
        ------
        DeepSeekError
            With the end of the log of the child that ended while the studio was starting.
        """
        for child in self._children.values():
            code = child.exit_code()
            if code is not None:
                raise DeepSeekError(
                    f"The process `{child.spec.name}` did not start ({describe_exit(code)}). The end of "
                    f"{child.spec.log}:\n{child.log_tail()}\n",
                    hint="Run `deepseek doctor` to see what is missing.",
                )

    def wait(self, is_ready: Callable[[], bool], timeout_s: float, describe: Callable[[], str]) -> None:
        """Wait until something is ready while every child lives; ``describe`` says what is missing if it never is.

        Raises
        ------
        DeepSeekError
            When a child ends, or time runs out.
        """
        deadline = time.monotonic() + timeout_s
        while not is_ready():
            self.check_started()
            if time.monotonic() > deadline:
                logs = ", ".join(str(child.spec.log) for child in self._children.values())
                raise DeepSeekError(f"{describe()} after {timeout_s:.0f} s", hint=f"The logs may tell why: {logs}")
            time.sleep(0.2)

    def watch(self) -> None:
        """Start dead children again, for ever; leaves by `StopAsked`."""
        while True:
            self.tend()
            time.sleep(0.2)

    def tend(self) -> None:
        """One look at every child."""
        now = time.monotonic()
        reap_orphans(self._pids())
        for name, child in list(self._children.items()):
            if name in self._due:
                if now >= self._due[name]:
                    del self._due[name]
                    self.start(child.spec)
            elif (code := child.exit_code()) is not None:
                self._bury(child, code, now)

    def stop(self) -> None:
        """Ask every child to stop, last started first; then end what is left, and everything below this process."""
        children = list(reversed(self._children.values()))
        for child in children:
            child.terminate()
        deadlines = {child.spec.name: time.monotonic() + child.spec.stop_s for child in children}
        for child in children:
            while child.exit_code() is None and time.monotonic() < deadlines[child.spec.name]:
                time.sleep(0.05)
            child.kill()
        left = kill_descendants()
        if left:
            self._say(f"These processes would not stop: {', '.join(map(str, left))}")

    def _pids(self) -> set[int]:
        return {child.process.pid for child in self._children.values()}

    def _bury(self, child: Child, code: int, now: float) -> None:
        """A child ended: end what it left behind, and say when it comes back."""
        child.kill()
        kill_orphans(self._pids())
        name = child.spec.name
        self._deaths[name] = 1 if child.age_s > RECOVERED_S else self._deaths.get(name, 0) + 1
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (self._deaths[name] - 1))
        self._due[name] = now + pause_s
        self._say(
            f"The process `{name}` ended ({describe_exit(code)}); starting it again in {pause_s:.1f} s. "
            f"Its log: {child.spec.log}"
        )


def _raise_stop(number: int, frame: FrameType | None) -> None:
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)  # once is enough: stopping must not be interrupted half-way
    raise StopAsked(signal.Signals(number).name)
