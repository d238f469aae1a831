"""From a file of texts to a model that answers, and from a corpus to one that writes."""

import json

import numpy as np
import pytest
import torch

from engine.artifacts import ArtifactStore, ModelRef
from engine.blocks.data import split, text, text_corpus
from engine.blocks.evaluate import classifier as judge
from engine.blocks.evaluate import language_model as perplexity_block
from engine.blocks.predict import classifier as ask
from engine.blocks.predict import generate
from engine.blocks.train import classifier, language_model
from engine.datasets import class_labels, open_texts, subset
from engine.errors import UserError
from engine.runtime.bundle import load_bundle, save_bundle
from engine.runtime.models import save_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.predict import try_model
from engine.runtime.predictor import Predictor
from tests.engine.contexts import Recorder

WORDS = {"good": ("lovely", "superb", "fine"), "bad": ("dull", "awful", "weak")}
ENCODER = {"hidden_size": 32, "layers": 1, "heads": 2, "intermediate_size": 64, "pooling": "mean", "dropout": 0.0}
DECODER = {"hidden_size": 32, "layers": 1, "heads": 2, "intermediate_size": 64}


def reviews(count: int = 60) -> str:
    rows = []
    for number in range(count):
        label = ("good", "bad")[number % 2]
        word = WORDS[label][number % 3]
        rows.append({"review": f"the film number {number} was {word} from start to end", "verdict": label})
    return "\n".join(json.dumps(row) for row in rows)


def labelled(bench, **params):
    file = bench.upload(reviews().encode(), "reviews.jsonl")
    return text.run(text.Params(file=file, **params), model=None, ctx=bench).dataset


def corpus(bench, content="the cat sat on the mat and the dog lay by the door\n" * 60, **params):
    file = bench.upload(content.encode(), "verse.txt")
    given = {"length": 16, "vocabulary": 300, "divided": "lines", **params}
    return text_corpus.run(text_corpus.Params(file=file, **given), model=None, ctx=bench).dataset


@pytest.fixture
def room(bench, tmp_path):
    """A context that trains, on the store of the one that reads."""
    ctx = Recorder(tmp_path)
    ctx.store = bench.store
    return ctx


@pytest.fixture
def critic(bench, room) -> ModelRef:
    dataset = labelled(bench)
    fresh = save_model(bench.store, ModelSpec(architecture="bert", config=ENCODER))
    params = classifier.Params(epochs=5, batch_size=10, learning_rate=0.01)
    return classifier.run(params, model=fresh, dataset=dataset, validation=None, ctx=room).model


@pytest.fixture
def writer(bench, room) -> ModelRef:
    fresh = save_model(bench.store, ModelSpec(architecture="transformer_lm", config=DECODER))
    params = language_model.Params(epochs=16, batch_size=8, learning_rate=0.02)
    return language_model.run(params, model=fresh, dataset=corpus(bench), validation=None, ctx=room).model


def test_labelled_texts_say_what_was_found_and_keep_their_texts(bench):
    made = labelled(bench)
    assert (made.kind, made.meta["task"], made.meta["classes"]) == ("text", "classification", ["bad", "good"])
    assert made.meta["detected"] == {"format": "json", "text": "review", "label": "verdict"}
    view = open_texts(made)
    assert view.texts([1]) == ["the film number 1 was awful from start to end"]
    assert view.take([1])[0, 0] == view.tokenizer.encode([""])[0][0]
    assert class_labels(made).tolist()[:2] == [1, 0]
    assert made.read_json("preview.json")["items"][0]["label"] in ("good", "bad")
    assert labelled(bench) == made


def test_one_class_only_is_refused_at_the_label(bench):
    file = bench.upload(b'{"text": "a b", "label": 1}\n{"text": "c d", "label": 1}', "one.jsonl")
    with pytest.raises(UserError, match="1 different values") as caught:
        text.run(text.Params(file=file, label="label"), model=None, ctx=bench)
    assert caught.value.field == "label"


def test_texts_are_split_by_class_without_copying_a_token(bench):
    parts = split.run(split.Params(validation=0.0, test=0.25), dataset=labelled(bench), ctx=bench)
    assert "tokens.npy" not in parts.test.files
    labels = class_labels(parts.test)
    assert sorted(np.bincount(labels).tolist()) == [7, 8] or np.bincount(labels).tolist() == [8, 8]
    assert open_texts(parts.test).texts([0])[0].startswith("the film number")


