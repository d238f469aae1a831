"""Train a language model: the next token, or hidden ones.

Runs in the palette's drawer "train"; the loop is :mod:`engine.learn.loop`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from engine.artifacts import DatasetRef, MetricsRef, ModelRef
from engine.learn.fit import fit
from engine.learn.params import TrainingParams
from engine.spec import RunContext, block, param


class Params(TrainingParams):
    """How to train."""

    task: Literal["auto", "language_model", "masked_lm"] = param(
        "auto", help="Predict the next token or hidden ones; auto does what the corpus was made for", title="Task"
    )
    batch_size: int = param(16, ge=1, le=65_536, help="Blocks in one step", title="Batch size")
    learning_rate: float = param(
        0.001, gt=0, le=100, help="Highest learning rate of the schedule", title="Learning rate"
    )
    weight_decay: float = param(
        0.1,
        ge=0,
        le=10,
        help="Pull of the weights towards zero; biases and normalisation are left alone",
        title="Weight decay",
        advanced=True,
        group="Optimiser",
    )
    gradient_clip: float = param(
        1.0,
        ge=0,
        help="Largest norm of the gradient; 0: it is not clipped",
        title="Gradient clip",
        advanced=True,
        group="Optimiser",
    )


class Outputs(NamedTuple):
    """What the block makes."""

    model: ModelRef
    history: MetricsRef


@block("train.language_model", title="Train a language model", needs="gpu", examples=[{"epochs": 2, "batch_size": 4}])
def run(
    params: Params, *, model: ModelRef, dataset: DatasetRef, validation: DatasetRef | None, ctx: RunContext
) -> Outputs:
    """Train a network to foresee tokens, by cross-entropy.

    Parameters
    ----------
    params
        Epochs, batch size, optimiser, schedule, early stopping, checkpoints.
    model
        Untrained, or trained: then it goes on from its weights, with its tokenizer.
    dataset
        Blocks of tokens.
    validation
        Measured after each epoch; needed for early stopping.
    ctx
        The run. Metrics: ``loss`` and ``learning_rate`` for each step; ``train_loss``, ``train_perplexity``,
        ``train_token_accuracy``, the same for ``validation``, and ``tokens_per_s`` for each epoch.

    Returns
    -------
    Outputs
        The trained model with its tokenizer, and its last numbers with those of each epoch in ``history.json``.

    Raises
    ------
    UserError
        When model and data do not fit together, a loss is not a number, or a batch does not fit in memory.

    Notes
    -----
    Source: A. Radford et al., "Language models are unsupervised multitask learners", 2019, for the next token;
    J. Devlin et al., "BERT", NAACL 2019, section 3.1, for hidden ones.

    Examples
    --------
    >>> Params(epochs=3).gradient_clip
    1.0
    """
    options = params.options(task=_task(dataset) if params.task == "auto" else params.task)
    fitted = fit(model, dataset, validation, options, ctx, params.wishes, params.left_open)
    return Outputs(fitted.model, fitted.history)


def _task(dataset: DatasetRef) -> str:
    """What a corpus was made for; labelled texts say nothing of it, and the next token can always be learned."""
    return "masked_lm" if dataset.meta.get("task") == "masked_lm" else "language_model"
