"""Texts become tokens and words again: the same tokenizer each time, nothing lost, nothing filled up in vain."""

import subprocess
import sys

import numpy as np
import pytest

from engine.errors import UserError
from engine.text import TextTokenizer, packed, padded, train_tokenizer

TEXTS = [f"Der Hund Nr. {n} läuft; 狗在跑 {n % 7} times over the lazy fox" for n in range(60)]
CHILD = """
from engine.text import train_tokenizer
from tests.engine.text.test_tokenizers import TEXTS
for kind in ("bpe", "wordpiece"):
    print(train_tokenizer(TEXTS, kind=kind, size=400).sha256)
"""


def test_the_same_texts_give_the_same_tokenizer_in_every_process():
    here = [train_tokenizer(TEXTS, kind=kind, size=400).sha256 for kind in ("bpe", "wordpiece")]
    for _ in range(2):
        there = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
        assert there.stdout.split() == here


def test_byte_pairs_give_back_exactly_what_went_in():
    tokenizer = train_tokenizer(TEXTS, kind="bpe", size=400)
    for text in (TEXTS[3], "  two  spaces\n\nand 😀 never seen ", "完全没见过的字"):
        assert tokenizer.decode(tokenizer.encode([text])[0]) == text


def test_word_pieces_have_a_beginning_and_an_end_and_know_what_they_do_not_know():
    tokenizer = train_tokenizer(TEXTS, kind="wordpiece", size=400)
    tokens = [tokenizer.token(number) for number in tokenizer.encode(["HUND 狗 ☃"])[0]]
    assert tokens == ["[CLS]", "hund", "狗", "[UNK]", "[SEP]"]
    assert tokenizer.mask_id is not None
    assert tokenizer.size <= 400


def test_frequent_words_are_one_token():
    few = train_tokenizer(TEXTS, kind="wordpiece", size=64)
    many = train_tokenizer(TEXTS, kind="wordpiece", size=400)
    assert len(many.encode([TEXTS[0]])[0]) < len(few.encode([TEXTS[0]])[0])


def test_a_tokenizer_file_that_is_none_is_refused_in_words():
    for content in (b"", b"{}", b'{"version": "1.0", "model": 3}', b"\xff\xfe"):
        with pytest.raises(UserError, match=r"not a tokenizer\.json"):
            TextTokenizer(content)


def test_texts_are_filled_up_to_one_length_and_long_ones_end_as_texts_end():
    tokenizer = train_tokenizer(TEXTS, kind="wordpiece", size=400)
    rows = padded(tokenizer, ["hund", TEXTS[0]], 6)
    assert rows.tokens.shape == (2, 6)
    assert rows.cut == 1
    assert rows.tokens[0].tolist()[-3:] == [tokenizer.pad_id] * 3
    assert rows.tokens[1, -1] == tokenizer.end_id == rows.tokens[0, 2]


def test_the_length_is_chosen_so_that_nearly_all_texts_fit():
    tokenizer = train_tokenizer(TEXTS, kind="wordpiece", size=400)
    rows = padded(tokenizer, [*TEXTS, "fox " * 500], None)
    assert rows.cut == 1
    assert rows.tokens.shape[1] % 8 == 0
    assert rows.tokens.shape[1] < 64


def test_packing_wastes_nothing_and_ends_every_document():
    tokenizer = train_tokenizer(TEXTS, kind="bpe", size=400)
    blocks = packed(tokenizer, TEXTS, 16)
    assert blocks.dtype == np.int32
    assert tokenizer.pad_id not in blocks
    joined = tokenizer.decode(blocks.ravel(), specials=True)
    written = "".join(f"{text}[END]" for text in TEXTS)
    assert written.startswith(joined)
    assert len(written) - len(joined) < 16 * 12


def test_a_long_document_is_cut_without_losing_a_letter():
    tokenizer = train_tokenizer(TEXTS, kind="bpe", size=400)
    book = "\n".join(TEXTS * 40) + "x" * 70_000
    assert tokenizer.decode(tokenizer.encode_long(book)) == book


def test_too_little_text_for_one_block_says_how_much_there_is():
    tokenizer = train_tokenizer(TEXTS, kind="bpe", size=400)
    with pytest.raises(UserError, match="fewer than one block of 512") as caught:
        packed(tokenizer, ["the fox"], 512)
    assert caught.value.field == "length"
