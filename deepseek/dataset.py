"""``Dataset``: a handle to examples to learn from: images, a table or texts.

Called by people. Every verb adds a block to the pipeline that makes the data set; the pixels and rows stay in the
artifact that the pipeline made and are read when asked for. Must not import the engine (see ``deepseek.local``).
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from deepseek import blocks, local, pipeline, texts
from deepseek.errors import UsageError, closest, unknown
from deepseek.pipeline import Output

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

TABLES = {".csv", ".tsv", ".txt", ".parquet", ".pq", ".xlsx", ".xls", ".xlsm"}
ARCHIVES = {".zip"}
PARTS = ("train", "validation", "test")


class Dataset:
    """Examples to learn from: images, a table or texts.

    Made by :meth:`load`, :meth:`from_pandas`, :meth:`from_texts`, :meth:`from_arrays` or :meth:`from_torch`. A data set
    has a part to train on, a part to test on and perhaps one that watches the training: as it was published, or else by
    a split that keeps the shares of the classes (:meth:`split` changes it).

    Examples
    --------
    >>> dataset = Dataset.load("digits")
    >>> dataset.kind, len(dataset), dataset.classes[:3]
    ('images', 1797, ['0', '1', '2'])
    >>> len(dataset.train) + len(dataset.validation) + len(dataset.test) == len(dataset)
    True
    """

    def __init__(
        self, whole: Output, parts: Mapping[str, Output] | None = None, *, seed: int = 0, is_part: bool = False
    ) -> None:
        self._output = whole
        self._parts = dict(parts) if parts is not None else None
        self._is_part = is_part
        self._seed = seed
        self._artifact: local.Artifact | None = None

    @classmethod
    def load(cls, source: str | Path, *, target: str | None = None, seed: int = 0, **params: Any) -> Dataset:
        """Load a data set by name or from a file.

        Parameters
        ----------
        source
            Name of a public data set (``"digits"``, ``"cifar10"``, ``"fashion_mnist"``), or the path of a table (CSV,
            Parquet, Excel), of a zip file of images, of a folder of images with one folder a class, or of texts (JSON
            lines; a table with ``text="COLUMN"``; any of them and plain text with ``task="language_model"`` or
            ``task="masked_lm"``).
        target
            The column to predict, for a table or labelled texts; found by itself when left out.
        seed
            Number that random choices such as the split follow.
        params
            Parameters of the block that reads it, for example ``path="data/cifar10"`` or ``delimiter=";"``; see
            ``deepseek blocks data.table``.

        Raises
        ------
        UsageError
            When there is no such data set or file, or it cannot be read; the message says what to do.
        """
        given = {**params, **({"target": target} if target is not None else {})}
        name, path = str(source), Path(source).expanduser()
        if isinstance(source, str) and blocks.exists(f"data.{name}") and not path.is_file():
            return cls._read(f"data.{name}", given, seed)
        if path.is_dir():
            return cls._read("data.image_folder", {"path": str(path.resolve()), **given}, seed)
        if not path.is_file():
            _refuse(name)
        if path.suffix.lower() in ARCHIVES:
            return cls._read("data.image_folder", {"file": local.put_file(path), **given}, seed)
        type_ = texts.block_for(path.suffix.lower(), given)
        if type_ is not None:
            return cls._read(type_, {"file": local.put_file(path), **texts.named(type_, given)}, seed)
        if path.suffix.lower() in TABLES:
            return cls._read("data.table", {"file": local.put_file(path), **given}, seed)
        raise UsageError(
            f"{name} is of no kind that can be loaded ({path.suffix or 'no ending'})",
            hint=f"Tables end with {', '.join(sorted(TABLES))}, texts with {', '.join(sorted(texts.ENDINGS))}; images "
            "come as a folder or a .zip file.",
        )

    @classmethod
    def from_pandas(cls, frame: pd.DataFrame, *, target: str | None = None, seed: int = 0, **params: Any) -> Dataset:
        """Make a data set of a DataFrame.

        Parameters
        ----------
        frame
            One row an example. Types are kept (the frame travels as Parquet); the index is left out.
        target
            The column to predict.
        params
            ``text="COLUMN"`` makes it a data set of texts: see ``deepseek blocks data.text`` for more. Otherwise
            parameters of ``data.table``.
        """
        named = frame.set_axis([str(column) for column in frame.columns], axis=1)
        if target is not None and target not in named.columns:
            guess = closest(target, named.columns)
            raise UsageError(f"There is no column {target!r}", hint=guess and f"Did you mean {guess!r}?")
        stream = io.BytesIO()
        named.to_parquet(stream, index=False)
        given = {**params, **({"target": target} if target is not None else {})}
        file = local.put_bytes("frame.parquet", stream.getvalue())
        type_ = texts.block_for(".parquet", given) or "data.table"
        return cls._read(type_, {"file": file, **texts.named(type_, given)}, seed)

    @classmethod
    def from_texts(
        cls, written: Sequence[str], labels: Sequence[Any] | None = None, *, seed: int = 0, **params: Any
    ) -> Dataset:
        """Make a data set of texts.

        Parameters
        ----------
        written
            One string a text. With labels, a classifier learns from them; without, they are the documents of a corpus
            for a language model.
        labels
            The class of each text.
        params
            Parameters of ``data.text`` or ``data.text_corpus``, for example ``vocabulary=4000``, ``length=64`` or
            ``task="masked_lm"``.

        Examples
        --------
        >>> poems = Dataset.from_texts(["to be or not to be"] * 40, length=8)
        >>> poems.kind, poems.task
        ('text', 'language_model')
        """
        file = local.put_bytes("texts.parquet", texts.pack(written, labels))
        type_ = "data.text_corpus" if labels is None else "data.text"
        columns = {"text": "text"} if labels is None else {"text": "text", "label": "label"}
        return cls._read(type_, {"file": file, **columns, **params}, seed)

    @classmethod
    def from_arrays(
        cls, images: Any, labels: Any, *, classes: Sequence[str] | None = None, name: str = "arrays", seed: int = 0
    ) -> Dataset:
        """Make a data set of arrays in memory.

        Parameters
        ----------
        images
            Images of shape (N, C, H, W), (N, H, W, C) or (N, H, W): whole numbers from 0 to 255, or floats from 0 to 1.
            With shape (N, features) they are rows of numbers, and make a table.
        labels
            Class of each example (N,): whole numbers or names. Floats make a table for regression.
        classes
            Names of the classes 0, 1, ...
        """
        import numpy as np

        from deepseek import arrays

        values, answers = np.asarray(images), np.asarray(labels)
        if len(values) != len(answers):
            raise UsageError(f"There are {len(values)} examples and {len(answers)} labels")
        if values.ndim == 2:
            return cls.from_pandas(arrays.frame(values, answers, classes), target="target", seed=seed)
        file = local.put_bytes(f"{name}.npz", arrays.pack_images(values, answers, classes))
        return cls._read("data.arrays", {"file": file}, seed)

    @classmethod
    def from_torch(cls, dataset: Any, *, classes: Sequence[str] | None = None, seed: int = 0) -> Dataset:
        """Make a data set of a ``torch.utils.data.Dataset`` that gives (example, label) pairs.

        Every example is read once and kept; a transform that it has is applied once, so random ones belong into
        ``dataset.augment``.

        Parameters
        ----------
        dataset
            Examples are tensors, arrays or PIL images, all of one shape.
        classes
            Names of the classes; by default ``dataset.classes`` where it has them.
        """
        from deepseek import arrays

        images, labels = arrays.read_torch(dataset)
        names = classes if classes is not None else getattr(dataset, "classes", None)
        return cls.from_arrays(images, labels, classes=names, seed=seed)

    @classmethod
    def _read(cls, type_: str, params: Mapping[str, Any], seed: int) -> Dataset:
        """Add the block that reads the data, and run it, so that a wrong path or column is found here."""
        checked = blocks.check_params(type_, params)
        made = pipeline.step("data", type_, checked)
        whole = blocks.outputs(type_, "dataset")[0]
        found = blocks.make(made, seed=seed)
        published = {"train": made.out(whole), "test": made.out("test")} if "test" in found else None
        read = cls(made.out(whole), published, seed=seed)
        read._artifact = found[whole]
        return read

    @property
    def artifact(self) -> local.Artifact:
        """The artifact behind it; the pipeline runs when it did not yet."""
        if self._artifact is None:
            self._artifact = blocks.make(self._output.step, seed=self._seed)[self._output.port]
        return self._artifact

    @property
    def kind(self) -> str:
        """``"images"``, ``"table"`` or ``"text"``."""
        return self.artifact.kind

    @property
    def task(self) -> str | None:
        """``"classification"``, ``"regression"``, ``"language_model"``, ``"masked_lm"``, or None for a table without a
        target.
        """
        task: str | None = self.artifact.meta.get("task")
        return task

    @property
    def classes(self) -> list[str] | None:
        """Names of the classes, or None where there are none."""
        names: list[str] | None = self.artifact.meta.get("classes")
        return names

    @property
    def train(self) -> Dataset:
        """The part to train on."""
        return self if self._is_part else self._part("train")

    @property
    def validation(self) -> Dataset | None:
        """The part that watches the training, or None where there is none."""
        return self._part("validation") if not self._is_part and "validation" in self._all_parts() else None

    @property
    def test(self) -> Dataset:
        """The part to test on."""
        return self if self._is_part else self._part("test")

    def split(self, test: float = 0.2, validation: float = 0.1, **params: Any) -> Dataset:
        """The same data, split otherwise.

        Parameters
        ----------
        test, validation
            Shares of the examples that are kept to test on, and to watch the training.
        params
            Other parameters of ``data.split``.
        """
        checked = blocks.check_params("data.split", {"test": test, "validation": validation, **params})
        return Dataset(self._output, self._split(checked), seed=self._seed)

    def augment(self, **params: Any) -> Dataset:
        """The same data, changed at random in every epoch of training; watched and tested on as it is.

        Parameters
        ----------
        params
            Parameters of ``data.augment``, for example ``flip=True``.
        """
        checked = blocks.check_params("data.augment", params)
        made = pipeline.step("augment", "data.augment", checked, dataset=self.train._output)
        changed = made.out(blocks.outputs("data.augment", "dataset")[0])
        if self._is_part:
            return Dataset(changed, seed=self._seed, is_part=True)
        return Dataset(self._output, {**self._all_parts(), "train": changed}, seed=self._seed)

    def apply(self, type_: str, **params: Any) -> Dataset:
        """The same data after any block that takes a data set and gives one, such as your own Python.

        Every part goes through it.

        Parameters
        ----------
        type_
            Block type, for example ``"code.python"`` or ``"data.normalise"``.
        params
            Its parameters.
        """
        if not blocks.exists(type_):
            raise unknown("block", type_, local.catalog()["blocks"])
        ports = blocks.outputs(type_, "dataset")
        if not ports or "dataset" not in blocks.inputs(type_):
            raise UsageError(f"{type_} does not take a data set and give one")
        checked = blocks.check_params(type_, params)

        def through(output: Output) -> Output:
            return pipeline.step(type_.split(".")[1], type_, checked, dataset=output).out(ports[0])

        parts = None if self._parts is None else {name: through(part) for name, part in self._parts.items()}
        return Dataset(through(self._output), parts, seed=self._seed, is_part=self._is_part)

    def to_arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Pixels uint8 (N, C, H, W) and labels int64 (N,) of a data set of images."""
        return local.read_images(self.artifact)

    def to_pandas(self) -> pd.DataFrame:
        """Rows of a table."""
        frame: pd.DataFrame = local.read_table(self.artifact).to_pandas()
        return frame

    def pipeline(self) -> dict[str, Any]:
        """The pipeline document that makes this data set."""
        return pipeline.document([self._output.step], seed=self._seed)[0]

    @property
    def _title(self) -> str:
        return str(self.artifact.meta.get("name") or "data set")

    def __len__(self) -> int:
        return int(self.artifact.meta["count"])

    def __repr__(self) -> str:
        meta = self.artifact.meta
        units = {"table": "rows", "images": "images"}.get(self.kind, "texts" if self.classes else "blocks of text")
        parts = [self._title, f"{len(self):,} {units}"]
        if meta.get("shape"):
            parts.append(" x ".join(str(side) for side in meta["shape"]))
        if meta.get("target"):
            parts.append(f"target {meta['target']}")
        if self.classes:
            parts.append(f"{len(self.classes)} classes")
        return f"Dataset({', '.join(parts)})"

    def _part(self, name: str) -> Dataset:
        return Dataset(self._all_parts()[name], seed=self._seed, is_part=True)

    def _all_parts(self) -> dict[str, Output]:
        if self._parts is None:
            self._parts = self._split({})
        return self._parts

    def _split(self, params: Mapping[str, Any]) -> dict[str, Output]:
        made = pipeline.step("split", "data.split", params, dataset=self._output)
        return {part: made.out(part) for part in PARTS if part != "validation" or params.get("validation") != 0}


def _refuse(name: str) -> NoReturn:
    known = blocks.public_datasets()
    guess = closest(name, known)
    if "/" in name or Path(name).suffix:
        raise UsageError(f"There is no file {name}")
    raise UsageError(
        f"There is no data set and no file {name!r}",
        hint=f"Did you mean {guess!r}?" if guess else f"Data sets: {', '.join(known)}.",
    )
