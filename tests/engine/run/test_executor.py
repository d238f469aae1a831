import pytest

from engine.errors import CancelledRun, InterruptedRun, UserError
from engine.events import unpack_points
from tests.engine.toy import RUNS, Bench, chain, document


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_a_run_gives_outputs_metrics_and_numbered_steps(bench):
    result = bench.run(chain(amount=2, steps=3))
    assert result.status == "succeeded"
    assert bench.value(result.outputs["add"]["dataset"]) == 3
    assert result.metrics["add.total"] == 3
    points = [unpack_points(e) for e in bench.said("metrics")]
    assert [s for steps, _, _ in points for s in steps] == [0, 1, 2]
    assert [e.type for e in bench.events][0] == "run_started"
    assert [e.type for e in bench.events][-1] == "run_done"


def test_a_second_run_is_cached_and_says_so(bench):
    bench.run(chain())
    first = dict(RUNS)
    bench.run(chain())
    assert dict(RUNS) == first
    assert {e["reason"]["code"] for e in bench.said("block_cached")} == {"cached"}


def test_a_changed_parameter_reruns_only_what_depends_on_it_and_names_it(bench):
    bench.run(chain(amount=1))
    bench.run(chain(amount=2))
    assert RUNS["data"] == 1
    assert RUNS["add"] == 2
    assert bench.said("block_started")[0]["reason"]["message"] == "amount 1 -> 2"


def test_equal_content_cuts_off_early(bench):
    bench.run(chain(value=1.0))
    bench.run(chain(value=1.1))
    assert RUNS == {"data": 2, "add": 1, "read": 1}


def test_a_number_written_as_integer_is_the_same_parameter(bench):
    bench.run(chain(value=1.0))
    bench.run(chain(value=1))
    assert RUNS["data"] == 1


def test_labels_and_positions_do_not_change_what_runs(bench):
    bench.run(chain())
    doc = chain()
    body = doc.to_json()
    body["blocks"]["add"]["label"] = "Plus"
    body["layout"]["positions"] = {"add": [3, 4]}
    bench.run(document(body["blocks"], body["wires"]))
    assert RUNS["add"] == 1
    assert document(body["blocks"], body["wires"]).run_digest() == doc.run_digest()


def test_a_new_seed_reruns_everything_with_that_reason(bench):
    bench.run(chain())
    bench.run(chain().with_(seed=5))
    assert bench.said("block_started")[0]["reason"]["message"] == "seed 0 -> 5"


def test_what_was_evicted_runs_again(bench, tmp_path):
    result = bench.run(chain())
    ref = result.outputs["add"]["dataset"]
    path = bench.store.blob_path(ref.digest[7:])
    path.chmod(0o600)
    path.unlink()
    bench.run(chain())
    assert RUNS == {"data": 1, "add": 2, "read": 1}
    assert bench.said("block_started")[0]["reason"]["code"] == "evicted"


def test_a_user_error_lands_at_its_block_and_field_and_other_branches_go_on(bench):
    doc = document(
        {
            "data": {"type": "data.source"},
            "bad": {"type": "train.add", "params": {"fail": "user"}},
            "behind": {"type": "evaluate.read"},
            "good": {"type": "train.add"},
        },
        [["data.dataset", "bad.dataset"], ["bad.metrics", "behind.metrics"], ["data.dataset", "good.dataset"]],
    )
    result = bench.run(doc)
    assert result.status == "failed"
    assert (result.error["block"], result.error["field"]) == ("bad", "amount")
    assert bench.said("block_skipped") == [{"type": "block_skipped", "block": "behind", "because": "bad"}]
    assert "good" in result.outputs


def test_a_bug_keeps_its_traceback(bench):
    result = bench.run(chain(fail="bug"))
    assert result.error["kind"] == "bug"
    assert "ZeroDivisionError" in result.error["traceback"]


def test_run_to_here_runs_what_the_target_needs(bench):
    bench.run(chain(), targets=["add"])
    assert set(RUNS) == {"data", "add"}


def test_run_from_here_runs_cached_blocks_again(bench):
    bench.run(chain())
    bench.run(chain(), rerun_from="add")
    assert RUNS == {"data": 1, "add": 2, "read": 2}
    assert bench.said("block_started")[0]["reason"]["code"] == "asked"


def test_a_block_that_is_not_cacheable_runs_every_time(bench):
    doc = document(
        {"data": {"type": "data.source"}, "add": {"type": "train.add"}, "a": {"type": "evaluate.always"}},
        [["data.dataset", "add.dataset"], ["add.metrics", "a.metrics"]],
    )
    bench.run(doc)
    bench.run(doc)
    assert RUNS["a"] == 2


def test_timings_stay_outside_keys(bench):
    doc = document(
        {"data": {"type": "data.source"}, "read": {"type": "evaluate.read"}}, [["data.timing", "read.metrics"]]
    )
    bench.run(doc)
    bench.run(doc, rerun_from="data", targets=["data"])
    bench.run(doc)
    assert RUNS["read"] == 1


def test_a_bypassed_block_passes_its_input_on(bench):
    doc = document(
        {
            "data": {"type": "data.source", "params": {"value": 4}},
            "skip": {"type": "train.add", "bypass": True},
            "add": {"type": "train.add"},
        },
        [["data.dataset", "skip.dataset"], ["skip.dataset", "add.dataset"]],
    )
    result = bench.run(doc)
    assert bench.value(result.outputs["add"]["dataset"]) == 5
    assert "skip" not in RUNS


def test_the_order_of_wires_into_a_list_is_part_of_the_key(bench):
    blocks = {
        "a": {"type": "data.source", "params": {"value": 1}},
        "b": {"type": "data.source", "params": {"value": 2}},
        "add": {"type": "train.add"},
    }
    wires = [["a.dataset", "add.dataset"], ["a.dataset", "add.more"], ["b.dataset", "add.more"]]
    bench.run(document(blocks, wires))
    bench.run(document(blocks, [wires[0], wires[2], wires[1]]))
    assert RUNS["add"] == 2


def test_cancel_stops_within_a_step_and_the_next_run_starts_where_it_was(bench):
    bench.stop = CancelledRun()
    result = bench.run(chain())
    assert result.status == "cancelled"
    assert not RUNS
    assert [e["because"] for e in bench.said("block_skipped")] == ["cancelled", "cancelled"]
    bench.stop = None
    assert bench.run(chain()).status == "succeeded"


def test_an_interrupted_run_goes_on_at_the_next_step(bench):
    class Stop:
        asked = 0

        def __call__(self):
            self.asked += 1
            return InterruptedRun() if self.asked > 6 else None

    from engine.run.executor import execute
    from tests.engine.toy import CATALOG

    options = {
        "catalog": CATALOG,
        "store": bench.store,
        "cache": bench.cache,
        "folder": bench.folder / "run",
        "plan": {"device": "cpu", "threads": 1},
    }
    with pytest.raises(InterruptedRun):
        execute(chain(steps=20), sink=bench.events.append, stop=Stop(), **options)
    before = [s for e in bench.said("metrics") for s in unpack_points(e)[0]]
    assert before
    assert "run_done" not in [e.type for e in bench.events]
    bench.events = []
    execute(chain(steps=20), sink=bench.events.append, **options)
    after = [s for e in bench.said("metrics") for s in unpack_points(e)[0]]
    assert before + after == list(range(20))
    assert bench.said("run_started")[0]["resumed"] is True


def test_a_pipeline_with_problems_does_not_start(bench):
    with pytest.raises(UserError, match="not connected"):
        bench.run(document({"add": {"type": "train.add"}}))
    assert bench.events == []
