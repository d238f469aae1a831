"""Texts with the SDK: loaded in any form, learned, asked, continued."""

import json

import pandas as pd
import pytest

from deepseek import Dataset, Model
from deepseek.errors import RunFailed, UsageError

QUICK = {"batch_size": 16, "device": "cpu", "threads": 1, "show": False}
WORDS = {"good": ("lovely", "superb", "fine"), "bad": ("dull", "awful", "weak")}
TEXTS = [f"the film number {n // 2} was {WORDS[('good', 'bad')[n % 2]][n % 3]} to the end" for n in range(90)]
LABELS = [("good", "bad")[n % 2] for n in range(90)]


@pytest.fixture(scope="module")
def reviews(sdk):
    return Dataset.from_texts(TEXTS, LABELS)


def test_texts_come_from_lists_frames_and_files_alike(reviews, tmp_path):
    assert (reviews.kind, reviews.task, reviews.classes, len(reviews)) == (
        "text",
        "classification",
        ["bad", "good"],
        90,
    )
    assert repr(reviews) == "Dataset(texts, 90 texts, 2 classes)"
    frame = Dataset.from_pandas(pd.DataFrame({"said": TEXTS, "verdict": LABELS}), text="said", target="verdict")
    lines = tmp_path / "reviews.jsonl"
    lines.write_text("\n".join(json.dumps({"said": t, "verdict": v}) for t, v in zip(TEXTS, LABELS, strict=True)))
    table = tmp_path / "reviews.csv"
    pd.DataFrame({"said": TEXTS, "verdict": LABELS}).to_csv(table, index=False)
    found = [frame, Dataset.load(lines), Dataset.load(table, text="said", target="verdict")]
    tokens = [dataset.artifact.files["tokens.npy"]["sha256"] for dataset in [reviews, *found]]
    assert len(set(tokens)) == 1
    assert all(dataset.classes == ["bad", "good"] for dataset in found)


def test_a_classifier_of_texts_learns_and_is_asked_again_after_it_was_saved(reviews, tmp_path):
    model = Model.create("bert", pooling="mean", dropout=0.0)
    model.train(reviews, epochs=4, learning_rate=0.002, **QUICK)
    assert model.evaluate(reviews, show=False)["accuracy"] > 0.9
    asked = ["the film number 3 was superb to the end", "the film number 4 was awful to the end"]
    assert model.predict(asked).labels == ["good", "bad"]
    assert Model.load(model.save(tmp_path / "critic.zip")).predict(asked[0]).labels == ["good"]
    (tmp_path / "some.txt").write_text("\n".join(asked))
    assert model.predict(tmp_path / "some.txt").labels == ["good", "bad"]
    assert model.predict(pd.Series(asked)).labels == ["good", "bad"]
    assert len(model.predict(reviews)) == len(reviews.test)
    with pytest.raises(UsageError, match="takes texts"):
        model.predict([1, 2])


def test_a_language_model_is_trained_measured_and_continues_a_text(sdk):
    corpus = Dataset.from_texts(TEXTS * 3, length=16, vocabulary=300)
    model = Model.create("transformer_lm", layers=1, hidden_size=32, heads=2)
    training = model.train(corpus, epochs=6, learning_rate=0.02, **QUICK)
    numbers = model.evaluate(corpus, show=False)
    assert numbers["perplexity_low"] < numbers["perplexity"] < numbers["perplexity_high"] < 12
    assert training["train_perplexity"] < numbers["baseline_perplexity"]
    written = model.generate("the film", max_tokens=8, seed=3)
    assert written == model.generate("the film", max_tokens=8, seed=3)
    assert written
    with pytest.raises(UsageError, match="tells no classes apart"):
        model.predict("the film")


def test_a_file_of_running_text_is_a_corpus_when_it_is_asked_for(sdk, tmp_path):
    path = tmp_path / "book.txt"
    path.write_text("It was late, and nobody came. " * 60)
    book = Dataset.load(path, task="language_model", length=8)
    assert (book.task, book.classes) == ("language_model", None)
    hidden = Dataset.load(path, task="masked_lm", length=8)
    assert hidden.task == "masked_lm"
    with pytest.raises(RunFailed, match="does not learn masked_lm, only language_model"):
        Model.create("transformer_lm").train(hidden, epochs=1, **QUICK)


def test_wrong_texts_are_refused_in_words(sdk):
    with pytest.raises(UsageError, match="list of strings"):
        Dataset.from_texts("one text")
    with pytest.raises(UsageError, match="2 texts and 1 labels"):
        Dataset.from_texts(["a", "b"], ["x"])
