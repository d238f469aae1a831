"""Start with my data: the pipeline that trains on an uploaded file. Called by the API.

It is built of ordinary operations, so what appears on the canvas can be edited like anything else.
"""

from __future__ import annotations

from typing import Any

from webapp import bridge
from webapp.api.errors import ApiError
from webapp.artifacts.models import DataFile
from webapp.pipelines.changes import create_pipeline
from webapp.pipelines.models import Pipeline

COLUMN_PX, ROW_PX = 320, 420
VERY_FEW_ROWS, FEW_ROWS = 500, 4_000
FEW_PHOTOS, PHOTO_SIDE_PX = 3_000, 96
PHOTO_WEIGHTS = "efficientnet_lite0_imagenet"
TEXT_WEIGHTS = "minilm"
Steps = list[dict[str, Any]]


def pipeline_for(row: DataFile, target: str | None, task: str) -> Pipeline:
    """A pipeline on a file.

    Raises
    ------
    ApiError
        422 when nothing can be trained on it, or the target is not one of its columns.
    """
    if row.kind == "table":
        operations = _table(row, target, task)
    elif row.kind == "images":
        operations = _images(row)
    elif row.kind == "text":
        operations = _corpus(row)
    else:
        raise ApiError(
            422, "The file {name} is neither a table nor a zip of image folders", field="file", name=row.name
        )
    document = bridge.apply_operations(bridge.Document(), operations)
    return create_pipeline(row.project, row.name.rpartition(".")[0] or row.name, document)


def _table(row: DataFile, target: str | None, task: str) -> Steps:
    columns = [column["name"] for column in (row.inspection or {}).get("columns") or []]
    if target not in columns:
        raise ApiError(
            422, "The table has no column {name}", field="target", hint="Choose what to predict.", name=str(target)[:80]
        )
    if task == "classification" and _are_texts(row, str(target)):
        return _texts(row, str(target))
    kind = "classifier" if task == "classification" else "regressor"
    known = bridge.catalog()["blocks"]["data.table"]["params"]["schema"]["properties"]
    reading = {name: value for name, value in row.options.items() if name in known and value is not None}
    source = {**reading, "file": row.digest, "target": target, "task": task}
    return [
        _add("data", "data.table", 0, 0, source, row.name),
        _add("split", "data.split", 1, 0, {} if task == "classification" else {"stratify": False}),
        _add("prepare", "data.normalise", 2, 0),
        _add("model", "model.mlp", 2, 1),
        _add("train", f"train.{kind}", 3, 0, _schedule(row)),
        _add("evaluate", f"evaluate.{kind}", 4, 0),
        _wire("data.dataset", "split.dataset"),
        _wire("split.train", "prepare.dataset"),
        _wire("split.validation", "train.validation"),
        _wire("prepare.dataset", "train.dataset"),
        _wire("model.model", "train.model"),
        _wire("train.model", "evaluate.model"),
        _wire("split.test", "evaluate.dataset"),
    ]


def _are_texts(row: DataFile, target: str) -> bool:
    """True when there is a column of running text, and hardly anything else to learn from."""
    others = [column for column in (row.inspection or {})["columns"] if column["name"] != target]
    texts = [column for column in others if column.get("type") == "text"]
    return bool(texts) and len(others) - len(texts) <= 1


def _texts(row: DataFile, target: str) -> Steps:
    known = bridge.catalog()["blocks"]["data.text"]["params"]["schema"]["properties"]
    reading = {name: value for name, value in row.options.items() if name in known and value is not None}
    knows_english = bridge.has_resource(TEXT_WEIGHTS)
    network = {"weights": "minilm"} if knows_english else {"size": "mini"}
    schedule = {"epochs": 3, "learning_rate": 0.0002} if knows_english else {"epochs": 10, "learning_rate": 0.0005}
    return [
        _add("data", "data.text", 0, 0, {**reading, "file": row.digest, "label": target}, row.name),
        _add("split", "data.split", 1, 0),
        _add("model", "model.bert", 1, 1, network),
        _add("train", "train.classifier", 2, 0, {**schedule, "batch_size": 16}),
        _add("evaluate", "evaluate.classifier", 3, 0),
        _wire("data.dataset", "split.dataset"),
        _wire("split.train", "train.dataset"),
        _wire("split.validation", "train.validation"),
        _wire("model.model", "train.model"),
        _wire("train.model", "evaluate.model"),
        _wire("split.test", "evaluate.dataset"),
    ]


