"""The blocks that bring images, on small data made here and on the real thing where it is."""

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from engine.blocks.data import arrays, augment, cifar10, digits, fashion_mnist, image_folder, normalise, profile, split
from engine.datasets import count, open_images, subset, with_meta, write_images
from engine.errors import CancelledRun, UserError
from tests.engine.data.bench import Bench


def png(value: int | tuple[int, int, int] = 0, size: tuple[int, int] = (10, 10), form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    mode = "RGB" if isinstance(value, tuple) else "L"
    Image.new(mode, size, value).save(stream, form)
    return stream.getvalue()


def zip_of(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def folder(bench: Bench, files: dict[str, bytes], **params: object) -> image_folder.Outputs:
    digest = bench.upload(zip_of(files), "pets.zip")
    return image_folder.run(image_folder.Params(file=digest, **params), ctx=bench)


PETS = {f"pets/{name}/{i}.png": png((i, 9, 200)) for name in ("cat", "dog") for i in range(3)}


def test_digits_are_what_scikit_learn_loads() -> None:
    from sklearn.datasets import load_digits

    pixels, labels = digits.read_digits()
    assert (pixels == load_digits().images).all()
    assert (labels == load_digits().target).all()


def test_digits_are_there_without_a_network(bench: Bench) -> None:
    made = digits.run(digits.Params(), ctx=bench).dataset
    view = open_images(made)
    assert (view.images.shape, view.images.dtype, view.images.max()) == ((1797, 1, 8, 8), np.uint8, 255)
    assert len(made.read_bytes("preview.json")) < 200_000
    limited = open_images(digits.run(digits.Params(limit=50), ctx=bench).dataset)
    assert np.bincount(limited.labels).tolist() == [5] * 10


def test_a_zip_of_class_folders_becomes_images(bench: Bench) -> None:
    made = folder(bench, PETS, size=16).dataset
    assert made.meta["classes"] == ["cat", "dog"]
    assert made.meta["name"] == "pets"
    view = open_images(made)
    assert view.images.shape == (6, 3, 16, 16)
    assert view.take([1])[0, :, 0, 0].tolist() == [1, 9, 200]
    assert view.names([0]) == ["pets/cat/0.png"]
    assert bench.warnings == []


def test_the_same_zip_gives_the_same_digest(tmp_path: Path) -> None:
    made = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        made.append(folder(Bench(tmp_path / name), PETS, size=16).dataset.digest)
    assert made[0] == made[1]


def test_corrupt_images_are_skipped_counted_and_named(bench: Bench) -> None:
    broken = png((1, 2, 3), (60, 60), "JPEG")[:300]
    made = folder(bench, {**PETS, "pets/cat/bad.png": b"no image", "pets/dog/cut.jpg": broken, "pets/notes.txt": b"x"})
    assert made.dataset.meta["skipped"] == 2
    assert [entry["name"] for entry in made.dataset.meta["skipped_files"]] == ["pets/cat/bad.png", "pets/dog/cut.jpg"]
    assert bench.warnings == ["2 of 8 images were skipped, such as pets/cat/bad.png: no image in a known format"]
    assert count(made.dataset) == 6


def test_a_class_with_one_image_is_warned_of(bench: Bench) -> None:
    folder(bench, {**PETS, "pets/fox/1.png": png((1, 1, 9))})
    assert bench.warnings == ["1 classes have a single image: fox. They cannot be tested"]


def test_an_empty_class_folder_is_warned_of(bench: Bench) -> None:
    folder(bench, {**PETS, "pets/fox/": b""})
    assert bench.warnings == ["1 class folders have no image: fox"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.txt": b"x"}, "There are no images in it"),
        ({"1.png": png(), "2.png": png()}, "2 images are in no class folder"),
        ({"cat/1.png": png(), "cat/2.png": png()}, "only one class folder, cat"),
        ({"cat/1.png": b"x", "dog/1.png": b"y"}, "None of the 2 images can be read"),
        ({"cat/1.png": png(), "../dog/1.png": png()}, "leaves the folder"),
    ],
)
def test_zips_that_are_no_data_set_are_refused_with_a_hint(bench: Bench, files: dict[str, bytes], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        folder(bench, files)
    assert (caught.value.field, bool(caught.value.hint)) == ("file", True)


def test_grey_images_stay_grey_and_colour_can_be_set(bench: Bench) -> None:
    grey = {name: png(40) for name in PETS}
    assert folder(bench, grey).dataset.meta["shape"] == [1, 64, 64]
    assert folder(bench, grey, colour="rgb").dataset.meta["shape"] == [3, 64, 64]


@pytest.mark.parametrize(("fit", "corner"), [("crop", 7), ("pad", 0), ("stretch", 7)])
def test_images_of_another_shape_are_cut_padded_or_stretched(bench: Bench, fit: str, corner: int) -> None:
    wide = {"a/1.png": png(7, (40, 10)), "b/1.png": png(7, (40, 10))}
    assert open_images(folder(bench, wide, size=8, fit=fit).dataset).take([0])[0, 0, 0, 0] == corner


def test_transparent_deep_and_turned_images_are_read(bench: Bench) -> None:
    stream = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(stream, "PNG")
    deep = io.BytesIO()
    Image.fromarray(np.full((8, 8), 0x8000, np.uint16)).save(deep, "PNG")
    view = open_images(folder(bench, {"a/1.png": stream.getvalue(), "b/1.png": deep.getvalue()}, size=8).dataset)
    assert view.take([0, 1])[:, 0, 0, 0].tolist() == [255, 128]


def test_subset_folders_are_pooled_or_chosen(bench: Bench) -> None:
    files = {f"{part}/{name}/1.png": png(1) for part in ("train", "test") for name in ("a", "b")}
    assert count(folder(bench, files).dataset) == 4
    assert count(folder(bench, files, subset="test").dataset) == 2
    with pytest.raises(UserError, match="no folder validation"):
        folder(bench, files, subset="validation")


def test_a_local_folder_is_read_without_following_links_out(bench: Bench, tmp_path: Path) -> None:
    root = tmp_path / "pets"
    for name, content in PETS.items():
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    (tmp_path / "secret.png").write_bytes(png(1))
    (root / "cat" / "link.png").symlink_to(tmp_path / "secret.png")
    made = image_folder.run(image_folder.Params(path=str(root)), ctx=bench)
    assert count(made.dataset) == 6


def test_no_file_at_all_is_said_at_the_field(bench: Bench) -> None:
    with pytest.raises(UserError, match="No file is chosen") as caught:
        image_folder.run(image_folder.Params(), ctx=bench)
    assert caught.value.field == "file"
    with pytest.raises(UserError, match="nothing at") as caught:
        image_folder.run(image_folder.Params(path="/no/such"), ctx=bench)
    assert caught.value.field == "path"


def test_cancel_stops_reading(bench: Bench) -> None:
    bench.cancelled = True
    with pytest.raises(CancelledRun):
        folder(bench, PETS)


def cifar_batch(seed: int, size: int = 40) -> bytes:
    generator = np.random.default_rng(seed)
    records = generator.integers(0, 256, (size, 3073), dtype=np.uint8)
    records[:, 0] = np.arange(size) % 10
    return records.tobytes()


def test_cifar10_is_read_from_the_original_binary_batches_also_packed(bench: Bench, tmp_path: Path) -> None:
    files = {"data_batch_1.bin": cifar_batch(1), "data_batch_2.bin": cifar_batch(2), "test_batch.bin": cifar_batch(3)}
    for place in ("plain", "packed"):
        (tmp_path / place).mkdir()
    with tarfile.open(tmp_path / "packed" / "cifar-10-binary.tar.gz", "w:gz") as tar:
        for name, content in files.items():
            (tmp_path / "plain" / name).write_bytes(content)
            tar.add(tmp_path / "plain" / name, f"cifar-10-batches-bin/{name}")
    plain = cifar10.run(cifar10.Params(path=str(tmp_path / "plain")), ctx=bench)
    packed = cifar10.run(cifar10.Params(path=str(tmp_path / "packed")), ctx=bench)
    assert (count(plain.dataset), plain.test and count(plain.test)) == (80, 40)
    assert plain.dataset.digest == packed.dataset.digest
    expected = np.frombuffer(files["data_batch_1.bin"], np.uint8)[1:3073].reshape(3, 32, 32)
    assert (open_images(plain.dataset).take([0])[0] == expected).all()


def test_cifar10_is_read_from_parquet_with_its_limit(bench: Bench, tmp_path: Path) -> None:
    for part, size in (("train", 60), ("test", 20)):
        images = [{"bytes": png((i, i, i), (32, 32)), "path": f"{i}.png"} for i in range(size)]
        table = pa.table({"img": images, "label": [i % 10 for i in range(size)]})
        pq.write_table(table, tmp_path / f"{part}.parquet")
    made = cifar10.run(cifar10.Params(path=str(tmp_path), limit=20), ctx=bench)
    view = open_images(made.dataset)
    assert view.take(slice(None))[:, 0, 0, 0].tolist() == list(range(20))
    assert made.test is not None
    assert np.bincount(view.labels).tolist() == [2] * 10


def test_cifar10_is_read_from_class_folders(bench: Bench, tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            (tmp_path / part / name).mkdir(parents=True)
            (tmp_path / part / name / "1.png").write_bytes(png((1, 2, 3), (32, 32)))
    made = cifar10.run(cifar10.Params(path=str(tmp_path)), ctx=bench)
    assert open_images(made.dataset).labels.tolist() == [3, 5]


def test_the_pickles_of_the_python_version_are_never_opened(bench: Bench, tmp_path: Path) -> None:
    place = tmp_path / "cifar-10-batches-py"
    place.mkdir()
    (place / "data_batch_1").write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(UserError, match="Python version.*never opened") as caught:
        cifar10.run(cifar10.Params(path=str(tmp_path)), ctx=bench)
    assert "binary version" in (caught.value.hint or "")


def test_cifar10_offline_says_what_to_do(bench: Bench, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSEEK_OFFLINE", "1")
    monkeypatch.delenv("DEEPSEEK_DATASETS", raising=False)
    with pytest.raises(UserError, match="CIFAR-10 is not on this machine") as caught:
        cifar10.run(cifar10.Params(), ctx=bench)
    assert "python -m engine.resources fetch cifar10" in (caught.value.hint or "")


def test_the_real_cifar10_is_read(bench: Bench, test_data: Path) -> None:
    made = cifar10.run(cifar10.Params(path=str(test_data / "cifar10"), limit=200), ctx=bench)
    view = open_images(made.dataset)
    assert view.images.shape == (200, 3, 32, 32)
    assert np.bincount(view.labels).tolist() == [20] * 10
    assert made.test is not None
    assert 100 < view.images.mean() < 140


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(side.to_bytes(4, "big") for side in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def test_fashion_mnist_is_read_from_its_idx_files(bench: Bench, tmp_path: Path) -> None:
    for part in ("train", "t10k"):
        images = np.arange(30 * 784).reshape(30, 28, 28).astype(np.uint8)
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(30, dtype=np.uint8) % 10))
    made = fashion_mnist.run(fashion_mnist.Params(path=str(tmp_path)), ctx=bench)
    assert open_images(made.dataset).images.shape == (30, 1, 28, 28)
    assert made.test.meta["classes"][9] == "Ankle boot"
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)[:-5]))
    with pytest.raises(UserError, match="t10k-images-idx3-ubyte is damaged"):
        fashion_mnist.run(fashion_mnist.Params(path=str(tmp_path)), ctx=bench)


