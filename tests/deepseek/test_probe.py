"""What a run in this process measured is kept, and the next run's plan shows it."""

from deepseek import Dataset, local
from engine.api import RunResult
from engine.compute.plan import resolve
from engine.compute.profile import evidence_of, workload_key
from engine.events import Decision
from engine.spec import Choice


def test_a_choice_that_a_run_measured_is_in_the_plan_of_the_next_run(sdk, monkeypatch):
    plan = resolve({"device": "cpu", "threads": 1})
    key = workload_key("mlp", {}, (4,), 8, "classification", "cpu")
    evidence = evidence_of(plan, key, Choice(precision="bf16"), {"fp32": 0.2, "bf16": 0.1})

    def run(document, *, sink, **more):
        sink(Decision("train", "probe", 0, "", "", {}, evidence))
        return RunResult("succeeded")

    document = Dataset.load("digits").pipeline()
    with monkeypatch.context() as patch:
        patch.setattr("engine.api.execute", run)
        assert local.execute(document, show=lambda event: None).status == "succeeded"
    result = local.execute(document, plan={"device": "cpu", "threads": 1}, show=lambda event: None)
    assert result.plan["choices"] == {key: {"precision": "bf16", "memory_format": "contiguous", "compile": False}}
