"""Parameters of a block: one frozen pydantic model, read as JSON Schema by the form, the validator and the CLI.

Called by block files. Must not know any block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import UserError

Widget = Literal["slider", "code", "text", "artifact", "path", "column"]


class BlockParams(BaseModel):
    """Base of every block's ``Params``: frozen, and nothing unknown is accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


def param(
    default: Any,
    *,
    help: str,  # the field's word for it
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    unit: str | None = None,
    title: str | None = None,
    widget: Widget | None = None,
    choices: Sequence[Any] | None = None,
    advanced: bool = False,
    group: str | None = None,
    max_length: int | None = None,
    resources: Mapping[str, str] | None = None,
) -> Any:
    """Declare one parameter.

    Parameters
    ----------
    default
        Its value when nobody sets it; ``...`` when somebody must.
    help
        One sentence for the form and the command line.
    ge, gt, le, lt
        Bounds of a number. Bounded on both sides, the form shows a slider.
    unit
        Unit of the number, as shown beside it.
    widget
        How the form asks for it, where the type does not say.
    choices
        Suggested values of a free parameter; a closed set is a ``Literal`` type.
    advanced
        True: the form folds it away at first.
    group
        Title of the section of the form that an advanced parameter lies in.
    resources
        Value -> public file that is needed when the parameter has it; ``{block}`` stands for the name of the block
        behind its category. It is fetched before a run starts.
    """
    extra: dict[str, Any] = {
        "unit": unit,
        "widget": widget,
        "choices": list(choices) if choices is not None else None,
        "advanced": advanced or None,
        "group": group,
        "resources": dict(resources) if resources is not None else None,
    }
    return Field(
        default,
        description=help,
        title=title,
        ge=ge,
        gt=gt,
        le=le,
        lt=lt,
        max_length=max_length,
        json_schema_extra={k: v for k, v in extra.items() if v is not None},
    )


def build_params(cls: type[BlockParams], values: dict[str, Any], block: str | None = None) -> BlockParams:
    """Make the parameters of a block.

    Raises
    ------
    UserError
        Naming the block and the field of the first value that does not fit.
    """
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else None
        raise UserError(
            "{parameter}: {problem}",
            block=block,
            field=field,
            parameter=field or "params",
            problem=first["msg"].removeprefix("Value error, "),
        ) from None
