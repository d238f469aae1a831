"""The dialect of a delimited text file: its delimiter, and whether its first line names the columns.

Called by the CSV reader with the first lines of the file.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence

DELIMITERS = (",", ";", "\t", "|")
NUMBER = re.compile(r"[+-]?[$€£¥]?\s*(\d[\d., ' ]*|[.,]\d+)([eE][+-]?\d+)?\s*[%€]?")
DATE = re.compile(r"\d{1,4}[-/.年]\d{1,2}[-/.月]\d{1,4}日?([ T]\d{1,2}:\d{2}.*)?")
WORDS = frozenset({"true", "false", "yes", "no", "是", "否"})


def rows_of(text: str, delimiter: str) -> list[list[str]]:
    """The rows of a sample; a row that the sample cuts off is the caller's to leave out."""
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    except csv.Error:
        return [[line] for line in text.splitlines() if line]


def detect_delimiter(text: str) -> str:
    r"""The delimiter that cuts the lines into the most even, cleanest cells.

    Examples
    --------
    >>> detect_delimiter("name;price\na;1,5\nb;2,5\n")
    ';'
    >>> detect_delimiter("one column\nof text, with commas\n")
    ','
    """
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        score = _score(rows_of(text, delimiter), delimiter)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _score(rows: Sequence[Sequence[str]], delimiter: str) -> float:
    """Share of rows with the usual width, times how clean the cells are; 0 for one column."""
    if not rows:
        return 0.0
    width, same = Counter(len(row) for row in rows).most_common(1)[0]
    if width < 2:
        return 0.0
    others = [other for other in DELIMITERS if other not in (delimiter, ",")]
    cells = [cell for row in rows for cell in row]
    dirty = sum(1 for cell in cells if any(other in cell for other in others))
    return same / len(rows) * (1 - dirty / len(cells)) + 0.001 * min(width, 50)


def is_value(cell: str) -> bool:
    """True for what is a value rather than a name: a number, a date, yes or no."""
    cell = cell.strip()
    return bool(NUMBER.fullmatch(cell) or DATE.fullmatch(cell)) or cell.lower() in WORDS


def detect_header(rows: Sequence[Sequence[str]]) -> bool:
    """True when the first row names the columns.

    Names are all there, all different and no values. Where every column is text, a first row whose cells come back
    further down is data.

    Examples
    --------
    >>> detect_header([["age", "city"], ["31", "Oslo"]]), detect_header([["31", "Oslo"], ["40", "Rome"]])
    (True, False)
    """
    if not rows:
        return False
    first, rest = [cell.strip() for cell in rows[0]], rows[1:]
    named = [cell for cell in first if cell]
    if not named or any(is_value(cell) for cell in named):
        return False
    if not rest:
        return True
    if any(is_value(row[i]) for row in rest for i in range(min(len(row), len(first)))):
        return True
    if len(set(named)) < len(named):
        return False
    back = sum(1 for i, cell in enumerate(first) if any(i < len(row) and row[i].strip() == cell for row in rest))
    return back == 0


def column_names(first: Sequence[str], width: int) -> tuple[list[str], list[str]]:
    """Names for ``width`` columns from a header row: empty and repeated ones get names of their own.

    Returns
    -------
    tuple
        The names, and those that had to be made.

    Examples
    --------
    >>> column_names(["a", "", "a"], 3)
    (['a', 'column_2', 'a_2'], ['column_2', 'a_2'])
    """
    cells = [" ".join(cell.split()) for cell in first]
    if len(cells) == width - 1:
        cells = ["row", *cells]
    cells += [""] * (width - len(cells))
    names: list[str] = []
    made: list[str] = []
    for number, cell in enumerate(cells[:width], 1):
        name, turn = cell or f"column_{number}", 1
        base = name
        while name in names:
            turn += 1
            name = f"{base}_{turn}"
        if name != cell:
            made.append(name)
        names.append(name)
    return names, made
