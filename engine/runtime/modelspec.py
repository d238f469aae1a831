"""``model.json`` version 1: everything about a model but its weights.

Called by whatever writes or opens a model. The format is closed: a key this version does not know belongs to a newer
one, and is refused in words. Must not know how a model is trained.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import UserError

FORMAT = "deepseek.model/1"
TaskName = Literal["classification", "regression", "language_model", "masked_lm", "reconstruction"]


class Variant(BaseModel):
    """Another form of the same model, such as an ONNX file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    runtime: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Target(BaseModel):
    """The number that a regression model predicts: its outputs times ``std`` plus ``mean``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    mean: float
    std: float = Field(gt=0)


class ModelSpec(BaseModel):
    """What a model is.

    Attributes
    ----------
    architecture, config
        What :func:`engine.models.build` takes. Values that only data can tell are None until training.
    task
        What it learned, or None while untrained.
    input
        ``{"kind": "images", "shape": [C, H, W]}``, ``{"kind": "table", "columns": [{"name", "type"}]}`` or
        ``{"kind": "tokens", "length": T, "vocab_size": V}``.
    preprocessing
        Operations from raw data to what the network takes; shared by training, evaluation and serving.
    labels
        Class names in the order of the outputs.
    target
        For regression.
    metrics
        Numbers from training, and ``data_digest``: the data they were measured on.
    provenance
        Pipeline, plan and versions that made it.
    variants
        Name -> other forms of the model.

    Examples
    --------
    >>> ModelSpec(architecture="mlp").trained
    False
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["deepseek.model/1"] = "deepseek.model/1"
    architecture: str
    config: dict[str, Any] = {}
    task: TaskName | None = None
    input: dict[str, Any] | None = None
    preprocessing: list[dict[str, Any]] = []
    labels: list[str] | None = None
    target: Target | None = None
    metrics: dict[str, float | str] = {}
    provenance: dict[str, Any] = {}
    variants: dict[str, Variant] = {}

    @property
    def trained(self) -> bool:
        """True once it is known what goes in and what comes out."""
        return self.task is not None and self.input is not None

    @property
    def input_kind(self) -> str | None:
        """``"images"``, ``"table"``, ``"tokens"`` or None."""
        return None if self.input is None else str(self.input["kind"])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return self.model_dump(mode="json")


def parse(value: Any) -> ModelSpec:
    """Read ``model.json``.

    Raises
    ------
    UserError
        When it is not one, or one of a newer version.

    Examples
    --------
    >>> parse({"format": "deepseek.model/9"})
    Traceback (most recent call last):
    engine.errors.UserError: The model has format deepseek.model/9, this version reads deepseek.model/1
    """
    found = value.get("format") if isinstance(value, dict) else None
    if not isinstance(found, str) or not re.fullmatch(r"deepseek\.model/\d+", found):
        raise UserError(
            "This is not a DeepSeek Studio model", hint="Choose a model bundle: a zip file with model.json in it."
        )
    if found != FORMAT:
        raise UserError(
            "The model has format {found}, this version reads {known}",
            hint="Open it with the version of DeepSeek Studio that made it, or a newer one.",
            found=found,
            known=FORMAT,
        )
    try:
        return ModelSpec.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            "model.json is not valid: {place}: {problem}",
            place=".".join(str(part) for part in first["loc"]),
            problem=first["msg"],
        ) from None
