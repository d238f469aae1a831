"""Pipelines as values: the same steps give the same document."""

import pytest

from deepseek.pipeline import document, step


def digits_chain(**train_params):
    data = step("data", "data.digits")
    split = step("split", "data.split", {"test": 0.2}, dataset=data.out("dataset"))
    model = step("model", "model.convnet")
    return step("train", "train.classifier", train_params, model=model.out("model"), dataset=split.out("train"))


def test_equal_steps_give_equal_documents():
    assert document([digits_chain(epochs=2)]) == document([digits_chain(epochs=2)])


def test_steps_that_do_the_same_are_one_block():
    data = step("data", "data.digits")
    again = step("data", "data.digits")
    left, right = step("a", "x.one", dataset=data.out("d")), step("b", "x.two", dataset=again.out("d"))
    made, _ = document([left, right])
    assert list(made["blocks"]) == ["data", "a", "b"]


def test_what_a_model_was_trained_with_keeps_its_ids_when_more_is_added():
    train = digits_chain()
    before, _ = document([train])
    other = step("data", "data.fashion_mnist")
    evaluate = step("evaluate", "evaluate.classifier", model=train.out("model"), dataset=other.out("dataset"))
    after, ids = document([evaluate])
    assert {id_: after["blocks"][id_] for id_ in before["blocks"]} == before["blocks"]
    assert ids[other] == "data_2"


def test_a_second_training_is_a_block_of_its_own():
    first = digits_chain()
    second = step("train", "train.classifier", model=first.out("model"))
    made, _ = document([second])
    assert made["wires"][-1] == ["train.model", "train_2.model"]


def test_a_list_input_keeps_the_order_of_its_wires():
    models = [step("model", "model.mlp", {"width": width}) for width in (1, 2, 3)]
    vote = step("vote", "model.vote", models=[model.out("model") for model in models])
    made, _ = document([vote])
    assert [wire[0] for wire in made["wires"]] == ["model.model", "model_2.model", "model_3.model"]


def test_parameters_and_inputs_that_are_none_are_left_out():
    lonely = step("train", "train.classifier", {"epochs": None, "lr": 0.1}, model=None)
    made, _ = document([lonely])
    assert made["blocks"]["train"]["params"] == {"lr": 0.1}
    assert made["wires"] == []


def test_no_two_blocks_lie_on_each_other():
    positions = document([digits_chain()])[0]["layout"]["positions"].values()
    assert len({tuple(place) for place in positions}) == len(positions)


def test_a_chain_of_five_hundred_trainings_needs_no_deep_stack():
    current = digits_chain()
    for _ in range(500):
        current = step("train", "train.classifier", model=current.out("model"), dataset=current.inputs[1][1])
    assert len(document([current])[0]["blocks"]) == 504


def test_a_step_cannot_be_changed():
    with pytest.raises(AttributeError):
        digits_chain().type = "other"
