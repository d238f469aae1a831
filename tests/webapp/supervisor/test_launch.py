"""What is fetched before a run starts, because the run itself has no network."""

from __future__ import annotations

from typing import Any

import pytest

from webapp import bridge
from webapp.supervisor import launch


@pytest.mark.parametrize(
    ("type_", "params", "fetched"),
    [
        ("model.resnet50", {"weights": "public"}, ["resnet50_imagenet"]),
        ("model.resnet50", {}, []),
        ("model.resnet50", {"weights": "public", "path": "own.pth"}, []),
        ("model.bert", {"weights": "bert-base-uncased"}, ["bert_base_uncased"]),
        ("data.fashion_mnist", {}, ["fashion_mnist"]),
    ],
)
def test_public_files_that_a_block_or_a_value_needs_are_fetched_first(
    monkeypatch: Any, type_: str, params: dict[str, Any], fetched: list[str]
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(launch, "_run", lambda argv, must_end: asked.append(argv[-1]))
    document = {"blocks": {"block": {"type": type_, "params": params}}}
    list(launch.fetch_resources(document, bridge.catalog(), lambda: False))
    assert asked == fetched
