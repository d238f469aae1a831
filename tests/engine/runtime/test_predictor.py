"""Predicting: the same answer from pixels, files, data sets and in the try-it process."""

import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from engine.artifacts import ArtifactStore, ImagesRef
from engine.datasets import open_images, open_table, subset, with_meta, write_images
from engine.errors import UserError
from engine.runtime.examples import Examples, describe, load
from engine.runtime.images import affine, decode
from engine.runtime.predict import try_model
from engine.runtime.predictor import Predictor
from engine.runtime.tables import encode
from engine.runtime.targets import labels_of, values_of
from engine.testing import images, table, trained, untrained


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "store")


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels[0] if pixels.shape[0] == 1 else np.moveaxis(pixels, 0, -1)).save(stream, "PNG")
    return stream.getvalue()


def test_a_file_and_the_data_set_it_comes_from_give_the_same_answer(store):
    ref = images(store)
    predictor = Predictor.open(trained(store, ref))
    from_data = predictor.predict(ref)
    pixels = open_images(ref).take([0, 1, 2])
    from_files = predictor.predict_files([png(p) for p in pixels])
    assert torch.allclose(from_data.outputs[:3], from_files.outputs, atol=1e-6)
    record = from_files.records()[0]
    assert record["label"] == record["top"][0]["label"]
    assert sum(entry["probability"] for entry in record["top"]) == pytest.approx(1, abs=1e-5)


def test_rows_are_answered_by_the_encoders_that_the_model_carries(store):
    ref = table(store)
    predictor = Predictor.open(trained(store, ref))
    whole = predictor.predict(ref).outputs
    rows = open_table(ref).drop_columns(["place"]).take([5, 7])
    assert torch.allclose(predictor.predict_table(rows).outputs, whole[[5, 7]], atol=1e-6)
    with pytest.raises(UserError, match="column width is missing"):
        predictor.predict_table(rows.drop_columns(["width"]))


def test_an_image_of_another_size_and_colour_is_brought_to_the_models_shape():
    photo = np.random.default_rng(0).integers(0, 255, (3, 40, 60), dtype=np.uint8)
    assert decode(png(photo), (1, 8, 8)).shape == (1, 8, 8)
    assert decode(png(photo[:1]), (3, 16, 20)).shape == (3, 16, 20)


def test_a_file_that_is_no_image_is_refused_by_name():
    for content in (b"", b"GIF89a", b"\x89PNG\r\n\x1a\n broken", b"hello"):
        with pytest.raises(UserError, match="cat.png is not an image"):
            decode(content, (1, 8, 8), "cat.png")


def test_pixels_follow_the_declared_operations():
    factor, summand = affine(
        [{"op": "scale", "by": 255.0}, {"op": "normalise", "mean": [0.5, 0, 0], "std": [0.5, 1, 2]}], 3
    )
    x = torch.full((1, 3, 1, 1), 255, dtype=torch.uint8)
    assert Examples(x, factor, summand).batch(torch.tensor([0])).flatten().tolist() == pytest.approx([1.0, 1.0, 0.5])
    with pytest.raises(UserError, match="3 channels"):
        affine([{"op": "normalise", "mean": [0], "std": [1]}], 3)
    with pytest.raises(UserError, match="fourier"):
        affine([{"op": "fourier"}], 3)


def test_examples_that_stay_on_disk_are_the_same_as_those_in_memory(store):
    ref = subset(store, images(store), np.array([5, 3, 9]))
    view = open_images(ref)
    factor, summand = affine([{"op": "scale", "by": 255.0}], 1)
    rows = torch.tensor([2, 0])
    in_memory = Examples(torch.from_numpy(view.take(slice(None))), factor, summand)
    assert torch.equal(Examples(view, factor, summand).batch(rows), in_memory.batch(rows))
    assert torch.equal(in_memory.as_floats().batch(rows), in_memory.batch(rows))


def test_images_of_another_shape_name_both_shapes(store):
    model = trained(store, images(store))
    other = write_images(store, np.zeros((3, 3, 9, 9), np.uint8), np.arange(3), ["left", "middle", "right"], name="big")
    with pytest.raises(UserError, match="takes images of 1 x 8 x 8, these are 3 x 9 x 9"):
        Predictor.open(model).predict(other)
    with pytest.raises(UserError, match="takes images, the data set holds table"):
        Predictor.open(model).predict(table(store))


def test_classes_are_matched_by_name_not_by_number(store):
    ref = with_meta(store, images(store), classes=["right", "left", "middle"])
    assert labels_of(ref, ["left", "middle", "right"])[:3].tolist() == [2, 0, 1]
    with pytest.raises(UserError, match="does not know the class right"):
        labels_of(ref, ["left", "middle"])


