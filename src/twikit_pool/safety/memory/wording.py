"""What of a text counts when two are compared: its words, whatever is put around them."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from rapidfuzz import fuzz

from twikit_pool.safety.text import links

_MENTIONS: Final = re.compile(r"[@\uff20][a-z0-9_]{1,20}", re.IGNORECASE)
_NO_WORD: Final = re.compile(r"[^\w]+")
_FOLDED: Final = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "\u0131": "i", "_": " "})


@lru_cache(maxsize=1_024)
def wording(text: str) -> str:
    """A text as it is compared: small letters without accents, words and figures, single spaces.

    Links, mentions, emoji, punctuation and invisible characters are what copies are told apart by, so they do
    not count. What has nothing else keeps its links.
    """
    bare = text
    for link in reversed(links(text)):
        bare = f"{bare[: link.start]} {bare[link.end :]}"
    bare = _words(_MENTIONS.sub(" ", bare))
    return bare or _words(text)


def _words(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
        text = "".join(each for each in text if unicodedata.category(each) not in ("Mn", "Cf"))
    return _NO_WORD.sub(" ", text.casefold().translate(_FOLDED)).strip()


def alike(one: str, other: str, least: float) -> float:
    """How alike two wordings are, 0 to 100, in their letters or in their words whatever the order; 0 below
    `least`.
    """
    return max(
        fuzz.ratio(one, other, score_cutoff=least), fuzz.token_sort_ratio(one, other, score_cutoff=least)
    )
