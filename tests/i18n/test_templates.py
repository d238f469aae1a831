"""Every message that a person may see is a template with a Chinese text beside it.

The templates are read off the source: the first text of an error, its hint, a log line, a reason, a problem; and off
the catalog: titles, summaries and helps of blocks and parameters.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXTS = ROOT / "static/studio/src/i18n/zh-Hans"
ERRORS = {"StudioError", "UserError", "TransientError", "CancelledRun", "InterruptedRun", "ApiError"}
LOGS = {"log", "warn"}
PLACE = re.compile(r"\{[a-z_]+\}")


def translations() -> dict[str, str]:
    texts: dict[str, str] = {}
    for file in sorted(TEXTS.glob("*.json")):
        texts.update(json.loads(file.read_text(encoding="utf-8")))
    return texts


def literal(node: ast.expr | None) -> list[str]:
    """The texts that an expression may be: a literal, one of two, or literals side by side."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return literal(node.body) + literal(node.orelse)
    return []


def templates_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        keywords = {k.arg: k.value for k in node.keywords}
        if name in ERRORS or (name in LOGS and isinstance(node.func, ast.Attribute) and is_context(node.func.value)):
            position = 1 if name == "ApiError" else 0
            yield from literal(node.args[position] if len(node.args) > position else None)
            yield from literal(keywords.get("hint"))
        elif name == "decide":
            yield from literal(node.args[2] if len(node.args) > 2 else keywords.get("template"))
        elif name == "reason":
            yield from literal(node.args[1] if len(node.args) > 1 else None)
        elif name == "Problem":
            yield from literal(node.args[3] if len(node.args) > 3 else keywords.get("template"))
            yield from literal(node.args[5] if len(node.args) > 5 else keywords.get("hint"))


def is_context(node: ast.expr) -> bool:
    return getattr(node, "id", getattr(node, "attr", "")) in {"ctx", "context", "_ctx"}


def source_templates() -> dict[str, str]:
    """Template -> the file it stands in."""
    found = {}
    for package in ("engine", "webapp"):
        for file in sorted((ROOT / package).rglob("*.py")):
            if "migrations" in file.parts or "management" in file.parts or "testing" in file.stem:
                continue
            for template in templates_in(ast.parse(file.read_text(encoding="utf-8"))):
                if re.search("[A-Za-z]{2}", PLACE.sub("", template)):
                    found[template] = str(file.relative_to(ROOT))
    return found


def catalog_texts(catalog: dict) -> Iterator[tuple[str, str]]:
    for category in catalog["categories"]:
        yield category["title"], "categories"
    for block in catalog["blocks"].values():
        yield block["title"], block["id"]
        yield block["summary"], block["id"]
        for name, rule in block["params"]["schema"].get("properties", {}).items():
            yield rule["title"], f"{block['id']}.{name}"
            yield rule["description"], f"{block['id']}.{name}"
            yield rule.get("group", ""), f"{block['id']}.{name}"


def missing(pairs: Iterator[tuple[str, str]]) -> list[str]:
    texts = translations()
    return sorted({f"{where}: {text}" for text, where in pairs if text and not texts.get(text)})


def test_every_message_of_the_source_has_a_chinese_text():
    assert missing(iter(source_templates().items())) == []


def test_every_text_of_the_catalog_has_a_chinese_text(catalog):
    assert missing(catalog_texts(catalog)) == []


@pytest.mark.parametrize("file", sorted(TEXTS.glob("*.json")), ids=lambda f: f.name)
def test_a_chinese_text_has_the_places_of_its_template(file):
    wrong = {
        template: text
        for template, text in json.loads(file.read_text(encoding="utf-8")).items()
        if not set(PLACE.findall(text)) <= set(PLACE.findall(template)) or not text.strip()
    }
    assert wrong == {}
