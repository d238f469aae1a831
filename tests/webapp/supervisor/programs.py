"""Small programs that stand in for the engine: they get the run's folder as their last argument."""

from __future__ import annotations

PREFIX = """
import base64, json, os, struct, sys, time
folder = sys.argv[-1]
fd = int(os.environ["DEEPSEEK_EVENT_FD"])
def say(type, **fields):
    os.write(fd, (json.dumps({"type": type, **fields}) + "\\n").encode())
def begin(blocks=("train",), resumed=False):
    say("run_started", plan={"device": "cpu"}, blocks=list(blocks), resumed=resumed)
    say("block_started", block=blocks[0], reason={"code": "first_run"})
def points(first, values, name="loss"):
    packed = base64.b64encode(struct.pack(f"<{len(values)}d", *values)).decode()
    shape = {"first_step": first, "stride": 1, "count": len(values), "t0": 1.0, "t1": 2.0}
    say("metrics", block="train", name=name, values=packed, **shape)
def end(status="succeeded", **fields):
    say("run_done", status=status, duration_s=1.0, **fields)
def answer():
    return json.loads(sys.stdin.readline())
"""


def program(body: str) -> tuple[str, str]:
    """Arguments of an interpreter that runs the body after the helpers above."""
    return ("-c", PREFIX + body)


GOOD = program("""
begin()
points(0, [3.0, 2.0, 1.0])
say("progress", block="train", done=1, total=1, unit="epochs")
say("block_done", block="train", duration_s=0.1, outputs={}, metrics={"accuracy": 0.5})
end()
""")
SLEEP = program("begin()\ntime.sleep(600)")
CRASH = program("begin()\nos._exit(3)")
