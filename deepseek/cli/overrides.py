"""What the command line changes in a pipeline before it runs: ``--set``, ``--seed``, and files named by path.

Called by ``deepseek run``. Works on the document's JSON and the catalog's, so it is the same for a run here and a run
in a studio. Must not know where the run takes place.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from deepseek.errors import UsageError, unknown

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
Put = Callable[[Path], str]


def override(
    document: Mapping[str, Any], catalog: Mapping[str, Any], settings: Iterable[str] = (), seed: int | None = None
) -> dict[str, Any]:
    """A copy of the document with other parameters.

    Parameters
    ----------
    settings
        Texts such as ``train.epochs=3``. The value is read as JSON where the parameter is not a text.

    Raises
    ------
    UsageError
        Naming the block or parameter that does not exist, and the one that was probably meant.
    """
    changed: dict[str, Any] = copy.deepcopy(dict(document))
    for setting in settings:
        address, equals, value = setting.partition("=")
        block, dot, name = address.strip().partition(".")
        if not (equals and dot and block and name):
            raise UsageError(
                f"{setting!r} sets nothing", hint="Write block.param=value, for example --set train.epochs=3."
            )
        if block not in changed["blocks"]:
            raise unknown("block", block, changed["blocks"])
        entry = changed["blocks"][block]
        known = parameters(catalog, entry["type"])
        if known is not None and name not in known:
            raise unknown(f"parameter of {block} ({entry['type']})", name, known)
        entry.setdefault("params", {})[name] = read_value(value, (known or {}).get(name, {}))
    if seed is not None:
        changed["seed"] = seed
    return changed


def parameters(catalog: Mapping[str, Any], type_: str) -> dict[str, Any] | None:
    """Parameter name -> JSON Schema of a block type, or None when the catalog does not know the type."""
    entry = catalog["blocks"].get(type_)
    return None if entry is None else dict(entry["params"]["schema"].get("properties", {}))


def read_value(text: str, schema: Mapping[str, Any]) -> Any:
    """A value from the command line, as its parameter's type wants it.

    >>> read_value("0.1", {"type": "number"}), read_value("1", {"type": "string"}), read_value("[1, 2]", {})
    (0.1, '1', [1, 2])
    """
    types = {schema.get("type")} | {option.get("type") for option in schema.get("anyOf", ())}
    if text == "null" and "null" in types:
        return None
    if "string" in types and not types & {"number", "integer", "boolean", "array", "object"}:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return {"True": True, "False": False}.get(text, text)


def stage_files(
    document: Mapping[str, Any],
    catalog: Mapping[str, Any],
    folder: Path,
    put: Put,
    settings: Iterable[str] = (),
) -> dict[str, Any]:
    """A copy of the document in which every file named by path is replaced by its digest.

    A pipeline that lies in a repository names its data as a file beside it (``"file": "wine.csv"``); what runs names
    content. A pipeline's own text reaches only files of its folder, because it may come from a stranger; ``--set`` is
    the caller's word and reaches any file.

    Parameters
    ----------
    folder
        Folder of the pipeline's file.
    put
        Takes a path, keeps the file where the run will take place, gives back its digest.
    """
    changed: dict[str, Any] = copy.deepcopy(dict(document))
    own_words = {setting.partition("=")[0].strip() for setting in settings}
    for block, name, value in _file_params(changed, catalog):
        if f"{block}.{name}" in own_words:
            path = Path(value).expanduser()
        else:
            path = folder / value
            if not path.resolve().is_relative_to(folder.resolve()):
                raise UsageError(
                    f"The pipeline names a file outside its folder: {value}",
                    block=block,
                    field=name,
                    hint=f"If that is meant, say --set {block}.{name}={value}.",
                )
        if not path.is_file():
            raise UsageError(f"There is no file {path}", block=block, field=name)
        changed["blocks"][block]["params"][name] = put(path)
    return changed


def _file_params(document: Mapping[str, Any], catalog: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for block, entry in document["blocks"].items():
        for name, schema in (parameters(catalog, entry["type"]) or {}).items():
            value = entry.get("params", {}).get(name)
            if schema.get("widget") == "artifact" and isinstance(value, str) and value and not DIGEST.fullmatch(value):
                yield block, name, value
