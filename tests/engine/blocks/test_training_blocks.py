"""The blocks that make, train, evaluate, ask and export models: what they make, and what they say of bad input."""

import hashlib
import importlib
import json
import math
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from engine.artifacts import FileRef
from engine.datasets import open_table, subset, with_meta, write_images, write_table
from engine.errors import UserError
from engine.models import build
from engine.published import RESOURCES
from engine.runtime.models import open_model, read_spec, read_weights
from engine.spec import ExecutionPlan
from engine.testing import images, table, trained, untrained
from tests.engine.contexts import Recorder


@pytest.fixture
def ctx(tmp_path):
    return Recorder(tmp_path)


def run(name, ctx, params=None, **inputs):
    module = importlib.import_module(f"engine.blocks.{name}")
    return module.run(module.Params(**(params or {})), **inputs, ctx=ctx)


def classifier(ctx, dataset, model=None, validation=None, **params):
    chosen = {"epochs": 20, "batch_size": 8, "learning_rate": 0.02, **params}
    return run(
        "train.classifier", ctx, chosen, model=model or untrained(ctx.store), dataset=dataset, validation=validation
    )


def test_a_classifier_learns_images_and_describes_itself(ctx):
    dataset = images(ctx.store)
    made = classifier(ctx, dataset, validation=dataset)
    spec = read_spec(made.model)
    assert spec.labels == ["left", "middle", "right"]
    assert spec.config == {"num_classes": 3, "in_features": 64, "hidden": [8], "dropout": 0.0}
    assert spec.input == {"kind": "images", "shape": [1, 8, 8]}
    assert spec.metrics["data_digest"] == dataset.digest
    assert spec.provenance["plan"]["threads"] == 1
    assert made.history.read_json("metrics.json")["validation_accuracy"] == 1.0
    assert len(made.history.read_json("history.json")) == 20
    measured = run("evaluate.classifier", ctx, model=made.model, dataset=dataset)
    assert measured.metrics.read_json("metrics.json")["accuracy"] == 1.0


def test_a_trained_model_is_trained_on_and_keeps_the_order_of_its_labels(ctx):
    dataset = images(ctx.store)
    first = classifier(ctx, dataset, epochs=1)
    turned = with_meta(ctx.store, dataset, classes=["right", "middle", "left"])
    again = classifier(ctx, turned, model=first.model, epochs=1)
    assert read_spec(again.model).labels == ["left", "middle", "right"]
    assert again.model.digest != first.model.digest


def test_a_regressor_answers_in_the_unit_of_its_target(ctx):
    dataset = table(ctx.store, "regression")
    made = run(
        "train.regressor", ctx, {"epochs": 60, "batch_size": 8, "learning_rate": 0.02}, model=untrained(ctx.store),
        dataset=dataset, validation=None,
    )  # fmt: skip
    spec = read_spec(made.model)
    assert spec.target is not None
    assert spec.target.name == "price"
    measured = run("evaluate.regressor", ctx, model=made.model, dataset=dataset)
    numbers = measured.metrics.read_json("metrics.json")
    assert numbers["mae"] < 0.4 * numbers["baseline_mae"]
    assert numbers["r2"] > 0.8
    assert go.Figure(measured.figure.read_json("figure.json")).data
    answers = run("predict.regressor", ctx, model=made.model, dataset=dataset).predictions
    values = pq.read_table(answers.path("predictions.parquet")).column("value").to_numpy()
    assert abs(values.mean() - 3) < 1


def test_a_table_without_encoders_is_encoded_by_default_and_the_model_carries_them(ctx):
    made = classifier(ctx, table(ctx.store))
    operations = read_spec(made.model).preprocessing
    assert {"op": "one_hot", "column": "colour", "categories": ["green", "red"]} in operations
    assert made.history.read_json("metrics.json")["train_accuracy"] > 0.9


def test_evaluation_says_what_it_measured_and_shows_the_samples_of_each_cell(ctx):
    dataset = images(ctx.store)
    model = trained(ctx.store, dataset)
    made = run("evaluate.classifier", ctx, model=model, dataset=dataset)
    numbers = made.metrics.read_json("metrics.json")
    assert numbers["accuracy_low"] <= numbers["accuracy"] <= numbers["accuracy_high"]
    assert numbers["baseline_accuracy"] == pytest.approx(1 / 3)
    assert {"macro_f1", "macro_precision", "macro_recall", "auc", "loss", "count"} <= set(numbers)
    assert all(math.isfinite(value) for value in numbers.values())
    assert open_table(made.report).column_names == ["class", "precision", "recall", "f1", "support"]
    heat = made.confusion.read_json("figure.json")["data"][0]
    assert sum(map(sum, heat["z"])) == 24
    samples = made.confusion.read_json("samples.json")
    assert sum(sum(row.values()) for row in samples["counts"].values()) == 24 == len(samples["items"])
    first = samples["items"][0]
    assert first["src"].startswith("data:image/png;base64,")
    assert heat["z"][heat["y"].index(first["label"])][heat["x"].index(first["predicted"])] >= 1
    right = [item["label"] == item["predicted"] for item in samples["items"]]
    assert right == sorted(right)  # mistakes first
    for figure in (made.confusion, made.roc):
        assert go.Figure(figure.read_json("figure.json")).data


