from hypothesis import given
from hypothesis import strategies as st

from engine.events import MetricBuffer, unpack_points


@given(st.lists(st.tuples(st.integers(0, 10**9), st.floats(allow_nan=False)), min_size=1, max_size=50))
def test_points_come_out_as_they_went_in(points):
    buffer = MetricBuffer("b", "m")
    for step, value in points:
        buffer.add(step, value, 5.0)
    event = buffer.flush()
    assert event is not None
    steps, times, values = unpack_points(event.to_json())
    assert list(zip(steps, values, strict=True)) == points
    assert set(times) == {5.0}
    assert buffer.flush() is None


def test_regular_steps_need_no_list():
    buffer = MetricBuffer("b", "m")
    for step in range(0, 100, 10):
        buffer.add(step, 0.0, 0.0)
    event = buffer.flush()
    assert event is not None
    assert (event.first_step, event.stride, event.steps) == (0, 10, None)