def test_labels_out_of_range_are_refused(store):
    ref = with_meta(store, images(store), classes=["left", "middle"])
    with pytest.raises(UserError, match="labels go from 0 to 2, and there are 2 classes"):
        labels_of(ref, ["left", "middle"])


def test_an_empty_data_set_is_refused(store):
    meta = {**images(store).meta, "count": 0}
    with pytest.raises(UserError, match="empty"):
        describe(store.put(ImagesRef, files={}, meta=meta))


def test_numbers_to_predict_must_be_numbers(store):
    assert values_of(table(store, "regression"), "price").dtype == torch.float32
    with pytest.raises(UserError, match="is text"):
        values_of(table(store), "place")
    with pytest.raises(UserError, match="needs a table"):
        values_of(images(store), "price")


def test_missing_values_without_an_operation_are_refused_by_column():
    column = [{"name": "age", "type": "number"}]
    with pytest.raises(UserError, match="column age has missing values"):
        encode(pa.table({"age": [1.0, None]}), column, [])
    with pytest.raises(UserError, match="column age is text"):
        encode(pa.table({"age": ["old"]}), column, [])
    assert encode(pa.table({"age": ["1.5"]}), column, []).tolist() == [[1.5]]


def test_dates_booleans_and_whole_number_categories_become_numbers():
    import datetime

    rows = pa.table({"day": [datetime.date(1970, 1, 3)], "on": [True], "floor": [2.0]})
    columns = [{"name": name, "type": "any"} for name in rows.column_names]
    operations = [{"op": "one_hot", "column": "floor", "categories": ["1", "2"]}]
    assert encode(rows, columns, operations).tolist() == [[2.0, 1.0, 0.0, 1.0]]


def test_a_large_data_set_is_loaded_for_a_model_under_its_preprocessing(store):
    ref = images(store)
    predictor = Predictor.open(trained(store, ref))
    examples = load(ref, predictor.spec, torch.device("cpu"))
    assert float(examples.batch(torch.arange(3)).max()) <= 1.0


@pytest.fixture
def job(tmp_path, store):
    (tmp_path / "input").mkdir()

    def write(model, name, content):
        (tmp_path / "input" / name).write_bytes(content)
        return {"model": model.digest, "file": f"input/{name}", "filename": name}

    return write


def test_try_it_answers_an_image_and_a_zip_of_images(tmp_path, store, job):
    ref = images(store)
    model = trained(store, ref)
    pixels = open_images(ref).take([0, 1])
    one = try_model(tmp_path, job(model, "a.png", png(pixels[0])))
    assert one["total"] == 1
    assert set(one["predictions"][0]) == {"name", "label", "probability", "top"}
    assert one["preview"]["items"][0]["src"].startswith("data:image/png")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bag:
        bag.writestr("x/a.png", png(pixels[0]))
        bag.writestr("b.PNG", png(pixels[1]))
        bag.writestr("readme.txt", "no image")
    many = try_model(tmp_path, job(model, "bag.zip", archive.getvalue()))
    assert [p["name"] for p in many["predictions"]] == ["x/a.png", "b.PNG"]
    assert many["predictions"][0]["label"] == one["predictions"][0]["label"]


def test_try_it_answers_rows_of_csv_and_json(tmp_path, store, job):
    model = trained(store, table(store, "regression"), task="regression")
    csv = try_model(tmp_path, job(model, "a.csv", b"width,height,colour\n1,0.5,red\n2,0.1,green\n"))
    rows = [{"width": 1, "height": 0.5, "colour": "red"}, {"width": 2, "height": 0.1, "colour": "green"}]
    listed = try_model(tmp_path, job(model, "a.json", json.dumps(rows).encode()))
    assert [p["value"] for p in csv["predictions"]] == pytest.approx([p["value"] for p in listed["predictions"]])
    assert csv["preview"]["columns"] == ["width", "height", "colour", "prediction"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("a.png", b"nonsense", "not an image"), ("bag.zip", b"PK\x05\x06" + bytes(18), "no images")],
)
def test_try_it_says_what_is_wrong_with_a_file(tmp_path, store, job, name, content, said):
    with pytest.raises(UserError, match=said):
        try_model(tmp_path, job(trained(store, images(store)), name, content))


def test_the_try_it_process_writes_its_result_also_when_the_model_is_untrained(tmp_path, store, job):
    (tmp_path / "job.json").write_text(json.dumps(job(untrained(store), "a.png", b"")))
    done = subprocess.run([sys.executable, "-m", "engine.runtime.predict", str(tmp_path)], check=True, timeout=60)
    assert done.returncode == 0
    assert json.loads((tmp_path / "result.json").read_text())["error"]["kind"] == "user"
