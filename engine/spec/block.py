"""The ``@block`` decorator: one function becomes one block, and everything else is read off it.

Called by block files at import, and by the catalog and the executor, which read the declaration. The decorator
returns the function unchanged and stores a frozen :class:`BlockSpec` on it. Must not know any block.
"""

from __future__ import annotations

import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from engine.artifacts import Ref
from engine.spec.params import BlockParams

BLOCK_TYPE = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R", bound=Ref)

MEASURED = "measured"
Measured = Annotated[R, MEASURED]
"""Marks an output that carries timings: it stays outside digests and cache keys."""


@dataclass(frozen=True, slots=True)
class InputPort:
    """An input, read from a keyword-only argument."""

    name: str
    kind: str
    optional: bool
    many: bool


@dataclass(frozen=True, slots=True)
class OutputPort:
    """An output, read from a field of ``Outputs``."""

    name: str
    kind: str
    measured: bool


@dataclass(frozen=True, slots=True)
class BlockSpec:
    """The declaration of one block."""

    id: str
    title: str
    version: int
    run: Callable[..., Any]
    params: type[BlockParams]
    inputs: tuple[InputPort, ...]
    outputs: tuple[OutputPort, ...]
    needs: Literal["cpu", "gpu"]
    required: bool
    permission: str | None
    resources: tuple[str, ...]
    cacheable: bool
    examples: tuple[Mapping[str, Any], ...]
    skips: Mapping[str, str]
    hidden: bool

    @property
    def category(self) -> str:
        """The palette's drawer: the prefix of the id."""
        return self.id.split(".")[0]


def block(
    id: str,  # the document's word for it
    *,
    title: str,
    version: int = 1,
    needs: Literal["cpu", "gpu"] = "cpu",
    required: bool = False,
    permission: str | None = None,
    resources: Sequence[str] = (),
    cacheable: bool = True,
    examples: Sequence[Mapping[str, Any]] = ({},),
    skips: Mapping[str, str] | None = None,
    hidden: bool = False,
) -> Callable[[F], F]:
    """Declare a block.

    Parameters
    ----------
    id
        ``category.name``.
    title
        What the palette shows.
    version
        Raise it when the same input gives another result.
    needs, required
        ``"gpu"`` prefers one; with ``required`` it must have one.
    permission
        A permission that whoever runs it needs, such as ``"run_code"``.
    resources
        Public data sets that are fetched before the run starts.
    cacheable
        False for a block whose result depends on more than its inputs.
    examples
        Parameter sets that the conformance test runs on tiny data.
    skips
        Conformance check -> reason why it does not apply.
    hidden
        True: the palette does not offer it, because a program makes it.
    """
    if not BLOCK_TYPE.fullmatch(id):
        raise ValueError(f"a block id is category.name in lower case, not {id!r}")

    def declare(function: F) -> F:
        params, inputs = _read_inputs(id, function)
        spec = BlockSpec(
            id=id,
            title=title,
            version=version,
            run=function,
            params=params,
            inputs=inputs,
            outputs=_read_outputs(id, function),
            needs=needs,
            required=required,
            permission=permission,
            resources=tuple(resources),
            cacheable=cacheable,
            examples=tuple(examples),
            skips=dict(skips or {}),
            hidden=hidden,
        )
        function.__block_spec__ = spec  # type: ignore[attr-defined]  # functions take attributes
        return function

    return declare


def spec_of(module: types.ModuleType) -> BlockSpec | None:
    """The declaration in a block's module, or None when it has none."""
    for value in vars(module).values():
        spec = getattr(value, "__block_spec__", None)
        if isinstance(spec, BlockSpec) and spec.run.__module__ == module.__name__:
            return spec
    return None


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    return typing.get_type_hints(function, vars(sys.modules[function.__module__]), include_extras=True)


def _read_inputs(
    id: str,
    function: Callable[..., Any],
) -> tuple[type[BlockParams], tuple[InputPort, ...]]:
    hints = _hints(function)
    params = hints.get("params")
    if not (isinstance(params, type) and issubclass(params, BlockParams)):
        raise TypeError(f"{id}: the first argument is `params: Params`, a BlockParams")
    ports = []
    for name, argument in inspect.signature(function).parameters.items():
        if name in ("params", "ctx"):
            continue
        if argument.kind is not argument.KEYWORD_ONLY:
            raise TypeError(f"{id}: the input {name} must be keyword-only")
        ports.append(_input_port(id, name, hints[name]))
    return params, tuple(ports)


def _input_port(id: str, name: str, hint: Any) -> InputPort:
    optional = many = False
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        rest = [arm for arm in typing.get_args(hint) if arm is not type(None)]
        optional, hint = True, rest[0]
        if len(rest) != 1:
            raise TypeError(f"{id}: the input {name} has more than one type")
    if typing.get_origin(hint) is list:
        many, hint = True, typing.get_args(hint)[0]
    if not (isinstance(hint, type) and issubclass(hint, Ref)):
        raise TypeError(f"{id}: the input {name} is not a Ref")
    return InputPort(name, hint.kind, optional, many)


def _read_outputs(id: str, function: Callable[..., Any]) -> tuple[OutputPort, ...]:
    outputs = _hints(function).get("return")
    if not (isinstance(outputs, type) and hasattr(outputs, "_fields")):
        raise TypeError(f"{id}: it returns a NamedTuple of Refs")
    hints = typing.get_type_hints(outputs, vars(sys.modules[outputs.__module__]), include_extras=True)
    ports = []
    for name in outputs._fields:
        hint, measured = hints[name], False
        if typing.get_origin(hint) is Annotated:
            measured = MEASURED in hint.__metadata__
            hint = hint.__origin__
        if typing.get_origin(hint) in (typing.Union, types.UnionType):
            hint = next(arm for arm in typing.get_args(hint) if arm is not type(None))
        if not (isinstance(hint, type) and issubclass(hint, Ref)):
            raise TypeError(f"{id}: the output {name} is not a Ref")
        ports.append(OutputPort(name, hint.kind, measured))
    return tuple(ports)
