"""What a person sees while a pipeline runs: one line a block, a moving bar under them, a summary at the end.

Called by ``deepseek.local`` and by ``deepseek run`` with the events of a run, from this process or from a studio. On a
terminal the current line moves; in a file or a notebook's log each change of note is a line of its own. Must not know
where the events come from.
"""

from __future__ import annotations

import base64
import shutil
import struct
import sys
import time
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

BAR_WIDTH = 24
REDRAW_S = 0.1
LINE_EVERY_S = 10.0
SHOWN_METRICS = 4
MINOR = {"learning_rate", "images_per_s", "train_loss", "steps", "epochs", "best_epoch"}


class Sink(Protocol):
    """Something that is told what happens in a run."""

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Take one event."""


def silent(event: Mapping[str, Any]) -> None:
    """Take an event and show nothing."""


def points(event: Mapping[str, Any]) -> tuple[list[int], list[float]]:
    """Steps and values of a ``metrics`` event, which packs them as little-endian numbers.

    >>> packed = base64.b64encode(struct.pack("<2d", 0.5, 0.25)).decode()
    >>> points({"values": packed, "first_step": 10, "stride": 5})
    ([10, 15], [0.5, 0.25])
    """
    values = _unpack(event["values"], "d")
    if event.get("steps"):
        return [int(step) for step in _unpack(event["steps"], "q")], values
    return [event["first_step"] + index * event["stride"] for index in range(len(values))], values


def _unpack(text: str, code: str) -> list[float]:
    raw = base64.b64decode(text)
    return list(struct.unpack(f"<{len(raw) // 8}{code}", raw))


def duration(seconds: float) -> str:
    """A duration as people say it.

    >>> [duration(s) for s in (0.42, 12.3, 75, 7325)]
    ['0.4 s', '12 s', '1 min 15 s', '2 h 2 min']
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def bar(share: float, width: int = BAR_WIDTH) -> str:
    """A progress bar.

    >>> bar(0.5, 8)
    '████░░░░'
    """
    full = round(min(max(share, 0.0), 1.0) * width)
    return "█" * full + "░" * (width - full)


class Progress:
    """Shows the events of one run.

    Parameters
    ----------
    stream
        Where to write; standard error by default, so that results on standard output can be piped.
    is_live
        True: redraw one line in place. By default, when the stream is a terminal.
    shows_cached
        False leaves out blocks that were taken from the cache.
    """

    def __init__(self, stream: TextIO | None = None, *, is_live: bool | None = None, shows_cached: bool = True) -> None:
        self._stream = stream or sys.stderr
        self._is_live = self._stream.isatty() if is_live is None else is_live
        self._shows_cached = shows_cached
        self._width = 0  # of the block ids, so that columns line up
        self._metrics: dict[str, dict[str, float]] = {}
        self._progress: dict[str, Mapping[str, Any]] = {}
        self._drawn_at = 0.0
        self._lined_at = time.monotonic()
        self._last_line = ""

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Show one event; one of an unknown type is passed over."""
        handler = getattr(self, f"_on_{event['type']}", None)
        if handler is not None:
            handler(event)

    def close(self) -> None:
        """Clear the moving line."""
        self._erase()
        self._stream.flush()

    def _on_run_started(self, event: Mapping[str, Any]) -> None:
        self._width = max((len(block) for block in event["blocks"]), default=0)

    def _on_block_started(self, event: Mapping[str, Any]) -> None:
        if self._is_live:
            self._draw(f"{event['block']:<{self._width}}  …")

    def _on_block_cached(self, event: Mapping[str, Any]) -> None:
        if self._shows_cached:
            self._line(f"{event['block']:<{self._width}}  cached")

    def _on_block_done(self, event: Mapping[str, Any]) -> None:
        metrics = self._metrics.get(event["block"], {}) | dict(event.get("metrics") or {})
        text = f"{event['block']:<{self._width}}  done in {duration(event['duration_s'])}"
        self._line(f"{text}  {self._numbers(metrics)}".rstrip())

    def _on_block_failed(self, event: Mapping[str, Any]) -> None:
        self._line(f"{event['block']:<{self._width}}  failed: {event['error']['message']}")

    def _on_block_skipped(self, event: Mapping[str, Any]) -> None:
        self._line(f"{event['block']:<{self._width}}  skipped")

    def _on_metrics(self, event: Mapping[str, Any]) -> None:
        kept = self._metrics.setdefault(event["block"], {})
        kept[event["name"]] = _unpack(event["values"], "d")[-1]

    def _on_progress(self, event: Mapping[str, Any]) -> None:
        self._progress[event["block"]] = event
        now = time.monotonic()
        if self._is_live and now - self._drawn_at >= REDRAW_S:
            self._draw(self._bar_line(event))
        elif not self._is_live and now - self._lined_at >= LINE_EVERY_S:
            self._line(self._bar_line(event))

    def _on_log(self, event: Mapping[str, Any]) -> None:
        if event["level"] in ("warning", "error"):
            self._line(f"{event.get('block') or '':<{self._width}}  {event['level']}: {event['message']}")

    def _on_attempt_lost(self, event: Mapping[str, Any]) -> None:
        self._line("The machine that ran this went away; the run continues on another.")

    def _bar_line(self, event: Mapping[str, Any]) -> str:
        total = event["total"] or 1
        done = f"{event['done']:.3g}/{event['total']:.6g} {event['unit']}"
        parts = [f"{event['block']:<{self._width}}  {bar(event['done'] / total)}  {done}"]
        numbers = self._numbers(self._metrics.get(event["block"], {}))
        if numbers:
            parts.append(numbers)
        if event.get("eta_s"):
            parts.append(f"{duration(event['eta_s'])} left")
        return "  ".join(parts)

    @staticmethod
    def _numbers(metrics: Mapping[str, float]) -> str:
        shown = [name for name in metrics if name not in MINOR and not name.endswith(("_low", "_high"))]
        return "  ".join(f"{name} {metrics[name]:.4g}" for name in shown[:SHOWN_METRICS])

    def _draw(self, text: str) -> None:
        self._drawn_at = time.monotonic()
        columns = shutil.get_terminal_size().columns
        self._stream.write(f"\r\x1b[2K{text[: columns - 1]}")
        self._stream.flush()
        self._last_line = text

    def _erase(self) -> None:
        if self._is_live and self._last_line:
            self._stream.write("\r\x1b[2K")
            self._last_line = ""

    def _line(self, text: str) -> None:
        self._lined_at = time.monotonic()
        self._erase()
        self._stream.write(f"{text}\n")
        self._stream.flush()
