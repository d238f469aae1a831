"""Texts: how files of them are read, and how they become tokens and words again.

Called by the text blocks, by :mod:`engine.datasets`, by prediction and generation. Needs the ``tokenizers`` library,
numpy and pyarrow; must not know blocks or networks.
"""

from engine.text.encode import packed, padded
from engine.text.tokenizer import TextTokenizer, train_tokenizer

__all__ = ["TextTokenizer", "packed", "padded", "train_tokenizer"]
