"""What the command line changes in a pipeline."""

import pytest

from deepseek.cli.overrides import override, read_value, stage_files
from deepseek.errors import UsageError

DIGEST = "sha256:" + "0" * 64
CATALOG = {
    "blocks": {
        "train.classifier": {
            "params": {"schema": {"properties": {"epochs": {"type": "integer"}, "optimizer": {"type": "string"}}}}
        },
        "data.table": {"params": {"schema": {"properties": {"file": {"type": "string", "widget": "artifact"}}}}},
    }
}
DOCUMENT = {
    "seed": 0,
    "blocks": {
        "data": {"type": "data.table", "params": {"file": "wine.csv"}},
        "train": {"type": "train.classifier", "params": {"epochs": 5}},
    },
}


def test_set_changes_one_parameter_and_leaves_the_document_alone():
    changed = override(DOCUMENT, CATALOG, ["train.epochs=3"], seed=7)
    assert changed["blocks"]["train"]["params"] == {"epochs": 3}
    assert changed["seed"] == 7
    assert DOCUMENT["blocks"]["train"]["params"] == {"epochs": 5}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.epoch=3", "Did you mean 'epochs'"),
        ("tran.epochs=3", "Did you mean 'train'"),
        ("train.epochs", "block.param=value"),
        ("epochs=3", "block.param=value"),
        (".epochs=3", "block.param=value"),
    ],
)
def test_a_setting_that_fits_nothing_says_what_was_probably_meant(setting, message):
    with pytest.raises(UsageError, match=message):
        override(DOCUMENT, CATALOG, [setting])


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("3", {"type": "integer"}, 3),
        ("true", {"type": "boolean"}, True),
        ("True", {"type": "boolean"}, True),
        ("3", {"type": "string"}, "3"),
        ("null", {"anyOf": [{"type": "string"}, {"type": "null"}]}, None),
        ("null", {"type": "string"}, "null"),
        ("[1, 2]", {"type": "array"}, [1, 2]),
        ("many", {"type": "integer"}, "many"),
        ("a=b", {"type": "string"}, "a=b"),
    ],
)
def test_a_value_is_read_as_its_parameter_wants_it(text, schema, value):
    assert read_value(text, schema) == value


def test_a_file_beside_the_pipeline_becomes_its_digest(tmp_path):
    (tmp_path / "wine.csv").write_text("a,b\n1,2\n")
    staged = stage_files(DOCUMENT, CATALOG, tmp_path, lambda path: f"{DIGEST}:{path.name}")
    assert staged["blocks"]["data"]["params"]["file"] == f"{DIGEST}:wine.csv"


def test_a_digest_is_left_alone(tmp_path):
    document = override(DOCUMENT, CATALOG, [f"data.file={DIGEST}"])
    assert stage_files(document, CATALOG, tmp_path, lambda path: "never") == document


@pytest.mark.parametrize("name", ["../secret.csv", "/etc/hostname", "link.csv"])
def test_a_pipeline_reaches_no_file_outside_its_folder(tmp_path, name):
    folder = tmp_path / "here"
    folder.mkdir()
    (tmp_path / "secret.csv").write_text("x")
    (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    document = {"seed": 0, "blocks": {"data": {"type": "data.table", "params": {"file": name}}}}
    with pytest.raises(UsageError, match="outside its folder"):
        stage_files(document, CATALOG, folder, lambda path: "never")


def test_set_may_name_any_file(tmp_path):
    elsewhere = tmp_path / "other.csv"
    elsewhere.write_text("x")
    settings = [f"data.file={elsewhere}"]
    document = override(DOCUMENT, CATALOG, settings)
    staged = stage_files(document, CATALOG, tmp_path / "here", lambda path: str(path), settings)
    assert staged["blocks"]["data"]["params"]["file"] == str(elsewhere)


def test_a_file_that_is_not_there_is_named_with_its_block(tmp_path):
    with pytest.raises(UsageError, match=r"data\.file: There is no file"):
        stage_files(DOCUMENT, CATALOG, tmp_path, lambda path: "never")
