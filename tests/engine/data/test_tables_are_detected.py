"""What is found out about a table file, and what a person may set instead."""

import datetime
import json
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import UserError
from engine.tabular import TableOptions, TableRead, read_table

PEOPLE = "name,age,city,joined,member\n" + "".join(
    f"person {i},{20 + i},{['Oslo', 'Rome'][i % 2]},2024-01-{i + 1:02},{['yes', 'no'][i % 2]}\n" for i in range(25)
)


def read(tmp_path: Path, content: str | bytes, **options: Any) -> TableRead:
    path = tmp_path / "upload"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, TableOptions(**options))


def types(table: TableRead) -> dict[str, str]:
    return {column.name: column.type for column in table.columns}


def templates(table: TableRead) -> list[str]:
    return [finding.template for finding in table.findings]


def test_a_plain_csv_is_read_with_types_and_a_target(tmp_path: Path) -> None:
    table = read(tmp_path, PEOPLE)
    assert types(table) == {
        "name": "text",
        "age": "number",
        "city": "category",
        "joined": "date",
        "member": "boolean",
    }
    assert (table.target, table.task, table.count) == ("member", "classification", 25)
    assert table.detected["encoding"] == "utf-8"
    assert table.findings == []


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_detected(tmp_path: Path, delimiter: str) -> None:
    table = read(tmp_path, PEOPLE.replace(",", delimiter))
    assert table.detected["delimiter"] == delimiter
    assert len(table.columns) == 5


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("gb18030", "gb18030"),
    ],
)
def test_encodings_are_detected(tmp_path: Path, encoding: str, said: str) -> None:
    text = "姓名,城市,年龄\n张伟,北京,31\n王芳,上海,28\n李娜,广州,45\n" + "abc,def,1\n" * 10
    table = read(tmp_path, text.encode(encoding))
    assert table.detected["encoding"] == said
    assert table.columns[0].name == "姓名"
    assert table.columns[1].values[0].as_py() == "北京"


def test_western_text_is_not_taken_for_chinese(tmp_path: Path) -> None:
    table = read(tmp_path, "nom;prénom;âge\nMüller;Zoë;31\nLefèvre;François;28\n".encode("cp1252"))
    assert table.detected["encoding"] == "cp1252"
    assert [column.name for column in table.columns] == ["nom", "prénom", "âge"]


def test_a_wrong_encoding_names_the_byte(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not text in utf-8: byte 8") as caught:
        read(tmp_path, b"a,b\nx,y\n" + b"\xff\xfe,1\n", encoding="utf-8")
    assert caught.value.field == "encoding"


def test_the_encoding_can_be_set(tmp_path: Path) -> None:
    table = read(tmp_path, "氏名,年\n田中,3\n".encode("shift_jis"), encoding="shift_jis")
    assert table.columns[0].values[0].as_py() == "田中"


def test_decimal_commas_and_thousands_are_read(tmp_path: Path) -> None:
    table = read(tmp_path, "a;b;c\n1,5;1.234,5;1.234\n2,25;10.000,0;5.678\n")
    assert table.detected["decimal"] == ","
    assert table.table.to_pylist() == [{"a": 1.5, "b": 1234.5, "c": 1234}, {"a": 2.25, "b": 10000.0, "c": 5678}]


def test_thousands_commas_are_read_and_doubt_is_said(tmp_path: Path) -> None:
    table = read(tmp_path, 'price,n\n"1,234",1.5\n"2,000",2.5\n')
    assert table.table.column("price").to_pylist() == [1234, 2000]
    assert "Column {column}: {cell} is read as {number}" in templates(table)
    told = read(tmp_path, 'price,n\n"1,234",1\n"2,000",2\n', decimal=",")
    assert told.table.column("price").to_pylist() == [1.234, 2.0]


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["$1.50", "$20"], [1.5, 20.0]),
        (["12%", "7.5%"], [12.0, 7.5]),
        (["1e3", "-2.5E-1"], [1000.0, -0.25]),
        (["1 234.5", "12 000.0"], [1234.5, 12000.0]),
        (["+3", "-4"], [3, -4]),
        ([".5", "5."], [0.5, 5.0]),
        (["¥30", "￥40"], [30, 40]),
    ],
)
def test_numbers_are_read_as_people_write_them(tmp_path: Path, cells: list[str], numbers: list[float]) -> None:
    table = read(tmp_path, "v\tw\n" + "".join(f"{cell}\tx\n" for cell in cells))
    assert table.table.column("v").to_pylist() == numbers