def test_the_samples_of_a_table_are_its_rows(ctx):
    dataset = table(ctx.store)
    made = run("evaluate.classifier", ctx, model=trained(ctx.store, dataset), dataset=dataset)
    item = made.confusion.read_json("samples.json")["items"][0]
    assert set(item["row"]) == {"width", "height", "colour", "place"}
    assert item["row"]["place"] == item["label"]


def test_an_evaluation_on_one_class_has_no_area_but_everything_else(ctx):
    dataset = images(ctx.store)
    only = subset(ctx.store, dataset, np.arange(0, 24, 3))
    made = run("evaluate.classifier", ctx, model=trained(ctx.store, dataset), dataset=only)
    numbers = made.metrics.read_json("metrics.json")
    assert "auc" not in numbers
    assert numbers["baseline_accuracy"] == 1.0


def test_predictions_are_previewed_with_their_images(ctx):
    dataset = images(ctx.store)
    made = run("predict.classifier", ctx, model=trained(ctx.store, dataset), dataset=dataset).predictions
    preview = made.read_json("preview.json")
    assert preview["total"] == 24
    assert set(preview["items"][0]) == {"src", "label", "predicted", "probability"}
    rows = pq.read_table(made.path("predictions.parquet"))
    assert rows.column_names == ["index", "label", "predicted", "probability"]
    assert rows.num_rows == 24


def test_the_exported_bundle_comes_back_as_the_same_model(ctx):
    model = trained(ctx.store, images(ctx.store))
    exported = run("export.bundle", ctx, {"name": "columns"}, model=model).file
    assert exported.meta["filename"] == "columns.zip"
    assert run("model.load", ctx, {"file": exported.digest}).model.digest == model.digest
    assert run("model.load", ctx, {"path": str(exported.path("content"))}).model.digest == model.digest
    with pytest.raises(UserError, match="not a name"):
        run("export.bundle", ctx, {"name": "../x"}, model=model)
    with pytest.raises(UserError, match="no weights"):
        run("export.bundle", ctx, model=untrained(ctx.store))
    with pytest.raises(UserError, match="No model bundle"):
        run("model.load", ctx)
    other = ctx.store.put(FileRef, files={"content": b"PK"}, meta={"filename": "x.zip"})
    with pytest.raises(UserError, match="damaged"):
        run("model.load", ctx, {"file": other.digest})


def test_model_and_data_that_do_not_fit_are_refused_with_both_sides(ctx):
    dataset = images(ctx.store)
    resnet = run("model.resnet18", ctx, {"num_classes": 10}).model
    with pytest.raises(UserError, match="10 outputs, the data has 3 classes"):
        classifier(ctx, dataset, model=resnet)
    with pytest.raises(UserError, match="takes images, the data is table"):
        classifier(ctx, table(ctx.store), model=run("model.convnet", ctx).model)
    big = write_images(ctx.store, np.zeros((3, 3, 9, 9), np.uint8), np.arange(3), ["left", "middle", "right"], name="b")
    with pytest.raises(UserError, match="expects in_features 64, the data has 243 .shape 3 x 9 x 9"):
        classifier(ctx, big, model=trained(ctx.store, dataset))
    with pytest.raises(UserError, match="takes images of 1 x 8 x 8, these are 3 x 9 x 9"):
        classifier(ctx, dataset, validation=big)


def test_a_task_that_does_not_fit_the_data_is_refused(ctx):
    with pytest.raises(UserError, match="no classes to learn"):
        classifier(ctx, table(ctx.store, "regression"))
    with pytest.raises(UserError, match="is text"):
        run("train.regressor", ctx, model=untrained(ctx.store), dataset=table(ctx.store), validation=None)
    with pytest.raises(UserError, match="needs a table"):
        run("train.regressor", ctx, model=untrained(ctx.store), dataset=images(ctx.store), validation=None)
    regressor = trained(ctx.store, table(ctx.store, "regression"), task="regression")
    with pytest.raises(UserError, match="not a classifier"):
        run("evaluate.classifier", ctx, model=regressor, dataset=table(ctx.store))
    with pytest.raises(UserError, match="not a regressor"):
        run("predict.regressor", ctx, model=trained(ctx.store, images(ctx.store)), dataset=images(ctx.store))


def test_a_table_without_a_target_is_refused(ctx):
    columns = [{"name": "a", "type": "number", "missing": 0, "unique": 2}]
    bare = write_table(ctx.store, pa.table({"a": [1.0, 2.0]}), columns, name="bare")
    with pytest.raises(UserError, match="no target column"):
        classifier(ctx, bare)


