"""A tokenizer without the words that nobody uses."""

import json

import pytest

from engine.errors import UserError
from engine.text import TextTokenizer, train_tokenizer
from engine.text.trim import rows_of, trimmed

TEXTS = ["the rain falls on the roof of the house", "a house has a roof", "snow falls on the garden in winter"]


@pytest.fixture
def whole():
    return train_tokenizer(TEXTS * 3, kind="wordpiece", size=400)


def cut(tokenizer, text):
    return [tokenizer.token(number) for number in tokenizer.encode([text])[0]]


def test_texts_that_were_given_are_cut_as_before_by_a_smaller_table(whole):
    small = trimmed(whole, TEXTS[:2])
    assert small.size < whole.size
    assert all(cut(small, text) == cut(whole, text) for text in TEXTS[:2])
    assert small.content == trimmed(whole, TEXTS[:2]).content


def test_words_that_did_not_occur_are_spelled(whole):
    small = trimmed(whole, TEXTS[:2])
    pieces = cut(small, "winter")
    assert len(pieces) > len(cut(whole, "winter"))
    assert small.decode(small.encode(["winter"])[0]) == "winter"


def test_special_tokens_keep_their_meaning(whole):
    small = trimmed(whole, TEXTS[:1])
    assert cut(small, "roof")[0] == "[CLS]"
    assert small.token(small.pad_id) == "[PAD]"
    assert small.mask_id is not None


def test_tokens_around_a_text_are_renumbered_in_the_older_form_too(whole):
    content = json.loads(whole.content)
    known = content["model"]["vocab"]
    content["post_processor"] = {
        "type": "BertProcessing", "sep": ["[SEP]", known["[SEP]"]], "cls": ["[CLS]", known["[CLS]"]],
    }  # fmt: skip
    small = trimmed(TextTokenizer(json.dumps(content).encode()), TEXTS[:1])
    assert cut(small, "roof") == cut(whole, "roof")


def test_each_word_finds_its_row_in_the_larger_table(whole):
    small = trimmed(whole, TEXTS[:1])
    assert [whole.token(row) for row in rows_of(small, whole)] == [small.token(n) for n in range(small.size)]
    assert None in rows_of(whole, small)


def test_byte_pairs_are_refused():
    with pytest.raises(UserError, match="is BPE, not WordPiece") as caught:
        trimmed(train_tokenizer(TEXTS, kind="bpe", size=300), TEXTS)
    assert caught.value.field == "reads"
