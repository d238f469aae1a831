"""Measure a trained language model.

Runs in the palette's drawer "evaluate".
"""

from __future__ import annotations

from typing import NamedTuple

from engine.artifacts import DatasetRef, FigureRef, MetricsRef, ModelRef, canonical_json
from engine.compute.plan import applied
from engine.errors import UserError
from engine.learn.measure.perplexity import block_losses, language_measures, place_figure
from engine.learn.state import TrainingData
from engine.learn.tasks import find_task
from engine.runtime.examples import load
from engine.runtime.predictor import Predictor
from engine.spec import BlockParams, RunContext, block, put_figure
from engine.text.tokenizer import facts


class Params(BlockParams):
    """Nothing to choose."""


class Outputs(NamedTuple):
    """What the block makes."""

    metrics: MetricsRef
    figure: FigureRef


@block("evaluate.language_model", title="Evaluate a language model", needs="gpu")
def run(params: Params, *, model: ModelRef, dataset: DatasetRef, ctx: RunContext) -> Outputs:
    """Measure how well a trained language model foresees a text that it has not seen.

    Parameters
    ----------
    params
        Nothing to choose.
    model
        A trained language model. Of one for hidden tokens the same tokens are hidden each time.
    dataset
        Blocks of tokens, made with the model's tokenizer.
    ctx
        The run.

    Returns
    -------
    Outputs
        Metrics: ``perplexity`` with its 95 % interval ``perplexity_low`` and ``perplexity_high``, ``loss``,
        ``token_accuracy``, ``baseline_perplexity`` and ``count`` of tokens; and the loss at each place of a block as a
        figure.

    Raises
    ------
    UserError
        When the model is not a trained language model, or the corpus has other tokens.

    Notes
    -----
    Source: F. Jelinek et al., "Perplexity: a measure of the difficulty of speech recognition tasks", J. Acoust. Soc.
    Am. 62, 1977.

    Examples
    --------
    >>> Params()
    Params()
    """
    with applied(ctx.plan, ctx.seed) as device:
        predictor = Predictor.open(model, device)
        spec = predictor.spec
        if spec.task not in ("language_model", "masked_lm"):
            raise UserError("This is not a language model", field="model", hint="Use the block Evaluate a classifier.")

        def tell(done: int, total: int) -> None:
            ctx.check_cancelled()
            ctx.progress(done, total, "blocks")

        examples = load(dataset, spec, device, predictor.tokenizer)
        meta = {**dataset.meta, **facts(predictor.tokenizer)}
        data = TrainingData(examples, None, derive=find_task(spec.task).derive(meta, training=False))
        found = block_losses(predictor.module, data, predictor.tokenizer.size, tell)
    numbers = language_measures(found)
    return Outputs(
        metrics=ctx.store.put(
            MetricsRef,
            files={
                "metrics.json": canonical_json(numbers),
                "preview.json": canonical_json({"kind": "metrics", "values": numbers}),
            },
        ),
        figure=put_figure(ctx, place_figure(found)),
    )
