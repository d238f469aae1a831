"""What each column of text holds, and its values in that type.

Called by :mod:`engine.tabular.read`. One decimal sign holds for the whole file; a column that is nearly numbers is
told, never bent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from engine.tabular import numbers
from engine.tabular.dates import to_dates
from engine.tabular.numbers import FORMATS, PLAIN, NumberFormat
from engine.tabular.options import Finding, TableOptions

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "null", "NULL", "Null", "#N/A", "<NA>")
MISSING_AMONG_VALUES = ("-", "--", "?", ".", "None", "none", "无", "缺失", "unknown", "Unknown", "#DIV/0!", "#VALUE!")
"""Words that may be categories: they mean "no value" only where the other cells are numbers or dates."""
TRUE = {"true": "false", "yes": "no", "y": "n", "t": "f", "是": "否", "真": "假", "on": "off"}
NEARLY = 0.9
MANY_CATEGORIES = 1000
LONG_TEXT = 40
SAMPLE = 5000


@dataclass(slots=True)
class Column:
    """One column in its type.

    Attributes
    ----------
    type
        ``number``, ``category``, ``text``, ``date`` or ``boolean``.
    format
        How its cells are written, for people.
    """

    name: str
    type: str
    values: pa.Array
    format: str = ""
    findings: list[Finding] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        """As ``meta["columns"]`` has it."""
        return {
            "name": self.name,
            "type": self.type,
            "missing": self.values.null_count,
            "unique": pc.count_distinct(self.values).as_py(),
        }


def convert(table: pa.Table, options: TableOptions, comma_country: bool) -> tuple[list[Column], NumberFormat]:
    """Type every column.

    Parameters
    ----------
    comma_country
        True when the file separates its columns by a semicolon, which those do who write decimals with a comma.

    Returns
    -------
    tuple
        The columns, and the number format that was used where a cell could be read in two ways.
    """
    cleaned = {
        name: _missing(table.column(name).combine_chunks(), options)
        for name in table.column_names
        if options.columns.get(name) != "ignore"
    }
    form = file_format(cleaned.values(), options, comma_country)
    return [_convert(name, values, options, form) for name, values in cleaned.items()], form


def _missing(column: pa.Array, options: TableOptions) -> pa.Array:
    """Cells that mean "no value" as missing."""
    words = MISSING if options.missing is None else ("", *options.missing)
    trimmed = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.is_in(trimmed, pa.array(words)), pa.scalar(None, pa.string()), trimmed)


def file_format(columns: Iterable[pa.Array], options: TableOptions, comma_country: bool) -> NumberFormat:
    """How cells such as ``1,234`` are read in this file: what is set, else what clear columns say.

    Returns
    -------
    NumberFormat
        With ``thousands`` empty when there are none.
    """
    decimal, thousands = options.decimal, options.thousands
    if decimal == "auto":
        votes = [_vote(numbers.bare(column.slice(0, SAMPLE).drop_null())) for column in columns]
        comma, point = votes.count(","), votes.count(".")
        decimal = "," if comma > point or (comma_country and not point) else "."
    if thousands == "auto":
        thousands = "," if decimal == "." else "."
    return NumberFormat(decimal, "" if thousands == "none" else thousands)


def _vote(sample: pa.Array) -> str | None:
    """The decimal sign that a column surely has; None when it has none or does not say."""
    if len(sample) == 0 or numbers.is_ambiguous(sample, ",") or numbers.is_ambiguous(sample, "."):
        return None
    if not pc.any(pc.match_substring_regex(sample, "[.,]")).as_py():
        return None
    return next((form.decimal for form in FORMATS if numbers.share_that_fits(sample, form) == 1), None)


def _convert(name: str, column: pa.Array, options: TableOptions, form: NumberFormat) -> Column:
    wanted = options.columns.get(name)
    if wanted is not None and wanted != "ignore":
        return _as_told(name, column, options, form, wanted)
    sample = column.slice(0, SAMPLE).drop_null()
    if len(sample) == 0:
        sample = column.drop_null()
    if len(sample) == 0:
        return Column(
            name,
            "category",
            column,
            findings=[Finding("warning", "Column {column} is empty", {"column": name}, "Leave it out.", name)],
        )
    for attempt in (_boolean, _number, _date):
        found = attempt(name, column, sample, options, form)
        if found is not None:
            return found
    return words(name, column, _nearly_number(name, column, form))


Attempt = Callable[[str, pa.Array, pa.Array, TableOptions, NumberFormat], Column | None]


def _boolean(name: str, column: pa.Array, sample: pa.Array, options: TableOptions, form: NumberFormat) -> Column | None:
    seen = {str(value).lower() for value in pc.unique(sample.slice(0, SAMPLE)).to_pylist()}
    for yes, no in TRUE.items():
        if seen and seen <= {yes, no}:
            lower = pc.utf8_lower(column)
            if not pc.all(pc.is_in(lower, pa.array([yes, no, None]))).as_py():
                return None
            return Column(name, "boolean", pc.equal(lower, yes), f"{yes}/{no}")
    return None


def _without_marks(column: pa.Array, options: TableOptions) -> pa.Array:
    if options.missing is not None:
        return column
    return pc.if_else(pc.is_in(column, pa.array(MISSING_AMONG_VALUES)), pa.scalar(None, pa.string()), column)


def _number(name: str, column: pa.Array, sample: pa.Array, options: TableOptions, form: NumberFormat) -> Column | None:
    sample = numbers.bare(_without_marks(sample, options)).drop_null()
    if len(sample) == 0 or numbers.has_leading_zeros(sample) or numbers.has_long_integers(sample):
        return None
    candidates = _candidates(form, options)
    found = next((one for one in candidates if numbers.share_that_fits(sample, one) == 1), None)
    if found is None:
        return None
    cells = numbers.bare(_without_marks(column, options))
    if numbers.has_leading_zeros(cells) or numbers.has_long_integers(cells):
        return None
    best = next((one for one in candidates if numbers.share_that_fits(cells, one) == 1), None)
    if best is None:
        return None
    made = Column(name, "number", numbers.to_numbers(cells, best), _shape(best))
    mark = best.thousands if best.thousands in (",", ".") else best.decimal if best.decimal == "," else ""
    if mark and options.decimal == "auto" and numbers.is_ambiguous(cells, mark):
        first = pc.filter(cells, pc.match_substring(cells, mark))[0].as_py()
        made.findings.append(
            Finding(
                "warning",
                "Column {column}: {cell} is read as {number}",
                {"column": name, "cell": first, "number": numbers.to_numbers(pa.array([first]), best)[0].as_py()},
                "If it means another number, set the decimal sign.",
                "decimal",
            )
        )
    return made


def _candidates(form: NumberFormat, options: TableOptions) -> list[NumberFormat]:
    """Formats to try, the file's own before its rivals; only those that the options allow."""
    if options.decimal != "auto" and options.thousands != "auto":
        return [NumberFormat(form.decimal, ""), form]
    order = sorted(FORMATS, key=lambda one: (one.decimal != form.decimal, FORMATS.index(one)))
    return [
        one
        for one in order
        if options.decimal in ("auto", one.decimal)
        and (options.thousands == "auto" or one.thousands in ("", options.thousands))
    ]