def test_early_stopping_without_validation_is_refused(ctx):
    with pytest.raises(UserError, match="needs a validation data set") as caught:
        classifier(ctx, images(ctx.store), patience=3)
    assert caught.value.field == "patience"


def test_an_unknown_device_is_refused_at_its_field(ctx):
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    with pytest.raises(UserError, match="no device cuda") as caught:
        classifier(ctx, images(ctx.store), device="cuda")
    assert caught.value.field == "device"


@pytest.mark.parametrize("num_classes", [None, 5])
def test_weights_from_a_file_start_a_resnet_and_the_head_follows_the_data(ctx, tmp_path, num_classes):
    torch.manual_seed(1)
    weights = build("resnet18", {"num_classes": 5, "in_channels": 1}).state_dict()
    save_file(weights, tmp_path / "w.safetensors")
    torch.save({"state_dict": {f"module.{k}": v for k, v in weights.items()}}, tmp_path / "w.pth")
    models = [
        run("model.resnet18", ctx, {"weights": "file", "path": str(tmp_path / name), "num_classes": num_classes}).model
        for name in ("w.safetensors", "w.pth")
    ]
    kept = [read_weights(model) for model in models]
    assert all(torch.equal(kept[0][key], kept[1][key]) for key in kept[0])
    assert ("fc.weight" in kept[0]) == (num_classes == 5)
    assert read_spec(models[0]).config["in_channels"] == 1
    if num_classes is None:
        made = classifier(ctx, images(ctx.store), model=models[0], epochs=1)
        assert open_model(made.model).module.get_submodule("fc").out_features == 3


def test_weights_that_are_not_weights_are_refused(ctx, tmp_path):
    (tmp_path / "evil.pth").write_bytes(b"cos\nsystem\n(S'echo'\ntR.")
    (tmp_path / "bad.safetensors").write_bytes(b"12345678")
    torch.save([1, 2], tmp_path / "list.pt")
    for name, said in [("evil.pth", "no weights"), ("bad.safetensors", "no weights"), ("list.pt", "no state_dict")]:
        with pytest.raises(UserError, match=said):
            run("model.resnet18", ctx, {"weights": "file", "path": str(tmp_path / name)})
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="do not fit the resnet18"):
        run("model.resnet18", ctx, {"weights": "file", "path": str(tmp_path / "other.safetensors")})
    with pytest.raises(UserError, match="No weights file"):
        run("model.resnet18", ctx, {"weights": "file"})


def test_public_weights_load_by_name_and_need_the_large_stem(ctx, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="need the large stem"):
        run("model.resnet18", ctx, {"weights": "public"})
    torch.manual_seed(0)
    weights = build("resnet18", {"num_classes": 1000, "in_channels": 3, "stem": "large"}).state_dict()
    (tmp_path / "public").mkdir()
    stand_in = tmp_path / "public" / "resnet18-f37072fd.pth"
    torch.save(weights, stand_in)
    monkeypatch.setattr(ctx, "resource", lambda name: {"resnet18_imagenet": tmp_path / "public"}[name])
    with pytest.raises(UserError, match="not the published file"):
        run("model.resnet18", ctx, {"weights": "public", "stem": "large", "num_classes": 1000})
    published = RESOURCES["resnet18_imagenet"]
    file = replace(published.files[0], checksum=hashlib.sha256(stand_in.read_bytes()).hexdigest())
    monkeypatch.setitem(RESOURCES, "resnet18_imagenet", replace(published, files=(file,)))
    whole = run("model.resnet18", ctx, {"weights": "public", "stem": "large", "num_classes": 1000}).model
    assert open_model(whole).spec.input == {"kind": "images", "shape": [3, 224, 224]}
    body = run("model.resnet18", ctx, {"weights": "public", "stem": "large"}).model
    assert "fc.weight" not in read_weights(body)
    (normalised,) = (step for step in read_spec(body).preprocessing if step["op"] == "normalise")
    assert normalised["mean"] == [0.485, 0.456, 0.406]


def test_an_untrained_model_does_not_depend_on_the_plan(ctx):
    first = run("model.mlp", ctx).model.digest
    ctx.plan = ExecutionPlan(threads=7)
    assert run("model.mlp", ctx).model.digest == first


@pytest.mark.parametrize(("name", "field", "value"), [("mlp", "hidden", [0]), ("convnet", "widths", [])])
def test_an_impossible_width_is_refused_at_its_field(ctx, name, field, value):
    with pytest.raises(UserError) as caught:
        run(f"model.{name}", ctx, {field: value})
    assert caught.value.field == field


def test_every_file_of_json_is_plain_json(ctx):
    made = classifier(ctx, images(ctx.store), epochs=1)
    for ref in made:
        for name in ref.files:
            if name.endswith(".json"):
                assert json.dumps(ref.read_json(name), allow_nan=False)
