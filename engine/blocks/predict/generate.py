"""Let a trained language model write.

Runs in the palette's drawer "predict".
"""

from __future__ import annotations

from typing import NamedTuple

from engine.artifacts import ModelRef, PredictionsRef
from engine.compute.plan import applied
from engine.learn.measure.predictions import write_generated
from engine.runtime.predictor import Predictor
from engine.spec import BlockParams, RunContext, block, param


class Params(BlockParams):
    """What to go on from, and how the next token is drawn."""

    prompt: str = param("", widget="text", help="Text to go on from; each line is one beginning", title="Prompt")
    count: int = param(1, ge=1, le=50, help="Texts for each prompt", title="Texts")
    max_tokens: int = param(100, ge=1, le=4096, unit="tokens", help="Longest text", title="Length")
    temperature: float = param(
        0.8, ge=0, le=10, help="Below 1 the likely becomes likelier; 0 always takes the likeliest", title="Temperature"
    )
    top_k: int = param(
        0, ge=0, help="Draw among so many of the likeliest tokens; 0: among all", title="Top k", advanced=True
    )
    top_p: float = param(
        0.95,
        gt=0,
        le=1,
        help="Draw among the likeliest tokens that together have this probability",
        title="Top p",
        advanced=True,
    )


class Outputs(NamedTuple):
    """What the block makes."""

    predictions: PredictionsRef


@block("predict.generate", title="Generate text", needs="gpu", examples=[{"prompt": "the cat", "max_tokens": 5}])
def run(params: Params, *, model: ModelRef, ctx: RunContext) -> Outputs:
    """Go on with a text, one token after the other.

    Parameters
    ----------
    params
        Prompts, and how tokens are drawn. The same seed gives the same texts.
    model
        A language model that was trained on the next token.
    ctx
        The run.

    Returns
    -------
    Outputs
        One row per text: the prompt and what was written behind it.

    Raises
    ------
    UserError
        When the model is not a trained language model for the next token.

    Notes
    -----
    Source: A. Holtzman et al., "The curious case of neural text degeneration", ICLR 2020 (top p); A. Fan, M. Lewis,
    Y. Dauphin, "Hierarchical neural story generation", ACL 2018 (top k).

    Examples
    --------
    >>> Params(prompt="Once upon a time", temperature=0.0).count
    1
    """
    prompts = [line for line in params.prompt.splitlines() if line.strip()] or [""]
    total = len(prompts) * params.count
    written: list[tuple[str, str]] = []
    with applied(ctx.plan, ctx.seed) as device:
        predictor = Predictor.open(model, device)
        for number in range(total):
            prompt = prompts[number // params.count]
            text = predictor.write(
                prompt,
                check=ctx.check_cancelled,
                max_tokens=params.max_tokens,
                temperature=params.temperature,
                top_k=params.top_k,
                top_p=params.top_p,
                seed=(ctx.seed + number) % 2**63,
            )
            written.append((prompt, text))
            ctx.progress(number + 1, total, "texts")
    return Outputs(write_generated(ctx.store, written))
