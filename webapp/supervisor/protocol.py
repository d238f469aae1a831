"""What a child may say, checked field by field: the only way from a child's line to the database.

Called by :mod:`webapp.supervisor.attempt`. A line that fits becomes a message with known fields of known types,
and the JSON that is stored is written anew from it. Must not know what is done with a message.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from webapp.supervisor.eventfile import ProtocolError

MAX_TEXT = 16_384
MAX_POINTS = 65_536
BLOCK_ID = r"^[a-z][a-z0-9_]{0,63}$"
METRIC_NAME = r"^[A-Za-z_][A-Za-z0-9_.\-/ ]{0,119}$"
DIGEST = r"^sha256:[0-9a-f]{64}$"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _small(value: Any) -> Any:
    if value is not None and len(json.dumps(value, default=str)) > 16 * MAX_TEXT:
        raise ValueError("too large")
    return value


Text = Annotated[str, AfterValidator(_cut)]
BlockId = Annotated[str, Field(pattern=BLOCK_ID)]
Digest = Annotated[str, Field(pattern=DIGEST)]
Name = Annotated[str, Field(pattern=METRIC_NAME)]
Small = Annotated[dict[str, Any], AfterValidator(_small)]
Numbers = Annotated[dict[Name, float | None], Field(max_length=2_000)]


class Message(BaseModel):
    """Base of all: unknown fields are dropped."""

    model_config = ConfigDict(extra="ignore", frozen=True, ser_json_inf_nan="null")


class Output(Message):
    digest: Digest
    kind: Annotated[str, Field(max_length=64)]
    preview: bool = False


Outputs = Annotated[dict[Annotated[str, Field(max_length=64)], Output], Field(max_length=64)]


class RunStarted(Message):
    type: Literal["run_started"]
    plan: Small
    blocks: Annotated[list[BlockId], Field(max_length=5_000)]
    resumed: bool = False
    versions: Small = Field(default_factory=dict)


class BlockStarted(Message):
    type: Literal["block_started"]
    block: BlockId
    reason: Small


class BlockCached(Message):
    type: Literal["block_cached"]
    block: BlockId
    reason: Small
    outputs: Outputs
    metrics: Numbers


class BlockDone(Message):
    type: Literal["block_done"]
    block: BlockId
    duration_s: float
    outputs: Outputs
    metrics: Numbers


class BlockFailed(Message):
    type: Literal["block_failed"]
    block: BlockId
    error: Small


class BlockSkipped(Message):
    type: Literal["block_skipped"]
    block: BlockId
    because: Annotated[str, Field(max_length=200)]


class Progress(Message):
    type: Literal["progress"]
    block: BlockId
    done: float
    total: float
    unit: Annotated[str, Field(max_length=40)]
    eta_s: float | None = None


class Metrics(Message):
    """A block of points; the packed numbers are decoded once, here."""

    type: Literal["metrics"]
    block: BlockId
    name: Name
    first_step: Annotated[int, Field(ge=-(2**62), le=2**62)]
    stride: Annotated[int, Field(ge=-(2**40), le=2**40)]
    count: Annotated[int, Field(ge=1, le=MAX_POINTS)]
    t0: float
    t1: float
    values: str
    steps: str | None = None

    @cached_property
    def value_bytes(self) -> bytes:
        """The values as little-endian float64."""
        return base64.b64decode(self.values, validate=True)

    @cached_property
    def step_bytes(self) -> bytes | None:
        """Irregular steps as little-endian int64."""
        return None if self.steps is None else base64.b64decode(self.steps, validate=True)

    @property
    def address(self) -> str:
        """``<block>.<name>``."""
        return f"{self.block}.{self.name}"

    @model_validator(mode="after")
    def _whole(self) -> Metrics:
        try:
            steps = self.step_bytes
            if len(self.value_bytes) != 8 * self.count or (steps is not None and len(steps) != 8 * self.count):
                raise ValueError("count and bytes differ")
        except binascii.Error:
            raise ValueError("not base64") from None
        if not (math.isfinite(self.t0) and math.isfinite(self.t1)):
            raise ValueError("times must be finite")
        return self


class Log(Message):
    type: Literal["log"]
    block: BlockId | None = None
    level: Literal["debug", "info", "warning", "error"]
    message: Text
    template: Text
    values: Small = Field(default_factory=dict)
    t: float = 0.0


class Checkpoint(Message):
    type: Literal["checkpoint"]
    block: BlockId
    step: int


class Decision(Message):
    type: Literal["decision"]
    block: BlockId
    kind: Annotated[str, Field(max_length=40)]
    step: int
    message: Text
    template: Text
    values: Small = Field(default_factory=dict)
    evidence: Small = Field(default_factory=dict)
    t: float = 0.0


class RunDone(Message):
    type: Literal["run_done"]
    status: Literal["succeeded", "failed", "cancelled"]
    duration_s: float
    error: Small | None = None


class CacheLookup(Message):
    type: Literal["cache_lookup"]
    id: Annotated[int, Field(ge=0)]
    block: BlockId
    key: Annotated[str, Field(max_length=128)]
    components: Small


class CacheStore(Message):
    type: Literal["cache_store"]
    block: BlockId
    key: Annotated[str, Field(max_length=128)]
    components: Small
    outputs: Annotated[dict[Annotated[str, Field(max_length=64)], Digest], Field(max_length=64)]
    metrics: Numbers


Request = CacheLookup | CacheStore
Event = (
    RunStarted
    | BlockStarted
    | BlockCached
    | BlockDone
    | BlockFailed
    | BlockSkipped
    | Progress
    | Metrics
    | Log
    | Checkpoint
    | Decision
    | RunDone
)
_adapter: TypeAdapter[Event | Request] = TypeAdapter(Annotated[Event | Request, Field(discriminator="type")])


def parse(line: bytes) -> Event | Request:
    """The message of one line.

    Raises
    ------
    ProtocolError
        When no message of the closed set fits.

    Examples
    --------
    >>> parse(b'{"type":"checkpoint","block":"train","step":7,"more":1}')
    Checkpoint(type='checkpoint', block='train', step=7)
    >>> parse(b'{"type":"checkpoint","block":"../x","step":7}')
    Traceback (most recent call last):
    webapp.supervisor.eventfile.ProtocolError: checkpoint.block: String should match pattern ...
    """
    try:
        return _adapter.validate_json(line)
    except ValidationError as first:
        if any(problem["type"] == "json_invalid" for problem in first.errors(include_input=False, include_url=False)):
            return _parse_loosely(line)
        raise ProtocolError(_words(first)) from None


def to_text(event: Event) -> str:
    """The event as the JSON text that is stored: no field that is None, no number that JSON lacks."""
    if isinstance(event, Metrics):
        return event.model_dump_json(exclude_none=True)
    # NUL is no character for PostgreSQL, and lone surrogates are none for anybody.
    return event.model_dump_json(exclude_none=True).replace("\\u0000", "\ufffd")


def _parse_loosely(line: bytes) -> Event | Request:
    """Python writes half characters (odd file names in a log line) that strict JSON refuses."""
    try:
        value = json.loads(line.decode("utf-8", "replace"))
        return _adapter.validate_python(_repair(value))
    except ValidationError as error:
        raise ProtocolError(_words(error)) from None
    except (ValueError, RecursionError):
        raise ProtocolError("not a JSON object") from None


def _repair(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_repair(item) for item in value]
    if isinstance(value, dict):
        return {_repair(key): _repair(item) for key, item in value.items()}
    return value


def _words(error: ValidationError) -> str:
    problem = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