def test_a_classifier_learns_texts_is_judged_and_asked(bench, room, critic):
    dataset = labelled(bench)
    measured = judge.run(judge.Params(), model=critic, dataset=dataset, ctx=room)
    assert measured.metrics.read_json("metrics.json")["accuracy"] == 1.0
    items = measured.confusion.read_json("samples.json")["items"]
    assert items[0]["text"].startswith("the film")
    said = ask.run(ask.Params(), model=critic, dataset=dataset, ctx=room).predictions.read_json("preview.json")
    assert said["kind"] == "texts"
    assert said["items"][0] == {**said["items"][0], "label": "good", "predicted": "good"}
    assert {name for name, _, _ in room.points} >= {"tokens_per_s", "train_accuracy"}


def test_the_tokenizer_travels_with_the_model(tmp_path, critic):
    save_bundle(critic, tmp_path / "critic.zip")
    again = load_bundle(tmp_path / "critic.zip", ArtifactStore(tmp_path / "elsewhere"))
    records = Predictor.open(again).predict_texts(["the film was superb", "the film was awful"]).records()
    assert [record["label"] for record in records] == ["good", "bad"]


def test_a_model_reads_texts_with_its_own_tokenizer_whatever_theirs_is(bench, room, critic):
    other = labelled(bench, tokenizer="bpe", length=40)
    measured = judge.run(judge.Params(), model=critic, dataset=other, ctx=room)
    assert measured.metrics.read_json("metrics.json")["accuracy"] == 1.0
    params = classifier.Params(epochs=1, batch_size=10, learning_rate=1e-6)
    tuned = classifier.run(params, model=critic, dataset=other, validation=None, ctx=room).model
    assert tuned.read_bytes("tokenizer.json") == critic.read_bytes("tokenizer.json")
    assert judge.run(judge.Params(), model=tuned, dataset=other, ctx=room).metrics.read_json("metrics.json")[
        "accuracy"
    ] == 1.0  # fmt: skip


def test_a_model_of_texts_refuses_images_and_a_decoder_refuses_classes(bench, room, critic):
    from engine.testing import images

    with pytest.raises(UserError, match="The model takes tokens, the data set holds images"):
        judge.run(judge.Params(), model=critic, dataset=images(bench.store), ctx=room)
    with pytest.raises(UserError, match="The model takes texts, not rows"):
        Predictor.open(critic).predict_table(None)
    fresh = save_model(bench.store, ModelSpec(architecture="transformer_lm", config=DECODER))
    with pytest.raises(UserError, match="transformer_lm"):
        classifier.run(classifier.Params(epochs=1), model=fresh, dataset=labelled(bench), validation=None, ctx=room)


def test_a_language_model_learns_and_its_perplexity_has_an_interval(bench, room, writer):
    measured = perplexity_block.run(perplexity_block.Params(), model=writer, dataset=corpus(bench), ctx=room)
    numbers = measured.metrics.read_json("metrics.json")
    assert numbers["perplexity_low"] < numbers["perplexity"] < numbers["perplexity_high"] < 2
    assert numbers["baseline_perplexity"] > 5
    assert numbers["token_accuracy"] > 0.7
    assert len(measured.figure.read_json("figure.json")["data"][0]["x"]) == 15  # the last token of 16 asks nothing
    last = room.series("train_token_accuracy")[-1][1]
    assert last > 0.5


def test_a_corpus_of_other_tokens_is_refused_until_the_model_is_connected(bench, room, writer):
    other = "a dog and a cat lay on the mat by the door\n" * 60
    with pytest.raises(UserError, match="another tokenizer"):
        perplexity_block.run(perplexity_block.Params(), model=writer, dataset=corpus(bench, other), ctx=room)
    file = bench.upload(other.encode(), "other.txt")
    params = text_corpus.Params(file=file, length=16, divided="lines")
    shared = text_corpus.run(params, model=writer, ctx=bench).dataset
    found = perplexity_block.run(perplexity_block.Params(), model=writer, dataset=shared, ctx=room)
    assert found.metrics.read_json("metrics.json")["count"] > 100


