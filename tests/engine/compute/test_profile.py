"""What was measured is kept by machine and workload, in a file that a lying run cannot spoil for others."""

import json
import multiprocessing

import pytest

from engine.api import profile_of, remember_choice
from engine.compute import profile, resolve
from engine.compute.profile import evidence_of, fingerprint, read_profile, remember, remember_evidence, workload_key
from engine.errors import UserError
from engine.spec import Choice, ExecutionPlan

BF16 = Choice(precision="bf16", memory_format="channels_last")
KEY = workload_key("resnet18", {"num_classes": 10}, (3, 32, 32), 64, "classification", "cpu")


@pytest.fixture(autouse=True)
def empty_home(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPSEEK_HOME", str(tmp_path))
    return tmp_path


def evidence(**changes):
    found = evidence_of(ExecutionPlan(threads=2), KEY, BF16, {"fp32": 1.4, "bf16 channels_last": 0.6})
    return {**found, **changes}


def test_a_stored_choice_is_in_the_next_plan_of_this_machine():
    assert resolve({"device": "cpu", "threads": 2}).choices == {}
    remember(KEY, BF16, {"fp32": 1.4}, device="cpu", threads=2)
    plan = resolve({"device": "cpu", "threads": 2})
    assert plan.choices == {KEY: BF16}
    assert resolve({"device": "cpu", "threads": 1}).choices == {}  # another machine, as far as speed goes


def test_a_plan_that_is_replayed_keeps_its_own_choices():
    remember(KEY, BF16, {}, device="cpu", threads=2)
    old = ExecutionPlan(device="cpu", precision="adaptive", threads=2)
    assert resolve(old).choices == {}


def test_what_a_run_says_in_an_event_is_stored_by_its_reader():
    assert remember_choice(json.loads(json.dumps(evidence())))
    assert resolve({"device": "cpu", "threads": 2}).choices == {KEY: BF16}


def test_what_one_workspace_measured_is_not_seen_by_another(monkeypatch, tmp_path):
    assert remember_choice(evidence(), "a1")
    assert read_profile("cpu", 2, "a1").choices == {KEY: BF16}
    assert read_profile("cpu", 2, "b2").choices == {}
    assert read_profile("cpu", 2).choices == {}
    staged = tmp_path / "staged.json"
    staged.write_bytes(profile_of("a1"))
    monkeypatch.setenv("DEEPSEEK_PROFILE", str(staged))
    assert resolve({"device": "cpu", "threads": 2}).choices == {KEY: BF16}
    staged.write_bytes(profile_of("b2"))
    assert resolve({"device": "cpu", "threads": 2}).choices == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "../../etc/passwd"},
        {"key": "x" * 5000},
        {"machine": "not hexadecimal!"},
        {"choice": {"precision": "int1"}},
        {"choice": {"precision": "bf16", "more": 1}},
        {"timings": {"fp32": float("nan")}},
        {"timings": {"fp32": -1.0}},
        {"timings": {str(n): 1.0 for n in range(1000)}},
        {"timings": {"<script>": 1.0}},
        {"extra": "field"},
        {"machine": None},
    ],
)
def test_evidence_of_another_form_is_not_stored(changes, tmp_path):
    assert not remember_evidence(evidence(**changes))
    assert not list(tmp_path.glob("profile*"))


def test_a_flood_of_entries_makes_the_oldest_give_way(monkeypatch):
    monkeypatch.setattr(profile, "MAX_CHOICES", 8)
    monkeypatch.setattr(profile, "MAX_MACHINES", 2)
    keys = [workload_key("mlp", {"n": n}, (4,), 8, "classification", "cpu") for n in range(20)]
    for key in keys:
        assert remember_evidence(evidence(key=key))
    assert set(read_profile("cpu", 2).choices) == set(keys[-8:])
    for number in range(5):
        assert remember_evidence(evidence(machine=f"{number:016x}"))
    assert len(json.loads(profile_of())["machines"]) == 2


def test_a_scope_is_a_plain_name():
    with pytest.raises(UserError):
        remember_choice(evidence(), "../other")


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"format": "deepseek.profile/1", "machines": {"a": 3}}'])
def test_a_damaged_profile_counts_as_empty_and_is_written_anew(damage, tmp_path):
    (tmp_path / "profile.json").write_bytes(damage)
    assert resolve({"device": "cpu", "threads": 2}).choices == {}
    assert remember_choice(evidence())
    assert resolve({"device": "cpu", "threads": 2}).choices == {KEY: BF16}


def test_the_key_follows_everything_that_decides_speed_and_nothing_else():
    base = ("resnet18", {"num_classes": 10, "width": 64}, (3, 32, 32), 64, "classification", "cuda:0")
    key = workload_key(*base)
    assert workload_key(*base[:1], {"width": 64, "num_classes": 10}, *base[2:]) == key
    assert workload_key(*base[:5], "cuda:1") == key
    for at, other in enumerate(["resnet34", {"num_classes": 11}, (3, 64, 64), 32, "regression", "cpu"]):
        assert workload_key(*base[:at], other, *base[at + 1 :]) != key
    assert workload_key("Wrapped:My Net", *base[1:]).startswith("wrapped_my_net-")


def test_the_fingerprint_follows_threads_and_the_version_of_pytorch(monkeypatch):
    before = fingerprint("cpu", 2)
    assert fingerprint("cpu", 2) == before != fingerprint("cpu", 4)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "99.0")
    assert fingerprint("cpu", 2) != before


def test_processes_that_write_at_the_same_time_lose_nothing():
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert all(pool.map(_store_one, range(24)))
    assert len(read_profile("cpu", 2).choices) == 24


def _store_one(number):
    return remember_evidence(evidence(key=workload_key("mlp", {"n": number}, (4,), 8, "classification", "cpu")))
