"""A tokenizer: trained on texts, or read from a ``tokenizer.json`` of the ``tokenizers`` library.

Called through :mod:`engine.text`. Two kinds are trained here:

``bpe``        byte pairs: any text in any language, gives back exactly what went in (R. Sennrich, B. Haddow, A. Birch,
               "Neural machine translation of rare words with subword units", ACL 2016); for language models
``wordpiece``  words in lower case and their parts (M. Schuster, K. Nakajima, "Japanese and Korean voice search",
               ICASSP 2012), with [CLS] before and [SEP] behind each text; for encoders such as BERT

The same texts give the same tokenizer, byte for byte.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Literal

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from engine.errors import UserError

Kind = Literal["bpe", "wordpiece"]
PAD, END, UNKNOWN, START, STOP, MASK = "[PAD]", "[END]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
PADS = (PAD, "<pad>", "<|pad|>", "<|padding|>")
ENDS = (END, "<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", STOP)
MASKS = (MASK, "<mask>")
SPECIALS = (*PADS, *ENDS, *MASKS, UNKNOWN, START, "<s>", "<bos>", "<unk>", "<|startoftext|>")
CHARACTERS = 2000
"""Most different characters that a trained WordPiece vocabulary holds; rarer ones become [UNK]."""
PIECE = 65_536


class TextTokenizer:
    """Texts to token numbers and back.

    Parameters
    ----------
    content
        Bytes of a ``tokenizer.json``.

    Attributes
    ----------
    pad_id, end_id, mask_id
        Numbers of the tokens that fill up, end a text and hide a word; None where there is none.

    Raises
    ------
    UserError
        When it is no such file.

    Examples
    --------
    >>> tokenizer = train_tokenizer(["to be or not to be"] * 3, kind="bpe", size=300)
    >>> tokenizer.decode(tokenizer.encode(["to be"])[0])
    'to be'
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        try:
            self._tokenizer = Tokenizer.from_str(content.decode())
        except Exception as error:  # the library raises bare Exception for every kind of damage
            raise UserError(
                "This is not a tokenizer.json of the tokenizers library",
                field="tokenizer_path",
                hint="Choose the file tokenizer.json that lies beside a model.",
            ) from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.end_id = self._first(ENDS)
        self.mask_id = self._first(MASKS)
        self.pad_id = self._first(PADS)

    def _first(self, names: Sequence[str]) -> int | None:
        found = (self._tokenizer.token_to_id(name) for name in names)
        return next((number for number in found if number is not None), None)

    @cached_property
    def sha256(self) -> str:
        """Hash of the file: models and data with the same one speak the same tokens."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def size(self) -> int:
        """How many different tokens there are."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    @property
    def special_ids(self) -> list[int]:
        """Tokens that stand for no text."""
        numbers = {self._tokenizer.token_to_id(name) for name in SPECIALS}
        return sorted(number for number in numbers if number is not None)

    @property
    def ends_texts(self) -> bool:
        """True when the tokenizer itself puts tokens around a text."""
        return bool(self._tokenizer.num_special_tokens_to_add(False))

    def encode(self, texts: Sequence[str], *, specials: bool = True) -> list[list[int]]:
        """Token numbers of each text.

        Parameters
        ----------
        specials
            False leaves out the tokens that the tokenizer puts around a text.
        """
        return [found.ids for found in self._tokenizer.encode_batch(list(texts), add_special_tokens=specials)]

    def encode_long(self, text: str) -> list[int]:
        """Token numbers of a text of any length, without tokens around it; it is cut at line ends to save memory."""
        return [number for numbers in self.encode(list(_pieces(text)), specials=False) for number in numbers]

    def decode(self, numbers: Sequence[int], *, specials: bool = False) -> str:
        """The text of some tokens; special tokens are left out unless asked for."""
        return str(self._tokenizer.decode(list(numbers), skip_special_tokens=not specials))

    def decode_all(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """The text of each row of tokens."""
        return [str(text) for text in self._tokenizer.decode_batch([list(row) for row in rows])]

    def token(self, number: int) -> str:
        """One token as it is written in the vocabulary."""
        return str(self._tokenizer.id_to_token(number))


def train_tokenizer(texts: Iterable[str], *, kind: Kind, size: int, lower: bool = True) -> TextTokenizer:
    """Find the parts of words that occur most often.

    Parameters
    ----------
    texts
        Read once.
    size
        Most different tokens; there are fewer when the texts have not so many parts that occur twice.
    lower
        Of WordPiece: capitals become small letters, and accents go.

    Examples
    --------
    >>> texts = ["the cat sat on the mat", "the dog sat on the cat"]
    >>> tokenizer = train_tokenizer(texts, kind="wordpiece", size=60)
    >>> tokenizer.decode(tokenizer.encode(["The cat"])[0]), tokenizer.mask_id is not None
    ('the cat', True)
    """
    trained = _byte_pairs(texts, size) if kind == "bpe" else _word_pieces(texts, size, lower)
    return TextTokenizer(trained.to_str().encode())


def _byte_pairs(texts: Iterable[str], size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=[PAD, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator((piece for text in texts for piece in _pieces(text)), trainer)
    return tokenizer


def _word_pieces(texts: Iterable[str], size: int, lower: bool) -> Tokenizer:
    """A WordPiece vocabulary from byte pairs: the library's own trainer numbers its pieces by chance.

    The pairs are found as in BPE; then each piece is kept as a beginning or as a part inside (``##``), as often as it
    is used there.
    """
    normalizer = normalizers.BertNormalizer(lowercase=lower)
    splitter = pre_tokenizers.BertPreTokenizer()
    words: Counter[str] = Counter()
    for text in texts:
        for piece in _pieces(text):
            words.update(word for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(piece)))
    specials = [PAD, UNKNOWN, START, STOP, MASK]
    vocabulary = {name: number for number, name in enumerate([*specials, *_parts(words, size - len(specials))])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=UNKNOWN, max_input_chars_per_word=100))
    tokenizer.add_special_tokens(specials)
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {STOP}", special_tokens=[(START, vocabulary[START]), (STOP, vocabulary[STOP])]
    )
    return tokenizer