def test_arrays_are_read_and_pickles_refused(bench: Bench) -> None:
    stream = io.BytesIO()
    pixels, labels = np.zeros((4, 1, 8, 8), np.uint8), np.array([0, 1, 0, 1])
    np.savez(stream, images=pixels, labels=labels, classes=np.array(["a", "b"]))
    made = arrays.run(arrays.Params(file=bench.upload(stream.getvalue(), "mine.npz")), ctx=bench)
    assert (made.dataset.meta["classes"], made.dataset.meta["name"]) == (["a", "b"], "mine")
    evil = io.BytesIO()
    np.savez(evil, images=np.array([{}], dtype=object), labels=np.array([0]))
    with pytest.raises(UserError, match="not a file of arrays"):
        arrays.run(arrays.Params(file=bench.upload(evil.getvalue(), "evil.npz")), ctx=bench)
    with pytest.raises(UserError, match="not a zip file"):
        arrays.run(arrays.Params(file=bench.upload(b"text", "t.npz")), ctx=bench)


def tiny(bench: Bench, labels: list[int], classes: tuple[str, ...] = ("a", "b", "c")) -> object:
    pixels = np.arange(len(labels) * 4, dtype=np.uint8).reshape(-1, 1, 2, 2)
    return write_images(bench.store, pixels, np.array(labels), classes, name="tiny")


