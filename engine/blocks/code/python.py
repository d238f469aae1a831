"""Your own Python, in the middle of a pipeline: change a data set, compute numbers, draw a figure."""

from __future__ import annotations

import contextlib
import io
import json
import math
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from engine.artifacts import DatasetRef, FigureRef, MetricsRef, TableRef
from engine.datasets import open_images, open_table, subset, write_images, write_table
from engine.datasets.previews import dump
from engine.errors import StudioError, UserError
from engine.spec import BlockParams, RunContext, block, param, put_figure

if TYPE_CHECKING:
    import pandas as pd

FILENAME = "<your code>"
OUTPUTS = ("dataset", "metrics", "figure")
PRINTED = 20_000
EXAMPLE = '''def run(dataset, metrics, seed):
    """dataset: a pandas DataFrame, or images with .images, .labels and .classes; None when nothing is wired."""
    return {"dataset": dataset}
'''


class Params(BlockParams):
    """The code."""

    code: str = param(
        EXAMPLE,
        widget="code",
        max_length=200_000,
        help="A function run(dataset, metrics, seed) that returns a dict with dataset, metrics or figure",
    )


class Outputs(NamedTuple):
    """What the function returned, under these names."""

    dataset: DatasetRef | None
    metrics: MetricsRef | None
    figure: FigureRef | None


@dataclass(slots=True)
class Images:
    """Images as your function gets them, and may return them.

    Attributes
    ----------
    images
        uint8 (N, C, H, W).
    labels
        int64 (N,).
    classes
        Name of each class.
    """

    images: np.ndarray
    labels: np.ndarray
    classes: list[str]


@block(
    "code.python",
    title="Python code",
    permission="run_code",
    examples=[{}, {"code": "def run(dataset, metrics, seed):\n    return {'metrics': {'seed': seed}}\n"}],
)
def run(
    params: Params, *, dataset: DatasetRef | None = None, metrics: MetricsRef | None = None, ctx: RunContext
) -> Outputs:
    r"""Call ``run(dataset, metrics, seed)`` of your code, in the run's own process.

    Your function may take any of these arguments: ``dataset`` (a pandas DataFrame for a table; for images an object
    with ``images``, ``labels``, ``classes``), ``metrics`` (a dict of numbers) and ``seed`` (an integer). The names
    ``np``, ``pd`` and ``Images`` are there. It returns a dict with some of ``dataset`` (a DataFrame, ``Images``, or
    row numbers to keep), ``metrics`` (a dict of numbers) and ``figure`` (a Plotly figure). What it prints goes to the
    log.

    Raises
    ------
    UserError
        With the line of your code where it went wrong.

    References
    ----------
    Python Language Reference, "Execution model".

    Examples
    --------
    >>> call("def run(seed):\n    return {'metrics': {'twice': 2 * seed}}", {"seed": 4})
    {'metrics': {'twice': 8}}
    """
    arguments = {
        "dataset": None if dataset is None else _opened(dataset),
        "metrics": None if metrics is None else metrics.read_json("metrics.json"),
        "seed": ctx.seed,
    }
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            answer = call(params.code, arguments)
    finally:
        for line in printed.getvalue()[:PRINTED].splitlines()[:500]:
            ctx.log("{line}", line=line)
    ctx.check_cancelled()
    return Outputs(
        _kept_dataset(answer.get("dataset"), dataset, ctx),
        _kept_metrics(answer.get("metrics"), ctx),
        _kept_figure(answer.get("figure"), ctx),
    )


def _opened(ref: DatasetRef) -> pd.DataFrame | Images:
    if isinstance(ref, TableRef):
        frame: pd.DataFrame = open_table(ref).to_pandas()
        return frame
    view = open_images(ref)
    return Images(view.take(slice(None)), view.labels.copy(), list(view.classes))