def _corpus(row: DataFile) -> Steps:
    return [
        _add(
            "data",
            "data.text_corpus",
            0,
            0,
            {"file": row.digest, "divided": "paragraphs", "vocabulary": 2000},
            row.name,
        ),
        _add("split", "data.split", 1, 0, {"validation": 0.05, "test": 0.1}),
        _add("model", "model.transformer_lm", 1, 1),
        _add("train", "train.language_model", 2, 0, {"epochs": 5}),
        _add("evaluate", "evaluate.language_model", 3, 0),
        _add("write", "predict.generate", 3, 1),
        _wire("data.dataset", "split.dataset"),
        _wire("split.train", "train.dataset"),
        _wire("split.validation", "train.validation"),
        _wire("model.model", "train.model"),
        _wire("train.model", "evaluate.model"),
        _wire("split.test", "evaluate.dataset"),
        _wire("train.model", "write.model"),
    ]


def _schedule(row: DataFile) -> dict[str, Any]:
    """Few rows make few steps an epoch: train for longer, in smaller batches, so that the model has time to learn."""
    count = int((row.inspection or {}).get("count") or 0)
    if count >= FEW_ROWS:
        return {}
    return {"epochs": 60, "batch_size": 16} if count < VERY_FEW_ROWS else {"epochs": 30, "batch_size": 32}


def _images(row: DataFile) -> Steps:
    return _photos(row) if _are_few_photos(row) and bridge.has_resource(PHOTO_WEIGHTS) else _small_images(row)


def _are_few_photos(row: DataFile) -> bool:
    """True for photographs, of which there are too few to learn from nothing, and few enough to look at each."""
    inspection = row.inspection or {}
    sizes = (inspection.get("detected") or {}).get("sizes") or {}
    large = sum(number for size, number in sizes.items() if min(map(int, size.split(" x "))) >= PHOTO_SIDE_PX)
    return int(inspection.get("count") or 0) <= FEW_PHOTOS and 2 * large > sum(sizes.values())


def _photos(row: DataFile) -> Steps:
    reading = {"file": row.digest, "size": 224, "colour": "rgb"}
    return [
        _add("data", "data.image_folder", 0, 0, reading, row.name),
        _add("split", "data.split", 1, 0),
        _add("model", "model.efficientnet_lite0", 1, 1, {"weights": "public"}),
        _add("train", "train.transfer", 2, 0),
        _add("evaluate", "evaluate.classifier", 3, 0),
        _wire("data.dataset", "split.dataset"),
        _wire("split.train", "train.dataset"),
        _wire("split.validation", "train.validation"),
        _wire("model.model", "train.model"),
        _wire("train.model", "evaluate.model"),
        _wire("split.test", "evaluate.dataset"),
    ]


def _small_images(row: DataFile) -> Steps:
    return [
        _add("data", "data.image_folder", 0, 0, {"file": row.digest}, row.name),
        _add("split", "data.split", 1, 0),
        _add("augment", "data.augment", 2, 0),
        _add("model", "model.convnet", 2, 1),
        _add("train", "train.classifier", 3, 0),
        _add("evaluate", "evaluate.classifier", 4, 0),
        _wire("data.dataset", "split.dataset"),
        _wire("split.train", "augment.dataset"),
        _wire("split.validation", "train.validation"),
        _wire("augment.dataset", "train.dataset"),
        _wire("model.model", "train.model"),
        _wire("train.model", "evaluate.model"),
        _wire("split.test", "evaluate.dataset"),
    ]


def _add(
    id_: str, type_: str, column: int, row: int, params: dict[str, Any] | None = None, label: str | None = None
) -> dict[str, Any]:
    place = [80 + column * COLUMN_PX, 120 + row * ROW_PX]
    return {"op": "add_block", "id": id_, "type": type_, "params": params or {}, "position": place, "label": label}


def _wire(source: str, target: str) -> dict[str, Any]:
    return {"op": "connect", "from": source, "to": target}
