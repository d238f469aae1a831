from engine.graph import arrange
from tests.engine.toy import chain, document


def test_blocks_without_a_place_get_one_of_their_own_in_the_direction_of_the_wires():
    placed = arrange(chain()).layout["positions"]
    assert placed["data"][0] < placed["add"][0] < placed["read"][0]
    assert len({tuple(place) for place in placed.values()}) == 3


def test_what_has_a_place_keeps_it():
    body = chain().to_json()
    body["layout"]["positions"] = {"add": [7, 9]}
    doc = chain().with_(layout=body["layout"])
    placed = arrange(doc).layout["positions"]
    assert placed["add"] == [7, 9]
    assert set(placed) == {"data", "add", "read"}
    assert arrange(arrange(doc)) == arrange(doc)


def test_blocks_in_one_column_do_not_lie_on_each_other():
    placed = arrange(document({"a": {"type": "data.source"}, "b": {"type": "data.source"}})).layout["positions"]
    assert placed["a"] != placed["b"]