def test_split_keeps_shares_of_every_class_and_shares_no_sample(bench: Bench) -> None:
    ref = tiny(bench, [0] * 60 + [1] * 40)
    made = split.run(split.Params(), dataset=ref, ctx=bench)
    parts = [open_images(part) for part in made if part is not None]
    assert [len(part) for part in parts] == [70, 10, 20]
    assert [np.bincount(part.labels).tolist() for part in parts] == [[42, 28], [6, 4], [12, 8]]
    assert sorted(np.concatenate([part.indices for part in parts]).tolist()) == list(range(100))
    assert made.train.refs == [ref]
    assert set(made.train.files) == {"indices.npy", "preview.json"}


def test_split_gives_the_same_parts_for_the_same_seed_only(bench: Bench) -> None:
    ref = tiny(bench, [0, 1] * 20)
    first = split.run(split.Params(), dataset=ref, ctx=bench)
    assert split.run(split.Params(), dataset=ref, ctx=bench) == first
    bench.seed = 8
    assert split.run(split.Params(), dataset=ref, ctx=bench).train != first.train


def test_split_of_a_class_with_one_sample_warns_and_trains_on_it(bench: Bench) -> None:
    made = split.run(split.Params(), dataset=tiny(bench, [0] * 10 + [1] * 10 + [2]), ctx=bench)
    assert 2 in open_images(made.train).labels
    assert bench.warnings == ["1 classes have a single sample, which stays in the training part: c"]