def _shape(form: NumberFormat) -> str:
    whole = f"1{form.thousands}234" if form.thousands else "1234"
    return f"{whole}{form.decimal}5"


def _date(name: str, column: pa.Array, sample: pa.Array, options: TableOptions, form: NumberFormat) -> Column | None:
    order = {"auto": None, "yes": True, "no": False}[options.day_first]
    quick = to_dates(_without_marks(sample, options), order)
    if quick is None or quick.values.null_count > _without_marks(sample, options).null_count:
        return None
    cells = _without_marks(column, options)
    dates = to_dates(cells, order)
    if dates is None or dates.values.null_count > cells.null_count:
        return None
    made = Column(name, "date", dates.values, dates.format)
    if dates.ambiguous and order is None:
        made.findings.append(
            Finding(
                "warning",
                "Column {column}: {cell} is read as {format}",
                {"column": name, "cell": str(sample[0].as_py()), "format": dates.format},
                "If the month comes first, set that the day comes first to no.",
                "day_first",
            )
        )
    return made


def words(name: str, column: pa.Array, findings: Sequence[Finding]) -> Column:
    """A column of words: categories when few and short, else free text."""
    present = len(column) - column.null_count
    distinct = pc.count_distinct(column).as_py()
    length = pc.mean(pc.utf8_length(column)).as_py() or 0
    few = distinct <= max(20, 0.05 * present) and distinct <= MANY_CATEGORIES
    kind = "category" if few and length <= LONG_TEXT else "text"
    return Column(name, kind, column, findings=list(findings))


def _nearly_number(name: str, column: pa.Array, form: NumberFormat) -> list[Finding]:
    """A word to the person when nearly all cells are numbers."""
    cells = numbers.bare(column)
    for one in (PLAIN, form):
        share = numbers.share_that_fits(cells, one)
        if NEARLY <= share < 1:
            odd = pc.invert(pc.match_substring_regex(cells, one.pattern))
            cell = pc.filter(column, odd)[0].as_py()
            return [
                Finding(
                    "warning",
                    "Column {column} is text because of {count} cells that are no numbers, such as {cell}",
                    {"column": name, "count": pc.sum(odd).as_py(), "cell": cell[:40]},
                    "Set the column's type to number to read those cells as missing.",
                    name,
                )
            ]
    return []


def _as_told(name: str, column: pa.Array, options: TableOptions, form: NumberFormat, wanted: str) -> Column:
    """The column in the type that a person set; cells that do not fit become missing, and that is said."""
    if wanted in ("category", "text"):
        return Column(name, wanted, column)
    if wanted == "number":
        cells = numbers.bare(column)
        best = max(_candidates(form, options), key=lambda one: numbers.share_that_fits(cells, one))
        made = Column(name, wanted, numbers.to_numbers(cells, best), _shape(best))
    elif wanted == "date":
        order = {"auto": None, "yes": True, "no": False}[options.day_first]
        dates = to_dates(column, order)
        empty = pa.nulls(len(column), pa.date32())
        made = Column(name, wanted, empty if dates is None else dates.values, "" if dates is None else dates.format)
    else:
        yes, no = [*TRUE, "1"], [*TRUE.values(), "0"]
        lower = pc.utf8_lower(column)
        known = pc.is_in(lower, pa.array([*yes, *no]))
        made = Column(name, wanted, pc.if_else(known, pc.is_in(lower, pa.array(yes)), pa.scalar(None, pa.bool_())))
    lost = made.values.null_count - column.null_count
    if lost:
        made.findings.append(
            Finding(
                "warning",
                "Column {column}: {count} cells are no {type} and are read as missing",
                {"column": name, "count": lost, "type": wanted},
                None,
                name,
            )
        )
    return made