def _parts(words: Counter[str], size: int) -> list[str]:
    """The most used parts of words, each as a beginning or with ``##``; single characters first."""
    letters: Counter[str] = Counter()
    for word, count in words.items():
        for letter in word:
            letters[letter] += count
    known = sorted(_most(letters, CHARACTERS))
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=2, initial_alphabet=known, limit_alphabet=len(known), show_progress=False
    )
    pairs = Tokenizer(models.BPE())
    ordered = sorted(words)
    pairs.train_from_iterator((word for word in ordered for _ in range(min(words[word], 1000))), trainer)
    used: Counter[str] = Counter()
    for word, found in zip(ordered, pairs.encode_batch(ordered), strict=True):
        for place, token in enumerate(found.tokens):
            used[token if place == 0 else f"##{token}"] += words[word]
    single = [*known, *(f"##{letter}" for letter in known)]
    for part in single:
        used.pop(part, None)
    return [*single, *_most(used, max(0, size - len(single)))]


def _most(counts: Counter[str], limit: int) -> list[str]:
    return [name for name, _ in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:limit]]


def _pieces(text: str) -> Iterator[str]:
    """A long text cut at line ends, so that it never lies in memory as one huge list of tokens with their places."""
    start = 0
    while len(text) - start > PIECE:
        cut = text.rfind("\n", start, start + PIECE) + 1 or start + PIECE
        yield text[start:cut]
        start = cut
    if start < len(text) or not text:
        yield text[start:]


def facts(tokenizer: TextTokenizer) -> dict[str, Any]:
    """What the meta of a data set says about its tokenizer."""
    return {
        "vocab_size": tokenizer.size,
        "pad_id": tokenizer.pad_id,
        "end_id": tokenizer.end_id,
        "mask_id": tokenizer.mask_id,
        "special_ids": tokenizer.special_ids,
    }
