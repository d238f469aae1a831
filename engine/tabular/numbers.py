"""Numbers as people write them: decimal comma or point, thousands separators, currency and per cent signs.

Called by :mod:`engine.tabular.columns` with one column of text.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

LONGEST_INTEGER = 15
SIGNS = r"^\s*([+\-−]?)\s*[$€£¥￥]?\s*([+-]?[\d.,' \x{00a0}\x{202f}]*\d[.,]?(?:[eE][+-]?\d+)?)\s*(%|€|元)?\s*$"


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """Which characters separate decimals and thousands; an empty ``thousands`` means there are none."""

    decimal: str
    thousands: str

    @property
    def pattern(self) -> str:
        """RE2 pattern of a whole cell."""
        point = "\\" + self.decimal if self.decimal == "." else self.decimal
        mark = {"": "", ".": r"\.", " ": r"[ \x{00a0}\x{202f}]"}.get(self.thousands, self.thousands)
        whole = rf"(\d{{1,3}}({mark}\d{{3}})+|\d+)" if mark else r"\d+"
        return rf"^[+-]?({whole}({point}\d*)?|{point}\d+)([eE][+-]?\d+)?$"


PLAIN = NumberFormat(".", "")
FORMATS = (
    PLAIN,
    NumberFormat(",", ""),
    NumberFormat(".", ","),
    NumberFormat(",", "."),
    NumberFormat(",", " "),
    NumberFormat(".", " "),
    NumberFormat(".", "'"),
)


def bare(column: pa.Array) -> pa.Array:
    """Cells without spaces around, currency signs, per cent signs; cells that are no numbers stay as they are.

    >>> bare(pa.array(["$1,200", "12 %", "-3"])).to_pylist()
    ['1,200', '12', '-3']
    """
    return pc.replace_substring_regex(pc.utf8_trim_whitespace(column), SIGNS, r"\1\2")


def share_that_fits(column: pa.Array, form: NumberFormat) -> float:
    """Share of the non-missing cells that are numbers in this format."""
    present = len(column) - column.null_count
    return (pc.sum(pc.match_substring_regex(column, form.pattern)).as_py() or 0) / present if present else 0.0


def is_ambiguous(column: pa.Array, mark: str) -> bool:
    """True when every cell with this mark could mean thousands as well as decimals, as ``1,234`` does.

    >>> is_ambiguous(pa.array(["1,234", "7"]), ","), is_ambiguous(pa.array(["1,234", "0,5"]), ",")
    (True, False)
    """
    marked = pc.filter(column, pc.match_substring(column, mark))
    if len(marked) == 0:
        return False
    return bool(pc.all(pc.match_substring_regex(marked, rf"^[+-]?[1-9]\d{{0,2}}[{mark}]\d{{3}}$")).as_py())


def has_leading_zeros(column: pa.Array) -> bool:
    """True for codes such as ``00123``, which are no numbers."""
    return bool(pc.any(pc.match_substring_regex(column, r"^0\d+$")).as_py())


def has_long_integers(column: pa.Array) -> bool:
    """True for codes of more digits than a float keeps."""
    return bool(pc.any(pc.match_substring_regex(column, rf"^[+-]?\d{{{LONGEST_INTEGER + 1},}}$")).as_py())


def to_numbers(column: pa.Array, form: NumberFormat) -> pa.Array:
    """int64 when every cell is whole, else float64; cells that are no numbers become missing.

    >>> to_numbers(pa.array(["1.234,5", "x"]), NumberFormat(",", ".")).to_pylist()
    [1234.5, None]
    """
    fits = pc.match_substring_regex(column, form.pattern)
    column = pc.if_else(fits, column, pa.scalar(None, pa.string()))
    if form.thousands == " ":
        column = pc.replace_substring_regex(column, r"[ \x{00a0}\x{202f}]", "")
    elif form.thousands:
        column = pc.replace_substring(column, form.thousands, "")
    if form.decimal == ",":
        column = pc.replace_substring(column, ",", ".")
    column = pc.replace_substring_regex(column, r"^\+", "")
    column = pc.replace_substring_regex(column, r"\.$", "")
    whole = pc.all(pc.match_substring_regex(column, r"^-?\d+$")).as_py()
    if whole and not has_long_integers(column):
        return pc.cast(column, pa.int64())
    numbers = pc.cast(column, pa.float64())
    return pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))
