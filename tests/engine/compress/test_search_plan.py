"""What a search keeps, what it tries next, and what it remembers: plain data, without a network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.compress.search.front import Point, best, front
from engine.compress.search.memory import Memory
from engine.compress.search.picture import pareto_figure
from engine.compress.search.strategy import NARROWEST, Means, Recipe, Tried, next_recipe

MEANS = Means("latency", ("int8", "qat"), prunes=True)


def point(name: str = "point", **changes: Any) -> Point:
    plain: dict[str, Any] = {
        "steps": (), "size_bytes": 100, "latency_ms": 1.0, "accuracy": 0.9, "params": 1, "macs": 1,
        "runtime": "onnxruntime", "seconds": 0.0,
    }  # fmt: skip
    return Point(name, **{**plain, **changes})


def tried(recipe: Recipe, reason: str | None = None, latency_ms: float = 1.0) -> Tried:
    status = "kept" if reason is None else "refused"
    return Tried(recipe, point(recipe.name, status=status, reason=reason, latency_ms=latency_ms))


def hunted(largest_ratio: float, means: Means = MEANS) -> list[Tried]:
    """All that a search tries when pruning is good enough up to a ratio, however long it is trained."""
    done: list[Tried] = []
    while (recipe := next_recipe(done, means)) is not None:
        fine = recipe.ratio <= largest_ratio
        done.append(tried(recipe, None if fine else "accuracy"))
    return done


def test_the_front_is_what_nothing_beats_by_trying_all_pairs() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(1, 6, (60, 3), generator=generator).tolist()
    points = [point(f"p{n}", size_bytes=a, latency_ms=float(b), accuracy=c / 10) for n, (a, b, c) in enumerate(rows)]
    expected = {
        p.name
        for p in points
        if not any(
            q.size_bytes <= p.size_bytes
            and q.latency_ms <= p.latency_ms
            and q.accuracy >= p.accuracy
            and (q.size_bytes, q.latency_ms, q.accuracy) != (p.size_bytes, p.latency_ms, p.accuracy)
            for q in points
        )
    }
    assert {p.name for p in front(points)} == expected
    assert 0 < len(expected) < len(points)


def test_a_point_that_loses_more_than_allowed_is_on_the_front_but_never_the_best() -> None:
    given = point("given", baseline=True)
    lossy = point("lossy", status="refused", reason="accuracy", latency_ms=0.1, accuracy=0.85)
    useless = replace(lossy, name="useless", accuracy=0.1, latency_ms=0.05)
    assert [p.name for p in front([given, lossy, useless])] == ["lossy", "given"]
    assert best([given, lossy, useless], "latency", 0.01).name == "given"


def test_a_slower_point_is_neither() -> None:
    given = point("given", baseline=True)
    slower = point("slower", status="refused", reason="slower", size_bytes=1, latency_ms=2.0)
    assert front([given, slower]) == [given]
    assert best([given, slower], "size", 1.0).name == "given"


def test_the_target_decides_between_fast_and_small() -> None:
    points = [point("given", baseline=True), point("fast", latency_ms=0.1), point("small", size_bytes=1)]
    assert best(points, "latency", 0.0).name == "fast"
    assert best(points, "size", 0.0).name == "small"


def test_the_cheap_comes_first_and_then_ever_more_channels_go() -> None:
    names = [one.recipe.name for one in hunted(0.7)]
    assert names[0] == "int8"
    assert names[1] == "prune 50% + int8"
    ratios = [one.recipe.ratio for one in hunted(0.7) if one.recipe.numbers == "int8" and one.recipe.ratio]
    ratios = list(dict.fromkeys(ratios))
    assert ratios == [0.5, 0.75, 0.65]  # half of what is left, each time; then between good and bad


def test_the_search_closes_in_on_the_largest_ratio_that_is_good_enough() -> None:
    for limit in (0.2, 0.45, 0.8):
        good = [one.recipe.ratio for one in hunted(limit) if one.point.status == "kept"]
        assert max(good) <= limit
        assert (1 - max(good)) / (1 - limit) < NARROWEST**2


def test_more_training_and_then_training_through_the_rounding_are_tried_where_pruning_failed() -> None:
    done = hunted(0.2)
    first_bad = next(n for n, one in enumerate(done) if one.point.status == "refused")
    again = replace(done[first_bad].recipe, again=1)
    assert [one.recipe for one in done[first_bad + 1 : first_bad + 3]] == [again, replace(again, numbers="qat")]


def test_more_training_that_was_enough_is_gone_on_from() -> None:
    done = [tried(Recipe()), tried(Recipe(0.5), "accuracy"), tried(Recipe(0.5, again=1))]
    assert next_recipe(done, MEANS) == Recipe(0.75)


def test_what_lost_far_too_much_is_not_trained_through_the_rounding() -> None:
    done = [tried(Recipe()), tried(Recipe(0.5), "accuracy")]
    hopeless = replace(done[1], point=replace(done[1].point, accuracy=0.9 - 4 * MEANS.max_drop))
    assert next_recipe(done, MEANS) == Recipe(0.5, again=1)
    assert next_recipe([done[0], hopeless], MEANS) == Recipe(0.29)


def test_a_lossy_int8_is_repaired_layer_by_layer_until_it_is_good_enough() -> None:
    means = Means("latency", ("int8", "qat"), prunes=False)
    done = [tried(Recipe(), "accuracy"), tried(Recipe(kept=1), "accuracy"), tried(Recipe(kept=3))]
    assert next_recipe(done[:1], means) == Recipe(kept=1)
    assert next_recipe(done[:2], means) == Recipe(kept=3)
    assert next_recipe(done, means) is None


def test_a_pruned_network_computes_as_the_best_whole_one() -> None:
    done = [tried(Recipe(), "accuracy"), tried(Recipe(kept=1))]
    assert next_recipe(done, MEANS) == Recipe(0.5, "int8", kept=1)


def test_an_int8_that_is_slower_here_leaves_pruning_in_floats() -> None:
    assert next_recipe([tried(Recipe(), "slower")], MEANS) == Recipe(0.5, "fp32")


def test_no_more_is_tried_than_was_asked_for() -> None:
    assert len(hunted(0.5, replace(MEANS, candidates=3))) == 3


def test_a_memory_gives_back_what_it_was_told(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "search", {"model": "a"})
    memory.given = [point("given", baseline=True)]
    memory.tried = [tried(Recipe(0.3), "accuracy")]
    memory.keep("prune 30% + int8", b"file")
    memory.keep_weights("prune 30%", {"w": torch.ones(2)}, {"widths": [1]})
    memory.save(12.5)
    again = Memory(tmp_path / "search", {"model": "a"})
    assert (again.elapsed_s, again.given, again.tried) == (12.5, memory.given, memory.tried)
    assert again.content("prune 30% + int8") == b"file"
    found = again.weights("prune 30%")
    assert found is not None
    assert found[0]["w"].tolist() == [1.0, 1.0]
    assert found[1] == {"widths": [1]}


@pytest.mark.parametrize("content", [None, b"{", b'{"identity": {"model": "b"}}'])
def test_a_memory_of_another_search_or_a_broken_one_is_forgotten(tmp_path: Path, content: bytes | None) -> None:
    memory = Memory(tmp_path / "search", {"model": "a" if content else "b"})
    memory.given = [point()]
    memory.save(1.0)
    if content is not None:
        (tmp_path / "search/state.json").write_bytes(content)
    again = Memory(tmp_path / "search", {"model": "a"})
    assert (again.elapsed_s, again.given) == (0.0, [])


def test_the_picture_tells_the_front_from_the_beaten_and_the_refused() -> None:
    points = [
        point("given", baseline=True, latency_ms=2.0),
        point("int8"),
        point("beaten", latency_ms=3.0),
        point("far", status="refused", reason="accuracy", accuracy=0.1, latency_ms=0.1),
    ]
    figure = pareto_figure(points)
    assert [trace["name"] for trace in figure["data"]] == ["On the front", "Beaten", "Refused"]
    assert figure["data"][0]["x"] == [1.0]
    assert figure["data"][2]["y"] == [0.1]
