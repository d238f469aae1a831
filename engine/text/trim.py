"""A tokenizer without the words that nobody uses: most of a small text model is a table of words.

Called by compression. Must not know models.
"""

from __future__ import annotations

import json
import string
from collections.abc import Sequence

from engine.errors import UserError
from engine.text.tokenizer import TextTokenizer


def trimmed(tokenizer: TextTokenizer, texts: Sequence[str]) -> TextTokenizer:
    """A tokenizer that knows only what occurs in some texts, and cuts those texts as before.

    Single letters, digits and signs stay, so that words which do not occur are spelled.

    Parameters
    ----------
    tokenizer
        WordPiece: longest match first. A match that occurs stays, and a shorter table brings no longer one, so every
        text that was given is cut at the same places.

    Raises
    ------
    UserError
        When it is of another kind.

    Examples
    --------
    >>> from engine.text.tokenizer import train_tokenizer
    >>> whole = train_tokenizer(["the rain falls on the roof"] * 3, kind="wordpiece", size=200)
    >>> small = trimmed(whole, ["the rain"])
    >>> small.size < whole.size
    True
    >>> cut = [[tokenizer.token(n) for n in tokenizer.encode(["the rain"])[0]] for tokenizer in (whole, small)]
    >>> cut[0] == cut[1]
    True
    """
    content = json.loads(tokenizer.content)
    model = content["model"]
    if model.get("type") != "WordPiece":
        raise UserError(
            "The words of this tokenizer cannot be cut down: it is {kind}, not WordPiece",
            field="reads",
            hint="Let the student read what the teacher reads.",
            kind=str(model.get("type")),
        )
    used = {number for row in tokenizer.encode(texts) for number in row}
    used |= {token["id"] for token in content["added_tokens"]} | set(tokenizer.special_ids)
    prefix = str(model["continuing_subword_prefix"])
    order = sorted(model["vocab"].items(), key=lambda entry: int(entry[1]))
    kept = [token for token, number in order if number in used or _is_sign(token.removeprefix(prefix))]
    places = {token: place for place, token in enumerate(kept)}
    model["vocab"] = places
    for token in content["added_tokens"]:
        token["id"] = places[token["content"]]
    _renumber(content, places)
    return TextTokenizer(json.dumps(content, ensure_ascii=False).encode())


def rows_of(tokenizer: TextTokenizer, other: TextTokenizer) -> list[int | None]:
    """For each token, its number in another tokenizer; None where that has none.

    >>> from engine.text.tokenizer import train_tokenizer
    >>> whole = train_tokenizer(["the rain falls on the roof"] * 3, kind="wordpiece", size=200)
    >>> rows_of(whole, whole)[:3]
    [0, 1, 2]
    """
    known = {other.token(number): number for number in range(other.size)}
    return [known.get(tokenizer.token(number)) for number in range(tokenizer.size)]


def _is_sign(text: str) -> bool:
    return len(text) == 1 and text in string.printable


def _renumber(content: dict[str, object], places: dict[str, int]) -> None:
    """Give the tokens around a text, and the one that fills up, their new numbers."""
    around = content.get("post_processor")
    if isinstance(around, dict):
        for token in (around.get("special_tokens") or {}).values():
            token["ids"] = [places[name] for name in token["tokens"]]
        for end in ("sep", "cls"):
            if isinstance(around.get(end), list):
                around[end][1] = places[around[end][0]]
    padding = content.get("padding")
    if isinstance(padding, dict):
        padding["pad_id"] = places[padding["pad_token"]]