def test_a_language_model_writes_the_same_for_the_same_seed(bench, room, writer):
    params = generate.Params(prompt="the cat\nthe dog", count=2, max_tokens=9, temperature=1.0)
    first, second = (generate.run(params, model=writer, ctx=room).predictions for _ in range(2))
    assert first == second
    preview = first.read_json("preview.json")
    assert preview["total"] == 4
    assert preview["items"][0]["text"].startswith("the cat ")
    greedy = Predictor.open(writer).write("the cat sat on the", temperature=0, max_tokens=4)
    assert greedy.startswith((" mat", " ma"))
    with pytest.raises(UserError, match="fills in no words"):
        Predictor.open(writer).fill("the [MASK]")


def test_hidden_words_are_learned_and_filled_in(bench, room, tmp_path):
    dataset = corpus(bench, task="masked_lm")
    assert dataset.meta["mask_id"] is not None
    fresh = save_model(bench.store, ModelSpec(architecture="bert", config=ENCODER))
    params = language_model.Params(epochs=30, batch_size=8, learning_rate=0.01)
    made = language_model.run(params, model=fresh, dataset=dataset, validation=dataset, ctx=room).model
    assert Predictor.open(made).spec.task == "masked_lm"
    losses = [value for _, value in room.series("validation_loss")]
    assert losses[-1] < 0.5 * losses[0]
    found = Predictor.open(made).fill("the cat [MASK] on the mat")
    assert len(found["masks"]) == 1
    assert found["masks"][0][0]["probability"] > found["masks"][0][-1]["probability"]
    with pytest.raises(UserError, match=r"no \[MASK\]"):
        Predictor.open(made).fill("the cat sat")


def test_hidden_words_of_texts_that_a_model_cut_anew_are_its_own(bench, room):
    """The mask and the padding are those of the model's tokenizer, not of the data's."""
    teacher = corpus(bench, task="masked_lm", vocabulary=200)
    fresh = save_model(bench.store, ModelSpec(architecture="bert", config=ENCODER))
    params = language_model.Params(task="masked_lm", epochs=1, batch_size=8)
    made = language_model.run(params, model=fresh, dataset=teacher, validation=None, ctx=room).model
    other = labelled(bench, tokenizer="bpe")
    assert other.meta["mask_id"] is None
    tuned = language_model.run(params, model=made, dataset=other, validation=other, ctx=room).model
    assert tuned.read_bytes("tokenizer.json") == made.read_bytes("tokenizer.json")
    measured = perplexity_block.run(perplexity_block.Params(), model=tuned, dataset=other, ctx=room)
    assert measured.metrics.read_json("metrics.json")["count"] > 10


def try_it(tmp_path, model, content, **options):
    folder = tmp_path / "job"
    (folder / "input").mkdir(parents=True, exist_ok=True)
    model.store.copy(model.digest, ArtifactStore(folder / "store"))
    (folder / "input/text.txt").write_text(content)
    return try_model(folder, {"model": model.digest, "file": "input/text.txt", "options": options})


def test_each_line_is_answered_when_a_classifier_is_tried(tmp_path, critic):
    result = try_it(tmp_path, critic, "the film was lovely\n\nthe film was dull\n")
    assert [answer["label"] for answer in result["predictions"]] == ["good", "bad"]
    assert result["preview"]["items"][1]["predicted"] == "bad"
    assert result["total"] == 2


def test_a_prompt_is_continued_when_a_language_model_is_tried(tmp_path, writer):
    result = try_it(tmp_path, writer, "the cat sat on", max_tokens=5, temperature=0.0)
    assert result["predictions"][0]["prompt"] == "the cat sat on"
    assert result["predictions"][0]["text"].startswith(" the")
    with pytest.raises(UserError, match="max_tokens is not valid"):
        try_it(tmp_path, writer, "the cat", max_tokens=100_000)


def test_a_view_of_a_corpus_has_its_own_blocks(bench):
    whole = corpus(bench)
    part = subset(bench.store, whole, np.array([3, 1]))
    assert np.array_equal(open_texts(part).take(slice(None)), open_texts(whole).take([3, 1]))
    assert part.read_json("preview.json")["total"] == 2
    assert torch.from_numpy(open_texts(part).take(slice(None))).dtype == torch.int32
