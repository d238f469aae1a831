"""The table block, normalising and profiling tables, the Python block and the inspection of uploads."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from engine import inspect
from engine.blocks.code import python
from engine.blocks.data import normalise, profile, split, table
from engine.datasets import class_labels, count, open_images, open_table, write_images
from engine.errors import UserError
from tests.engine.data.bench import Bench

WINES = "acid,colour,quality\n" + "".join(
    f"{i / 10},{['red', 'white', ''][i % 3]},{['good', 'bad'][i % 2]}\n" for i in range(40)
)


def load(bench: Bench, text: str, **params: Any) -> Any:
    file = bench.upload(text.encode(), "wines.csv")
    return table.run(table.Params(file=file, **params), ctx=bench).dataset


def test_a_table_becomes_a_data_set_with_target_and_classes(bench: Bench) -> None:
    made = load(bench, WINES)
    assert (made.meta["target"], made.meta["task"], made.meta["classes"]) == (
        "quality", "classification", ["bad", "good"],
    )  # fmt: skip
    assert made.meta["columns"][1] == {"name": "colour", "type": "category", "missing": 13, "unique": 2}
    labels = class_labels(made)
    assert labels is not None
    assert labels[:2].tolist() == [1, 0]
    assert made.read_json("preview.json")["total"] == 40
    assert load(bench, WINES) == made


def test_ragged_lines_stop_with_their_lines_or_are_left_out_or_padded(bench: Bench) -> None:
    text = WINES + "1,red\n2,white,good,extra\n"
    with pytest.raises(UserError, match="2 lines do not have 3 cells: line 42 has 2") as caught:
        load(bench, text)
    assert caught.value.field == "ragged"
    assert "42, 43" in (caught.value.hint or "")
    assert count(load(bench, text, ragged="skip")) == 40
    assert bench.warnings == ["2 lines that do not have 3 cells were left out: 42, 43"]
    assert count(load(bench, text, ragged="pad")) == 41
    assert "1 rows have no value in quality" in bench.warnings[-1]


def test_rows_without_a_target_are_left_out_and_counted(bench: Bench) -> None:
    made = load(bench, WINES + "9,red,\n")
    assert count(made) == 40
    assert bench.warnings == ["1 rows have no value in quality, which is to be predicted, and were left out"]


@pytest.mark.parametrize(
    ("text", "params", "message"),
    [
        ("a,note\n" + "".join(f"{i},something {i}\n" for i in range(50)), {"target": "note"}, "cannot be a class"),
        (WINES, {"target": "colour", "task": "regression"}, "holds words such as red"),
        ("a,b\n1,x\n2,x\n", {"target": "b"}, "1 different values"),
        (WINES, {"target": "price"}, "no column price"),
    ],
)
def test_a_target_that_cannot_be_predicted_is_said_at_the_field(
    bench: Bench, text: str, params: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load(bench, text, **params)
    assert caught.value.field == "target"
    assert caught.value.hint


def test_a_class_with_one_row_is_warned_of(bench: Bench) -> None:
    load(bench, WINES + "9,red,odd\n")
    assert bench.warnings == ["1 classes have a single row: odd. They cannot be tested"]


def test_normalise_declares_encoders_fitted_on_its_own_rows(bench: Bench) -> None:
    train = split.run(split.Params(), dataset=load(bench, WINES), ctx=bench).train
    made = normalise.run(normalise.Params(), dataset=train, ctx=bench).dataset
    assert [operation["op"] for operation in made.meta["preprocessing"]] == ["impute", "standardise", "one_hot"]
    acid = np.array(open_table(train).column("acid").to_pylist())
    assert made.meta["preprocessing"][1]["mean"] == pytest.approx(acid.mean())
    assert made.meta["preprocessing"][2]["categories"] == ["red", "white"]


def test_normalise_leaves_out_free_text_and_says_so(bench: Bench) -> None:
    text = "note,y\n" + "".join(f"text number {i},{i % 2}\n" for i in range(60))
    with pytest.raises(UserError, match="No column is left"):
        normalise.run(normalise.Params(), dataset=load(bench, text), ctx=bench)
    assert any("free text" in line for _, line, _ in bench.lines)


def test_profile_draws_each_column_and_gives_its_numbers(bench: Bench) -> None:
    made = profile.run(profile.Params(), dataset=load(bench, WINES), ctx=bench)
    figure = made.figure.read_json("figure.json")
    assert [trace["type"] for trace in figure["data"]] == ["bar"] * 3
    assert sum(figure["data"][0]["y"]) == 40
    rows = open_table(made.table).to_pylist()
    assert (rows[0]["mean"], rows[1]["missing"], rows[2]["commonest"]) == (pytest.approx(1.95), 13, "bad")


def code(bench: Bench, text: str, **inputs: Any) -> python.Outputs:
    return python.run(python.Params(code=text), **inputs, ctx=bench)


def test_code_changes_a_table_and_keeps_its_target(bench: Bench) -> None:
    ref = load(bench, WINES)
    made = code(
        bench,
        "def run(dataset):\n    dataset['twice'] = dataset.acid * 2\n    return {'dataset': dataset}\n",
        dataset=ref,
    )
    assert made.dataset is not None
    assert made.dataset.meta["target"] == "quality"
    assert open_table(made.dataset).column("twice")[3].as_py() == pytest.approx(0.6)
    assert (made.metrics, made.figure) == (None, None)


def test_rows_that_lost_their_class_are_counted(bench: Bench) -> None:
    text = "def run(dataset):\n    dataset.loc[:2, 'quality'] = None\n    return {'dataset': dataset}\n"
    made = code(bench, text, dataset=load(bench, WINES)).dataset
    assert made is not None
    with pytest.raises(UserError, match="3 rows have no class in quality"):
        split.run(split.Params(), dataset=made, ctx=bench)


def test_code_chooses_rows_changes_images_and_makes_metrics_and_figures(bench: Bench) -> None:
    ref = write_images(bench.store, np.ones((4, 1, 2, 2), np.uint8), np.array([0, 1, 0, 1]), ["a", "b"], name="t")
    chosen = code(bench, "def run(dataset):\n    return {'dataset': dataset.labels == 1}", dataset=ref).dataset
    assert chosen is not None
    assert open_images(chosen).indices.tolist() == [1, 3]
    text = (
        "def run(dataset, seed):\n"
        "    print('hello', seed)\n"
        "    dataset.images = 255 - dataset.images\n"
        "    figure = {'data': [{'type': 'bar', 'y': [1]}], 'layout': {}}\n"
        "    return {'dataset': dataset, 'metrics': {'n': len(dataset.labels)}, 'figure': figure}\n"
    )
    made = code(bench, text, dataset=ref)
    assert made.dataset is not None
    assert open_images(made.dataset).take([0])[0, 0, 0, 0] == 254
    assert made.metrics is not None
    assert made.metrics.read_json("metrics.json") == {"n": 4.0}
    assert made.figure is not None
    assert ("info", "hello 7") in [(level, line) for level, line, _ in bench.lines]


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("def run():\n    x = 1\n    return 1 / 0\n", "ZeroDivisionError", 3),
        ("def run(:\n    pass\n", "SyntaxError", 1),
        ("import json\njson.loads('{')\n", "JSONDecodeError", 2),
        ("raise SystemExit(3)", "SystemExit", 1),
    ],
)
def test_errors_name_the_line_of_the_code(bench: Bench, text: str, message: str, line: int) -> None:
    with pytest.raises(UserError, match=f"Line {line} of the code: {message}") as caught:
        code(bench, text)
    assert caught.value.field == "code"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "no function run"),
        ("def run(): return 5", "returned int, not a dict"),
        ("def run(): return {'model': 1}", "returned model, not a dict"),
        ("def run(): return {'metrics': {'a': float('nan')}}", "The metric a is nan"),
        ("def run(): return {'figure': 3}", "returned a int as the figure"),
        ("def run(): return {'dataset': 'x'}", "returned a str as the data set"),
    ],
)
def test_what_the_code_returns_is_checked(bench: Bench, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        code(bench, text)
    assert caught.value.field == "code"
    assert caught.value.message


def looked_at(tmp_path: Path, content: bytes, **options: Any) -> dict[str, Any]:
    (tmp_path / "input").mkdir(exist_ok=True)
    (tmp_path / "input" / "file").write_bytes(content)
    (tmp_path / "job.json").write_text(json.dumps({"file": "input/file", "filename": "f", "options": options}))
    assert inspect.main([str(tmp_path)]) == 0
    result: dict[str, Any] = json.loads((tmp_path / "result.json").read_bytes())
    return result


def test_an_uploaded_table_is_described_and_corrected(tmp_path: Path, bench: Bench) -> None:
    found = looked_at(tmp_path, WINES.encode())
    assert (found["kind"], found["target"], found["task"], found["count"]) == ("table", "quality", "classification", 40)
    assert found["classes"] == ["bad", "good"]
    assert found["options"]["delimiter"] == ","
    assert found["problems"] == []
    assert len(found["profile"]["data"]) == len(found["statistics"]) == 3
    told = looked_at(tmp_path, WINES.encode(), target="acid", columns={"colour": "ignore"})
    assert (told["target"], told["task"], len(told["columns"])) == ("acid", "regression", 2)
    # What inspection answers is what the table block takes.
    assert load(bench, WINES, **found["options"]) == load(bench, WINES)


def test_problems_of_a_table_are_listed_not_raised(tmp_path: Path) -> None:
    found = looked_at(tmp_path, (WINES + "1,red\n").encode())
    assert [(problem["severity"], problem["field"]) for problem in found["problems"]] == [("error", "ragged")]
    assert found["count"] == 40
    text = "a,note\n" + "".join(f"1,words {i}\n" for i in range(50))
    found = looked_at(tmp_path, text.encode(), target="note")
    assert [problem["field"] for problem in found["problems"]] == ["target"]


@pytest.mark.parametrize(
    ("content", "options", "template"),
    [
        (b"", {}, "The file is empty"),
        (b"a,b\n1,2\n", {"ragged": "maybe"}, "The option {option} is not valid: {problem}"),
        (b"PK\x03\x04broken", {}, "This is not a zip file that can be read: {problem}"),
    ],
)
def test_a_bad_upload_becomes_an_error_in_the_result(
    tmp_path: Path, content: bytes, options: dict[str, Any], template: str
) -> None:
    error = looked_at(tmp_path, content, **options)["error"]
    assert (error["kind"], error["template"]) == ("user", template)


def test_an_uploaded_zip_of_images_is_described(tmp_path: Path) -> None:
    stream, picture = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (20, 10)).save(picture, "PNG")
    with zipfile.ZipFile(stream, "w") as archive:
        for name in ("cat/1.png", "cat/2.png", "dog/1.png"):
            archive.writestr(name, picture.getvalue())
        archive.writestr("cat/bad.png", b"bad")
    found = looked_at(tmp_path, stream.getvalue())
    assert (found["kind"], found["count"], found["classes"]) == ("images", 4, ["cat", "dog"])
    assert found["skipped"] == [{"name": "cat/bad.png", "why": "no image in a known format"}]
    assert found["detected"]["sizes"] == {"20 x 10": 3}
    assert len(found["preview"]["items"]) == 3
    assert [problem["severity"] for problem in found["problems"]] == ["warning", "warning"]


def test_values_of_every_type_have_a_preview(bench: Bench) -> None:
    text = "n,d,t,b\n1.5,2024-01-02,2024-01-02 03:04,yes\n,,,\n2,2024-01-03,2024-01-03 00:00:01,no\n"
    rows = load(bench, text, target="n", task="regression").read_json("preview.json")["rows"]
    assert rows[0] == [1.5, "2024-01-02", "2024-01-02 03:04:00", True]
    assert isinstance(open_table(load(bench, text, target="b")), pa.Table)
