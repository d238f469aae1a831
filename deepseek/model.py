"""``Model``: a handle to a network that can be trained, judged, asked and kept.

Called by people. Training and evaluation add a block to the pipeline that makes the model and run it, so they are the
same training and evaluation as in the studio, and ``pipeline()`` can be opened there. Must not import the engine (see
``deepseek.local``).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from deepseek import blocks, loading, local, pipeline
from deepseek.dataset import Dataset
from deepseek.errors import UsageError
from deepseek.pipeline import Output
from deepseek.progress import Progress, Sink, silent
from deepseek.results import Evaluation, Predictions, Training

if TYPE_CHECKING:
    from torch import nn


class Model:
    """A network with what belongs to it: how data is prepared, the names of the classes, where it comes from.

    Made by :meth:`create`, :meth:`load` or :meth:`wrap`.

    Examples
    --------
    >>> model = Model.create("convnet")
    >>> model
    Model(convnet, not trained)
    """

    def __init__(self, output: Output, name: str) -> None:
        self._output = output
        self._name = name
        self._seed = 0
        self._plan: dict[str, Any] = {}
        self._artifact: local.Artifact | None = None
        self._predictor: Any = None

    @classmethod
    def create(cls, architecture: str, **config: Any) -> Model:
        """Make a network with fresh weights.

        Parameters
        ----------
        architecture
            ``"mlp"``, ``"convnet"``, ``"resnet18"``, ``"resnet34"``, ``"resnet50"``, ...: the model blocks.
        config
            Parameters of the architecture, for example ``num_classes=10``. What is left out and depends on the data is
            read off it when training starts.
        """
        type_ = loading.block_of(architecture)
        return cls(pipeline.step("model", type_, blocks.check_params(type_, config)).out("model"), architecture)

    @classmethod
    def load(cls, source: str | Path, *, module: nn.Module | None = None, **config: Any) -> Model:
        """Load a model: from a file or a folder, or a known network with its public weights.

        Parameters
        ----------
        source
            - a bundle that :meth:`save` or the studio wrote;
            - a name such as ``"resnet50"``, ``"efficientnet_lite0"``, ``"bert-base-uncased"`` or ``"minilm"``, whose
              published weights are fetched and checked when they are first needed;
            - a file with weights (``.safetensors``, ``.pth``), with ``architecture="resnet50"`` beside it;
            - a folder of Hugging Face's form (``config.json`` and ``model.safetensors``) of BERT, ViT or Llama;
            - an ONNX file, with ``labels=[...]`` for its classes;
            - a ``torch.export`` archive (``.pt2``) with ``trust=True``: opening one can run its author's code.
        module
            For a bundle of a wrapped module: the module with its code; its weights are replaced.
        config
            Parameters of the block that makes the model; another ``num_classes`` than the published makes a fresh last
            layer, and ``num_classes=None`` one that follows the data.

        Raises
        ------
        UsageError
            When there is no such file or architecture, or the file is damaged.
        """
        if module is not None:
            from deepseek import wrapping

            spec = local.load_bundle(Path(source).expanduser()).read_json("model.json")
            wrapping.register(str(spec["architecture"]), module)
        made, name = loading.step_for(source, config)
        model = cls(made.out("model"), name)
        if made.type == "model.load":
            model._name = str(model.spec["architecture"]).removeprefix("wrapped:").split("-")[0]
        return model

    @classmethod
    def wrap(cls, module: nn.Module) -> Model:
        """Make a model of a PyTorch module of your own; it trains, is judged and saved like any other.

        Its code stays in this process: open a saved one with ``Model.load(path, module=YourModule())``.

        Parameters
        ----------
        module
            Takes float32 (N, C, H, W) images or (N, features) rows, and gives (N, classes) scores without softmax, or
            (N, 1) numbers for regression. Its weights are copied now; the module itself is never changed.
        """
        from deepseek import wrapping

        name = wrapping.architecture_of(module)
        wrapping.register(name, module)
        weights = local.put_bytes("weights.safetensors", wrapping.weights_of(module))
        made = pipeline.step("model", "model.wrapped", {"architecture": name, "weights": weights})
        return cls(made.out("model"), type(module).__name__)

    def train(
        self,
        dataset: Dataset,
        *,
        method: Literal["full", "transfer", "finetune"] = "full",
        validation: Dataset | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        device: str | None = None,
        devices: int | None = None,
        nodes: int | None = None,
        threads: int | None = None,
        seed: int | None = None,
        show: bool | Sink = True,
        **params: Any,
    ) -> Training:
        """Train on a data set, from where the model is now.

        Ctrl-C stops cleanly; the same call goes on where it stopped. The same call on the same data and machine gives
        the same weights, and the second time they are taken from the cache.

        Parameters
        ----------
        dataset
            Its part to train on is used (``dataset.train``); keep the other for :meth:`evaluate`.
        method
            ``"full"`` trains all weights. For a model that starts from public weights and learns classes:
            ``"transfer"`` trains a last layer on its features, in seconds and from few examples; ``"finetune"`` does
            that and then trains everything in small steps.
        validation
            Data to look at after every epoch, for curves and early stopping; by default ``dataset.validation``.
        epochs, batch_size, learning_rate
            As everywhere; what is left out has the default of the training block.
        device
            ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ...
        devices
            Processes that train together, one for each GPU; on the CPU they share its threads. The batches and their
            order are those of one process. A process that dies or hangs is named and replaced, and all go on from the
            last checkpoint.
        nodes
            Machines that train together, ``devices`` processes on each: in the studio, whose workers are the machines.
        threads
            CPU threads; all by default.
        seed
            Number that everything random follows, the split of the data too; by default the data set's.
        show
            False shows nothing; a function is told every event of the run.
        params
            Other parameters of the training block, see ``deepseek blocks train.classifier``.

        Returns
        -------
        Training
            Its last numbers and its curves.
        """
        type_ = f"train.{_trainer(dataset, self._name) if method == 'full' else method}"
        named = {
            "epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate,
            "devices": devices, "nodes": nodes,
        }  # fmt: skip
        given = {**{name: value for name, value in named.items() if value is not None}, **params}
        watching = dataset.validation if validation is None else validation.test
        made = pipeline.step(
            "train",
            type_,
            blocks.check_params(type_, given),
            model=self._output,
            dataset=dataset.train._output,
            validation=None if watching is None else watching._output,
        )
        plan = {**self._plan, **{k: v for k, v in {"device": device, "threads": threads}.items() if v is not None}}
        seed = dataset._seed if seed is None else seed
        document, ids = pipeline.document([made], name=f"{self._name} on {dataset._title}", seed=seed)
        curves = blocks.Curves(ids[made], sink(show))
        started = time.monotonic()
        result = local.checked(local.execute(document, plan=plan, show=curves))
        self._output, self._seed, self._plan = made.out("model"), seed, dict(result.plan or plan)
        self._artifact, self._predictor = result.outputs[ids[made]]["model"], None
        numbers = blocks.metrics_of(result, ids[made])
        return Training(numbers, curves.curves, time.monotonic() - started, is_cached=curves.is_cached)

    def evaluate(self, dataset: Dataset, *, show: bool | Sink = True, **params: Any) -> Evaluation:
        """Judge the model on data that it was not trained on.

        Parameters
        ----------
        dataset
            Its part to test on is used (``dataset.test``).
        params
            Parameters of the evaluation block.

        Returns
        -------
        Evaluation
            Metrics (``evaluation["accuracy"]``), figures (``evaluation.figure("confusion")``) and tables
            (``evaluation.tables["report"]``).
        """
        self._require_training()
        type_ = f"evaluate.{_trainer(dataset, self._name)}"
        made = pipeline.step(
            "evaluate",
            type_,
            blocks.check_params(type_, params),
            model=self._output,
            dataset=dataset.test._output,
        )
        document, ids = pipeline.document([made], name=f"{self._name} on {dataset._title}", seed=self._seed)
        result = local.checked(local.execute(document, plan=self._plan, show=sink(show)))
        outputs = result.outputs[ids[made]]
        figures = {port: ref.read_json("figure.json") for port, ref in outputs.items() if ref.kind == "figure"}
        tables = {port: local.read_table(ref).to_pandas() for port, ref in outputs.items() if ref.kind == "table"}
        return Evaluation(blocks.metrics_of(result, ids[made]), figures, tables)

    def predict(self, data: Any) -> Predictions:
        """Ask the model.

        Parameters
        ----------
        data
            For an image model: an image (path, PIL image or array), several of them in a list, an array (N, C, H, W),
            (N, H, W, C) or (N, H, W). For a table model: a DataFrame, a dict or list of dicts, or the path of a table.
            For a text model: a string, several in a list, or the ``Path`` of a file with one text a line. Or a
            `Dataset`, whose part to test on is used.
        """
        self._require_training()
        from deepseek import asking

        return Predictions(asking.ask(self._opened(), data))

    def generate(
        self,
        prompt: str = "",
        *,
        max_tokens: int = 100,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 0.95,
        seed: int = 0,
    ) -> str:
        """Let a language model go on with a text.

        Parameters
        ----------
        prompt
            What it goes on from.
        max_tokens
            Most tokens that it writes.
        temperature
            Below 1 the likely becomes likelier; 0 always takes the likeliest.
        top_k, top_p
            Draw among so many of the likeliest tokens (0: all), and among the likeliest that together have this
            probability.
        seed
            The same seed gives the same text.

        Returns
        -------
        str
            What it wrote behind the prompt.
        """
        self._require_training()
        chosen = {"max_tokens": max_tokens, "temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
        from deepseek import asking

        return asking.write(self._opened(), prompt, chosen)

    def save(self, path: str | Path) -> Path:
        """Write the model to one file: a zip with ``model.json`` and ``weights.safetensors``, without pickle.

        Returns
        -------
        Path
            The file. :meth:`load` and the studio read it.
        """
        place = Path(path).expanduser()
        place.parent.mkdir(parents=True, exist_ok=True)
        local.save(self.artifact.digest, place)
        return place

    def pipeline(self) -> dict[str, Any]:
        """The pipeline document that makes this model: it runs in the studio and by ``deepseek run``."""
        return pipeline.document([self._output.step], name=self._name, seed=self._seed)[0]

    @property
    def artifact(self) -> local.Artifact:
        """The artifact behind it; the pipeline runs when it did not yet."""
        if self._artifact is None:
            self._artifact = blocks.make(self._output.step, seed=self._seed, plan=self._plan)[self._output.port]
        return self._artifact

    @property
    def spec(self) -> dict[str, Any]:
        """What ``model.json`` says: architecture, configuration, input, preprocessing, labels, metrics, provenance."""
        found: dict[str, Any] = self.artifact.read_json("model.json")
        return found

    @property
    def is_trained(self) -> bool:
        """True once it can be asked."""
        return self._artifact is not None and self.spec["task"] is not None

    @property
    def labels(self) -> list[str] | None:
        """Names of the classes."""
        names: list[str] | None = self.spec["labels"]
        return names

    @property
    def module(self) -> nn.Module:
        """The network with its weights, in evaluation mode on the CPU; a copy that is yours."""
        found: nn.Module = local.open_predictor(self.artifact).module
        return found

    def __repr__(self) -> str:
        return f"Model({self._name}, {'trained' if self.is_trained else 'not trained'})"

    def _opened(self) -> Any:
        if self._predictor is None:
            self._predictor = local.open_predictor(self.artifact)
        return self._predictor

    def _require_training(self) -> None:
        if self._output.step.type.startswith("model.") and self.spec["task"] is None:
            raise UsageError("The model is not trained yet", hint="Call model.train(dataset) first.")


def _trainer(dataset: Dataset, architecture: str) -> str:
    """Which training and evaluation blocks fit the data and the network."""
    if architecture == "autoencoder":
        return architecture
    if dataset.task == "classification":
        return "classifier"
    if dataset.task == "regression":
        return "regressor"
    if dataset.task in ("language_model", "masked_lm"):
        return "language_model"
    raise UsageError("It is not said which column to predict", hint='Say it: Dataset.load(..., target="NAME").')


def sink(show: bool | Sink) -> Sink:
    """What is told the events of a run: a progress bar, nothing, or what a person gave."""
    if callable(show):
        return show
    return Progress(shows_cached=False) if show else silent