def test_split_without_a_part_leaves_it_out(bench: Bench) -> None:
    made = split.run(split.Params(validation=0.0, test=0.0), dataset=tiny(bench, [0, 1]), ctx=bench)
    assert (made.validation, made.test) == (None, None)
    assert count(made.train) == 2


def test_split_says_when_nothing_is_left(bench: Bench) -> None:
    with pytest.raises(UserError, match="Nothing is left to train on") as caught:
        split.run(split.Params(validation=0.5, test=0.5), dataset=tiny(bench, [0, 1]), ctx=bench)
    assert caught.value.field == "test"
    with pytest.raises(UserError, match="2 samples: too few for a validation part"):
        split.run(split.Params(), dataset=tiny(bench, [0, 1]), ctx=bench)


def test_a_view_of_a_view_points_at_the_base(bench: Bench) -> None:
    ref = tiny(bench, [0, 1, 2, 0, 1])
    inner = subset(
        bench.store, with_meta(bench.store, subset(bench.store, ref, np.array([4, 3, 2])), name="x"), np.array([2, 0])
    )
    assert inner.refs == [ref]
    assert open_images(inner).indices.tolist() == [2, 4]
    assert open_images(inner).labels.tolist() == [2, 1]
    assert inner.meta["name"] == "x"


def test_normalise_computes_the_scale_of_its_part(bench: Bench) -> None:
    ref = tiny(bench, [0, 1, 0])
    made = normalise.run(normalise.Params(), dataset=ref, ctx=bench).dataset
    pixels = np.arange(12) / 255
    scale, operation = made.meta["preprocessing"]
    assert scale == {"op": "scale", "by": 255.0}
    assert operation["mean"] == [pytest.approx(pixels.mean(), abs=1e-6)]
    assert operation["std"] == [pytest.approx(pixels.std(), abs=1e-6)]
    given = normalise.run(normalise.Params(mean=[0.5], std=[0.25]), dataset=ref, ctx=bench).dataset
    assert given.meta["preprocessing"][1] == {"op": "normalise", "mean": [0.5], "std": [0.25]}
    with pytest.raises(UserError, match="1 channels, and 3 values") as caught:
        normalise.run(normalise.Params(mean=[0.5] * 3), dataset=ref, ctx=bench)
    assert caught.value.field == "mean"


def test_augment_declares_changes_and_shows_examples(bench: Bench) -> None:
    ref = digits.run(digits.Params(limit=50), ctx=bench).dataset
    params = augment.Params(rotate=10, brightness=0.2, contrast=0.2, cutout=3)
    made = augment.run(params, dataset=ref, ctx=bench).dataset
    assert [operation["op"] for operation in made.meta["augmentation"]] == [
        "flip", "crop", "rotate", "brightness", "contrast", "erase",
    ]  # fmt: skip
    assert made.read_json("preview.json")["items"] != ref.read_json("preview.json")["items"]
    assert (open_images(made).take([0]) == open_images(ref).take([0])).all()
    assert augment.run(params, dataset=ref, ctx=bench).dataset == made


def test_profile_of_images_counts_the_classes(bench: Bench) -> None:
    made = profile.run(profile.Params(), dataset=tiny(bench, [0, 0, 1]), ctx=bench)
    assert made.figure.read_json("figure.json")["data"][0]["y"] == [2, 1, 0]
    assert json.loads(made.table.read_bytes("preview.json"))["rows"] == [["a", 2], ["b", 1], ["c", 0]]
