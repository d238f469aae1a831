"""Two languages, both complete; the switch works for everybody."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from django.conf import settings
from django.test import Client

from tests.webapp.support import Caller

PO = Path(settings.LOCALE_PATHS[0]) / "zh_Hans" / "LC_MESSAGES" / "django.po"
TAG = re.compile(r"{%-?\s*translate\s+(?:\"([^\"]+)\"|'([^']+)')\s*-?%}")
BLOCK = re.compile(r"{%\s*blocktranslate[^%]*%}(.*?){%\s*endblocktranslate\s*%}", re.DOTALL)
CALLS = {"_", "gettext", "gettext_lazy"}


def texts_of_the_source() -> set[str]:
    found: set[str] = set()
    for template in (settings.DATA / "templates").rglob("*.html"):
        source = template.read_text(encoding="utf-8")
        found |= {a or b for a, b in TAG.findall(source)}
        found |= {re.sub(r"{{\s*(\w+)\s*}}", r"%(\1)s", text) for text in BLOCK.findall(source)}
    for module in (settings.ROOT / "webapp").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            name = getattr(getattr(node, "func", None), "id", "")
            if name in CALLS and isinstance(node, ast.Call) and isinstance(node.args[0], ast.Constant):
                found.add(str(node.args[0].value))
    return found


def translations() -> dict[str, str]:
    with PO.open("rb") as stream:
        return {str(m.id): str(m.string) for m in read_po(stream) if m.id and not m.fuzzy}


def test_every_text_of_templates_and_pages_has_a_chinese_one() -> None:
    known = translations()

    assert sorted(text for text in texts_of_the_source() if not known.get(text)) == []


def test_no_chinese_text_is_left_over() -> None:
    assert sorted(set(translations()) - texts_of_the_source()) == []


def test_places_in_a_text_are_the_same_in_both_languages() -> None:
    place = re.compile(r"%\(\w+\)s")

    assert [t for t, zh in translations().items() if sorted(place.findall(t)) != sorted(place.findall(zh))] == []


@pytest.mark.django_db
def test_the_browser_decides_until_somebody_chooses() -> None:
    client = Client(HTTP_HOST="localhost")

    english = client.get("/login", headers={"Accept-Language": "fr,en;q=0.5"}).content.decode()
    chinese = client.get("/login", headers={"Accept-Language": "zh-CN,en;q=0.5"}).content.decode()

    assert '<html lang="en"' in english
    assert "Log in" in english
    assert '<html lang="zh-Hans"' in chinese
    assert "Log in" not in chinese


@pytest.mark.django_db
def test_the_switch_is_remembered_without_a_login() -> None:
    client = Client(HTTP_HOST="localhost")

    answer = client.post("/language", {"language": "zh-Hans", "next": "/login"})

    assert answer["Location"] == "/login"
    assert '<html lang="zh-Hans"' in client.get("/login").content.decode()


@pytest.mark.django_db
def test_the_switch_is_kept_in_the_account(people: Any) -> None:
    client = Caller(people.viewer).client
    client.post("/language", {"language": "zh-Hans", "next": "/account"})

    people.viewer.refresh_from_db()
    assert people.viewer.language == "zh-Hans"
    page = client.get("/account", headers={"Accept-Language": "en"}).content.decode()
    assert '<html lang="zh-Hans"' in page


@pytest.mark.django_db
@pytest.mark.parametrize("chosen", ["fr", "", "../x"])
def test_other_languages_change_nothing(people: Any, chosen: str) -> None:
    client = Caller(people.viewer).client

    assert client.post("/language", {"language": chosen, "next": "//evil.example"})["Location"] == "/"
    people.viewer.refresh_from_db()
    assert people.viewer.language == ""


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/login", "/nothing", f"/link/{'A' * 43}", f"/invite/{'A' * 43}", "/account"])
def test_chinese_pages_have_no_english_left(people: Any, path: str) -> None:
    caller = Caller(None if path in {"/login"} or "A" * 43 in path else people.viewer)

    page = caller.client.get(path, headers={"Accept-Language": "zh-CN"}).content.decode()

    text = re.sub(r"<[^>]+>", " ", page)
    words = set(re.findall(r"[A-Za-z]{2,}", text)) - {
        "DeepSeek",
        "Studio",
        "English",
        "JavaScript",
        "viewer",
        "example",
    }
    assert words - {"org"} == set()
