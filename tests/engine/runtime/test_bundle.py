"""The bundle: the same bytes for the same model, the same digest after loading, and no damage that passes."""

import json
import zipfile
import zlib
from pathlib import Path

import pytest
import torch

from engine.artifacts import ArtifactStore, ModelRef, canonical_json, hash_file
from engine.errors import UserError
from engine.models import build
from engine.runtime.bundle import load_bundle, save_bundle
from engine.runtime.models import open_model, read_spec, save_model
from engine.runtime.modelspec import ModelSpec
from engine.testing import images, trained, untrained


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "store")


@pytest.fixture
def model(store):
    return trained(store, images(store))


def rewrite(path: Path, name: str, change) -> None:
    """Replace one member, with right checksums of the zip format."""
    with zipfile.ZipFile(path) as archive:
        content = {info.filename: archive.read(info) for info in archive.infolist()}
    content[name] = change(content.get(name, b""))
    with zipfile.ZipFile(path, "w") as archive:
        for member, body in content.items():
            archive.writestr(member, body)


def test_a_bundle_is_the_same_bytes_every_time_and_holds_no_pickle(model, tmp_path):
    save_bundle(model, tmp_path / "a.zip")
    save_bundle(model, tmp_path / "b.zip")
    assert hash_file(tmp_path / "a.zip") == hash_file(tmp_path / "b.zip")
    names = zipfile.ZipFile(tmp_path / "a.zip").namelist()
    assert names == ["manifest.json", "model.json", "preview.json", "weights.safetensors"]


def test_a_loaded_bundle_has_the_digest_of_the_saved_model(model, tmp_path):
    save_bundle(model, tmp_path / "model.zip")
    other = ArtifactStore(tmp_path / "other")
    loaded = load_bundle(tmp_path / "model.zip", other)
    assert loaded.digest == model.digest
    first, second = open_model(model).module.state_dict(), open_model(loaded).module.state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", ["weights.safetensors", "model.json", "manifest.json", "preview.json"])
def test_a_changed_byte_in_any_file_is_found(model, tmp_path, name):
    path = tmp_path / "model.zip"
    save_bundle(model, path)
    rewrite(path, name, lambda body: body[:-3] + bytes([body[-3] ^ 1]) + body[-2:])
    with pytest.raises(UserError, match="damaged or was changed"):
        load_bundle(path, ArtifactStore(tmp_path / "other"))


def test_a_file_too_many_or_too_few_is_found(model, tmp_path):
    path = tmp_path / "model.zip"
    save_bundle(model, path)
    rewrite(path, "evil.pkl", lambda _: b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(UserError, match="evil.pkl"):
        load_bundle(path, ArtifactStore(tmp_path / "other"))


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9, 0.999])
def test_a_bundle_that_is_cut_off_is_refused(model, tmp_path, part):
    path = tmp_path / "model.zip"
    save_bundle(model, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(UserError, match="damaged"):
        load_bundle(path, ArtifactStore(tmp_path / "other"))


def test_a_member_that_lies_about_its_size_is_not_unpacked(model, tmp_path):
    path = tmp_path / "bomb.zip"
    manifest = {"kind": "model", "files": {"model.json": {"sha256": "0" * 64, "size": 10}}, "meta": {}, "refs": []}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "model.json", json.dumps({"format": "deepseek.model/1", "architecture": "mlp"}) + " " * 10_000_000
        )
        archive.writestr("manifest.json", canonical_json(manifest))
    assert path.stat().st_size < 50_000
    with pytest.raises(UserError, match="damaged"):
        load_bundle(path, ArtifactStore(tmp_path / "other"))


def test_a_foreign_zip_and_a_file_that_is_none_are_refused_in_words(tmp_path, store):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("cat.png", b"x")
    with pytest.raises(UserError, match="photos.zip is not a model bundle"):
        load_bundle(tmp_path / "photos.zip", store)
    (tmp_path / "notes.txt").write_bytes(b"hello")
    with pytest.raises(UserError, match="damaged"):
        load_bundle(tmp_path / "notes.txt", store)
    with pytest.raises(UserError, match="no file"):
        load_bundle(tmp_path / "absent.zip", store)