@pytest.mark.parametrize("code", ["00123", "110101199003070000"])
def test_codes_made_of_digits_stay_text(tmp_path: Path, code: str) -> None:
    table = read(tmp_path, f"id,v\n{code},1\n{code},2\n")
    assert table.columns[0].values[0].as_py() == code


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (["2024-03-01", "2023-12-31"], datetime.date(2024, 3, 1)),
        (["2024/3/1", "2024/12/31"], datetime.date(2024, 3, 1)),
        (["2024年3月1日", "2024年12月31日"], datetime.date(2024, 3, 1)),
        (["01.03.2024", "31.12.2024"], datetime.date(2024, 3, 1)),
        (["03/01/2024", "12/31/2024"], datetime.date(2024, 3, 1)),
        (["2024-03-01 12:30", "2024-03-02 00:00:01.5"], datetime.datetime(2024, 3, 1, 12, 30)),
        (["2024-03-01T12:30:00+02:00", "2024-03-02T00:00:00Z"], datetime.datetime(2024, 3, 1, 10, 30)),
    ],
)
def test_dates_are_read(tmp_path: Path, cells: list[str], first: datetime.date) -> None:
    table = read(tmp_path, "when,v\n" + "".join(f"{cell},1\n" for cell in cells))
    assert table.columns[0].type == "date"
    assert table.columns[0].values[0].as_py() == first


def test_dates_that_could_be_turned_round_are_told_and_settable(tmp_path: Path) -> None:
    text = "when,v\n03/04/2024,1\n05/06/2024,2\n"
    table = read(tmp_path, text)
    assert "Column {column}: {cell} is read as {format}" in templates(table)
    assert table.columns[0].values[0].as_py() == datetime.date(2024, 4, 3)
    assert read(tmp_path, text, day_first="no").columns[0].values[0].as_py() == datetime.date(2024, 3, 4)


def test_days_that_do_not_exist_are_no_dates(tmp_path: Path) -> None:
    assert read(tmp_path, "when,v\n2024-02-30,1\n2024-01-01,2\n").columns[0].type == "category"


def test_missing_values_are_counted_in_each_column(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b,c\n1,x,\nNA,,2024-01-01\n?,z,NaN\n4,-,2024-01-02\n")
    facts = {column.name: column.facts() for column in table.columns}
    assert (facts["a"]["type"], facts["a"]["missing"]) == ("number", 2)
    assert (facts["b"]["missing"], facts["c"]["missing"]) == (1, 2)
    assert facts["c"]["type"] == "date"


def test_own_missing_markers_replace_the_usual_ones(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b\n1,NA\n-999,x\n", missing=["-999"])
    assert table.table.to_pylist() == [{"a": 1, "b": "NA"}, {"a": None, "b": "x"}]


def test_a_file_without_a_header_gets_column_names_and_says_so(tmp_path: Path) -> None:
    table = read(tmp_path, "5.1,3.5,setosa\n4.9,3.0,virginica\n")
    assert [column.name for column in table.columns] == ["column_1", "column_2", "column_3"]
    assert table.count == 2
    assert table.detected["header"] is False
    assert templates(table)[0].startswith("The first line holds data")


def test_the_header_can_be_set(tmp_path: Path) -> None:
    assert [column.name for column in read(tmp_path, "2019,2020\n1,2\n", header="yes").columns] == ["2019", "2020"]
    assert read(tmp_path, "a,b\nc,d\n", header="no").count == 2


def test_repeated_and_empty_names_become_different_ones(tmp_path: Path) -> None:
    table = read(tmp_path, "a,a,,b\n1,2,3,4\n")
    assert [column.name for column in table.columns] == ["a", "a_2", "column_3", "b"]
    assert any("no name or a repeated one" in template for template in templates(table))


def test_ragged_lines_are_counted_and_named_with_their_line(tmp_path: Path) -> None:
    text = 'a,b,c\n1,2,3\n"two\nlines",5,6\n\n7,8\n9,10,11,12\n13,14,15\n'
    table = read(tmp_path, text, ragged="skip")
    assert table.ragged == {
        "count": 2,
        "expected": 3,
        "lines": [{"line": 6, "cells": 2}, {"line": 7, "cells": 4}],
    }
    assert table.count == 3
    padded = read(tmp_path, text, ragged="pad")
    assert padded.count == 5
    assert padded.table.to_pylist()[2] == {"a": "7", "b": 8, "c": None}


def test_quoted_cells_may_hold_delimiters_and_lines(tmp_path: Path) -> None:
    table = read(tmp_path, 'a,b\n"x, ""y""\nz",1\nw,2\n')
    assert table.columns[0].values[0].as_py() == 'x, "y"\nz'


def test_excels_sep_line_is_obeyed(tmp_path: Path) -> None:
    table = read(tmp_path, "sep=;\na;b\n1;x\n2;y\n")
    assert table.table.to_pylist() == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The file is empty"),
        (b"\n\n", "The file is empty"),
        (b"a,b\n", "no data"),
        (b"\x00\x01\x02\x03" * 100, "not a text file"),
        (b"\xd0\xcf\x11\xe0" + b"0" * 100, "type xls"),
        (b"\x1f\x8b" + b"0" * 100, "type gzip"),
        (b"\x89PNG\r\n", "type image"),
        (b"PK\x03\x04rest", "not a zip file"),
        (b"PAR1rest", "Parquet file cannot be read"),
        (b'a,b\n"1,2\n3,4\n', "opened and never closed"),
    ],
)
def test_what_is_no_table_is_refused_with_a_hint(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path, content)
    assert caught.value.hint
    assert caught.value.field in ("file", "encoding")


