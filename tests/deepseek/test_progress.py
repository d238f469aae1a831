"""What a person sees while a run goes on."""

import base64
import io
import struct

from deepseek.progress import Progress

STARTED = {"type": "run_started", "plan": {}, "blocks": ["data", "train"]}


def metrics(name, *values):
    packed = base64.b64encode(struct.pack(f"<{len(values)}d", *values)).decode()
    return {"type": "metrics", "block": "train", "name": name, "values": packed}


def shown(*events, is_live=False):
    stream = io.StringIO()
    progress = Progress(stream, is_live=is_live)
    for event in (STARTED, *events):
        progress(event)
    progress.close()
    return stream.getvalue()


def test_a_block_that_is_done_shows_its_time_and_last_numbers():
    text = shown(metrics("loss", 0.9, 0.125), {"type": "block_done", "block": "train", "duration_s": 3, "metrics": {}})
    assert text == "train  done in 3.0 s  loss 0.125\n"


def test_a_file_gets_no_control_characters():
    event = {"type": "progress", "block": "train", "done": 1, "total": 2, "unit": "epochs", "eta_s": 4.0}
    assert "\x1b" not in shown(event, {"type": "block_cached", "block": "data"})


def test_a_terminal_gets_a_moving_bar_that_is_cleared_in_the_end():
    event = {"type": "progress", "block": "train", "done": 1, "total": 2, "unit": "epochs", "eta_s": 4.0}
    text = shown(metrics("loss", 0.5), event, is_live=True)
    assert "1/2 epochs  loss 0.5  4.0 s left" in text
    assert text.endswith("\r\x1b[2K")


def test_warnings_and_failures_are_lines():
    text = shown(
        {"type": "log", "level": "warning", "message": "Two images are broken", "block": "data"},
        {"type": "log", "level": "info", "message": "quiet"},
        {"type": "block_failed", "block": "train", "error": {"message": "NaN"}},
    )
    assert text.splitlines() == ["data   warning: Two images are broken", "train  failed: NaN"]


def test_an_unknown_event_is_passed_over():
    assert shown({"type": "from_the_future"}) == ""