def test_a_newer_format_says_which_version_reads_it(model, tmp_path, store):
    path = tmp_path / "model.zip"
    save_bundle(model, path)
    rewrite(path, "model.json", lambda body: body.replace(b"deepseek.model/1", b"deepseek.model/7"))
    with pytest.raises(UserError, match="format deepseek.model/7, this version reads deepseek.model/1"):
        load_bundle(path, store)


def test_a_pruned_network_travels_like_any_other(store, tmp_path):
    config = {"num_classes": 3, "in_channels": 1, "widths": [5, 7]}
    weights = build("convnet", config).state_dict()
    shape = {"kind": "images", "shape": [1, 8, 8]}
    spec = ModelSpec(architecture="convnet", config=config, task="classification", input=shape, labels=["a", "b", "c"])
    save_bundle(save_model(store, spec, weights), tmp_path / "pruned.zip")
    loaded = load_bundle(tmp_path / "pruned.zip", ArtifactStore(tmp_path / "other"))
    assert open_model(loaded).module.get_submodule("convs.1").weight.shape == (7, 5, 3, 3)


def test_a_bundle_with_only_an_onnx_variant_loads_and_says_what_it_lacks(store, tmp_path):
    onnx = b"onnx bytes"
    digest = "e6d0be4bb7ba0a5e6b8f3e5b1d3bcf0a0b8f3e5b1d3bcf0a0b8f3e5b1d3bcf0a"
    spec = ModelSpec(
        architecture="convnet",
        task="classification",
        input={"kind": "images", "shape": [1, 8, 8]},
        labels=["a"],
        variants={"onnx": {"file": "model.onnx", "runtime": "onnxruntime", "sha256": digest}},
    )
    wrong = store.put(ModelRef, files={"model.json": canonical_json(spec.to_json()), "model.onnx": onnx}, meta={})
    save_bundle(wrong, tmp_path / "wrong.zip")
    with pytest.raises(UserError, match="model.onnx is not what was saved"):
        load_bundle(tmp_path / "wrong.zip", store)
    right = spec.to_json()
    right["variants"]["onnx"]["sha256"] = wrong.files["model.onnx"]["sha256"]
    ref = store.put(ModelRef, files={"model.json": canonical_json(right), "model.onnx": onnx}, meta={})
    save_bundle(ref, tmp_path / "onnx.zip")
    loaded = load_bundle(tmp_path / "onnx.zip", store)
    assert list(read_spec(loaded).variants) == ["onnx"]
    with pytest.raises(UserError, match="ONNX file cannot be opened"):
        open_model(loaded)


def test_weights_of_another_network_are_refused_with_the_first_differences(store):
    spec = ModelSpec(
        architecture="mlp",
        config={"num_classes": 2, "in_features": 4, "hidden": [3]},
        task="classification",
        input={"kind": "table", "columns": []},
        labels=["a", "b"],
    )
    weights = build("mlp", {"num_classes": 2, "in_features": 4, "hidden": [5]}).state_dict()
    with pytest.raises(UserError, match=r"layers.0.weight is \[5, 4\] instead of \[3, 4\]"):
        open_model(save_model(store, spec, weights))


def test_an_untrained_model_cannot_be_opened(store):
    with pytest.raises(UserError, match="no weights yet"):
        open_model(untrained(store))


def test_damaged_weights_are_refused(store, model):
    files = {"model.json": model.read_bytes("model.json"), "weights.safetensors": zlib.compress(b"nonsense" * 9)}
    with pytest.raises(UserError, match="damaged"):
        open_model(store.put(ModelRef, files=files, meta={}))


def test_opening_a_model_moves_nobodys_random_numbers(model):
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    open_model(model)
    assert torch.equal(torch.rand(1), expected)


def test_a_model_json_with_an_unknown_key_is_refused(store, model):
    body = {**model.read_json("model.json"), "surprise": 1}
    ref = store.put(ModelRef, files={"model.json": canonical_json(body)}, meta={})
    with pytest.raises(UserError, match="surprise"):
        read_spec(ref)