def test_types_can_be_set_and_losses_are_said(tmp_path: Path) -> None:
    text = "grade,zip,note\n1,12,a\n2,13,b\nx,14,c\n"
    table = read(tmp_path, text, columns={"grade": "number", "zip": "category", "note": "ignore"})
    assert types(table) == {"grade": "number", "zip": "category"}
    assert table.table.column("grade").to_pylist() == [1, 2, None]
    assert any(template.endswith("are read as missing") for template in templates(table))


def test_a_column_that_is_nearly_numbers_is_told(tmp_path: Path) -> None:
    table = read(tmp_path, "v,w\n" + "".join(f"{i},1\n" for i in range(40)) + "soon,2\n")
    assert types(table)["v"] == "text"
    found = next(finding for finding in table.findings if "no numbers" in finding.template)
    assert found.values == {"column": "v", "count": 1, "cell": "soon"}


def test_an_excel_sheet_is_read_with_its_types(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Report 2024"])
    sheet.append(["name", "amount", "day", "paid"])
    sheet.append(["a", 1.5, datetime.date(2024, 1, 2), True])
    sheet.append(["b", 2, datetime.date(2024, 1, 3), False])
    book.create_sheet("Other").append(["x", "y"])
    book["Other"].append([1, 2])
    path = tmp_path / "book.xlsx"
    book.save(path)
    table = read_table(path)
    assert table.detected["sheets"] == ["Sheet", "Other"]
    assert types(table) == {"name": "category", "amount": "number", "day": "date", "paid": "boolean"}
    assert read_table(path, TableOptions(sheet="Other")).table.to_pylist() == [{"x": 1, "y": 2}]
    with pytest.raises(UserError, match="no sheet Third"):
        read_table(path, TableOptions(sheet="Third"))


def test_parquet_keeps_its_types_and_leaves_out_what_a_table_cannot_hold(tmp_path: Path) -> None:
    table = pa.table(
        {
            "n": pa.array([1, 2], pa.int8()),
            "s": pa.array(["a", "b"]).dictionary_encode(),
            "t": pa.array([0, 1], pa.timestamp("ns")),
            "list": pa.array([[1], [2]]),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    found = read_table(tmp_path / "t.parquet")
    assert types(found) == {"n": "number", "s": "category", "t": "date"}
    assert templates(found) == ["Column {column} was left out: it holds {type}"]


@pytest.mark.parametrize(
    ("text", "target", "task"),
    [
        ("a,price\n1.5,2.5\n2.5,3.5\n3.5,1.25\n", "price", "regression"),
        ("species,a\nx,1\ny,2\n", "species", "classification"),
        ("a,b,c\n1,2,x\n3,4,y\n", "c", "classification"),
        ("标签,a\n猫,1\n狗,2\n", "标签", "classification"),
    ],
)
def test_the_target_is_guessed(tmp_path: Path, text: str, target: str, task: str) -> None:
    table = read(tmp_path, text)
    assert (table.target, table.task) == (target, task)


def test_a_target_that_is_not_there_lists_the_columns(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no column z") as caught:
        read(tmp_path, "a,b\n1,2\n", target="z")
    assert caught.value.field == "target"
    assert "a, b" in (caught.value.hint or "")


def test_json_lines_are_a_table_with_typed_columns(tmp_path):
    path = tmp_path / "rows"
    rows = [
        {"size": n / 4, "kind": "ab"[n % 2], "ripe": bool(n % 3), "note": None if n == 2 else "x"} for n in range(30)
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    read = read_table(path)
    assert read.detected["format"] == "json"
    assert {column.name: column.type for column in read.columns} == {
        "size": "number", "kind": "category", "ripe": "boolean", "note": "category",
    }  # fmt: skip
    assert read.columns[3].values.null_count == 1
    path.write_text(json.dumps(rows))
    assert read_table(path).count == 30