def call(code: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Run the code, call its ``run`` with the arguments it takes, and check what it returns.

    Raises
    ------
    UserError
        With the line of the code where it went wrong.
    """
    import inspect

    import pandas as pd

    namespace: dict[str, Any] = {"__name__": "your_code", "np": np, "pd": pd, "Images": Images}
    compiled = _compiled(code)
    with _lines_named(code):
        exec(compiled, namespace)  # noqa: S102  (the purpose of this block, behind its own permission)
        function = namespace.get("run")
        if not callable(function):
            raise UserError(
                "The code has no function run",
                field="code",
                hint="Write: def run(dataset, metrics, seed): ... return dict(dataset=dataset)",
            )
        taken = inspect.signature(function).parameters
        if not any(argument.kind is argument.VAR_KEYWORD for argument in taken.values()):
            arguments = {name: value for name, value in arguments.items() if name in taken}
        answer = function(**arguments)
    if answer is None:
        return {}
    if not isinstance(answer, dict) or set(answer) - set(OUTPUTS):
        raise UserError(
            "The function returned {what}, not a dict with dataset, metrics or figure",
            field="code",
            hint="For example: return dict(dataset=dataset)",
            what=type(answer).__name__ if not isinstance(answer, dict) else ", ".join(map(str, answer))[:80],
        )
    return answer


def _compiled(code: str) -> CodeType:
    try:
        return compile(code, FILENAME, "exec")
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise UserError(
            "Line {line} of the code: {problem}",
            field="code",
            line=line,
            problem=f"{type(error).__name__}: {getattr(error, 'msg', error)}",
            text=(getattr(error, "text", None) or "").strip()[:120],
        ) from None


@contextlib.contextmanager
def _lines_named(code: str) -> Any:
    """Turn whatever the code raises into an error that names its line."""
    try:
        yield
    except StudioError:
        raise
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        line = next((frame.lineno for frame in reversed(frames) if frame.filename == FILENAME), None) or 1
        lines = code.splitlines()
        raise UserError(
            "Line {line} of the code: {problem}",
            field="code",
            hint="The line is: {text}",
            line=line,
            problem=f"{type(error).__name__}: {error}"[:500],
            text=lines[line - 1].strip()[:120] if line <= len(lines) else "",
        ) from error


def _kept_dataset(value: Any, source: DatasetRef | None, ctx: RunContext) -> DatasetRef | None:
    import pandas as pd

    if value is None:
        return None
    name = source.meta["name"] if source is not None else "code"
    if isinstance(value, pd.DataFrame):
        return _kept_table(value, source, str(name), ctx)
    if isinstance(value, Images):
        return write_images(ctx.store, value.images, value.labels, value.classes, name=str(name))
    rows = np.asarray(value)
    if source is not None and rows.ndim == 1 and (rows.dtype == bool or np.issubdtype(rows.dtype, np.integer)):
        return subset(ctx.store, source, np.flatnonzero(rows) if rows.dtype == bool else rows)
    raise UserError(
        "The function returned a {type} as the data set",
        field="code",
        hint="Return a pandas DataFrame, Images(images, labels, classes), or the row numbers to keep.",
        type=type(value).__name__,
    )


def _kept_table(frame: pd.DataFrame, source: DatasetRef | None, name: str, ctx: RunContext) -> TableRef:
    """The frame as a table; the target and the task of the source stay while its column does."""
    import pyarrow as pa

    from engine.tabular.parquet import to_column
    from engine.tabular.targets import check_target, find_target

    try:
        table = pa.Table.from_pandas(frame.set_axis([str(c) for c in frame.columns], axis=1), preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise UserError(
            "The DataFrame cannot be kept as a table: {problem}",
            field="code",
            hint="Give every column one type.",
            problem=str(error).splitlines()[0][:200],
        ) from error
    before = source.meta if isinstance(source, TableRef) else {}
    known = {column["name"]: column["type"] for column in before.get("columns", [])}
    columns = [to_column(c, table.column(c), known.get(c)) for c in table.column_names]
    lost = [c for c, column in zip(table.column_names, columns, strict=True) if column is None]
    if lost or not columns:
        raise UserError(
            "Column {column} cannot be kept in a table",
            field="code",
            hint="A table has numbers, words, dates and yes or no.",
            column=lost[0] if lost else "-",
        )
    kept = [column for column in columns if column is not None]
    target = before.get("target") if before.get("target") in table.column_names else None
    task = before.get("task") if target else None
    classes = check_target(find_target(kept, str(target)), str(task)) if target and task else None
    typed = pa.table({column.name: column.values for column in kept})
    facts = [column.facts() for column in kept]
    return write_table(ctx.store, typed, facts, name=name, target=target, task=task, classes=classes)


def _kept_metrics(value: Any, ctx: RunContext) -> MetricsRef | None:
    if value is None:
        return None
    numbers = {}
    for name, number in dict(value).items():
        try:
            numbers[str(name)] = float(number)
        except (TypeError, ValueError):
            numbers[str(name)] = math.nan
        if not math.isfinite(numbers[str(name)]):
            raise UserError(
                "The metric {name} is {value}, not a number", field="code", name=str(name), value=str(number)[:80]
            )
    files = {"metrics.json": dump(numbers), "preview.json": dump({"kind": "metrics", "values": numbers})}
    return ctx.store.put(MetricsRef, files=files)


def _kept_figure(value: Any, ctx: RunContext) -> FigureRef | None:
    if value is None:
        return None
    figure = json.loads(value.to_json()) if hasattr(value, "to_json") else value
    if not isinstance(figure, dict) or not isinstance(figure.get("data"), list):
        raise UserError(
            "The function returned a {type} as the figure",
            field="code",
            hint="Return a plotly figure, or a dict with data and layout.",
            type=type(value).__name__,
        )
    return put_figure(ctx, figure)
