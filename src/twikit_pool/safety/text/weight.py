"""How long a post is to X: characters weigh one or two, links always the same, an emoji two.

The weights are those of X's published configuration, version 3 (docs.x.com/fundamentals/counting-characters);
what is one emoji follows the emoji sequences of Unicode (unicode.org/reports/tr51).
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Final

from twikit_pool.safety.text.characters import INVALID
from twikit_pool.safety.text.links import links


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What counts how much.

    Attributes:
        most: that a post may weigh.
        link: weight of a link, however long it is.
        light: ranges of code points that weigh 1.
        heavy: weight of all others.
        emoji: whether a sequence of code points that is one emoji weighs `heavy` once.
    """

    most: int = 280
    link: int = 23
    light: tuple[tuple[int, int], ...] = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
    heavy: int = 2
    emoji: bool = True


USUAL: Final = Weights()
LONG: Final = replace(USUAL, most=25_000)
"""For accounts that may post long."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A text's length.

    Attributes:
        length: its weight.
        most: what it may weigh.
        fits: code points of the text, from its beginning, that may be posted.
        valid: whether all of it may: it is not empty, not too long, and has no character that X refuses.
    """

    length: int
    most: int
    fits: int
    valid: bool


_PICTURE: Final = (
    r"\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u2199\u21a9\u21aa\u231a\u231b\u2328\u2388\u23cf\u23e9-\u23f3"
    r"\u23f8-\u23fa\u24c2\u25aa\u25ab\u25b6\u25c0\u25fb-\u25fe\u2600-\u2605\u2607-\u2612\u2614-\u2685\u2690-\u2705"
    r"\u2708-\u2712\u2714\u2716\u271d\u2721\u2728\u2733\u2734\u2744\u2747\u274c\u274e\u2753-\u2755\u2757"
    r"\u2763-\u2767\u2795-\u2797\u27a1\u27b0\u27bf\u2934\u2935\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u3030\u303d"
    r"\u3297\u3299\U0001f000-\U0001f0ff\U0001f10d-\U0001f10f\U0001f12f\U0001f16c-\U0001f171\U0001f17e\U0001f17f"
    r"\U0001f18e\U0001f191-\U0001f19a\U0001f1ad-\U0001f1e5\U0001f201-\U0001f20f\U0001f21a\U0001f22f"
    r"\U0001f232-\U0001f23a\U0001f23c-\U0001f23f\U0001f249-\U0001f3fa\U0001f400-\U0001f53d\U0001f546-\U0001f64f"
    r"\U0001f680-\U0001f6ff\U0001f774-\U0001f77f\U0001f7d5-\U0001f7ff\U0001f80c-\U0001faff"
)
"""Unicode's Extended_Pictographic (emoji-data.txt)."""

_ONE: Final = rf"[{_PICTURE}](?:\ufe0f|[\U0001f3fb-\U0001f3ff])?"
_EMOJI: Final = re.compile(
    rf"[0-9#*]\ufe0f?\u20e3|[\U0001f1e6-\U0001f1ff]{{2}}|\U0001f3f4[\U000e0061-\U000e007a]{{2,6}}\U000e007f"
    rf"|{_ONE}(?:\u200d(?:{_ONE}|[\u2640\u2642\u2695\u2696\u2708]\ufe0f?))*"
    r"|[\U0001f3fb-\U0001f3ff]"
)
_REFUSED: Final = re.compile(f"[{INVALID}]")


def measure(text: str, weights: Weights = USUAL) -> Measure:
    """How long a text is to X. It counts characters as NFC has them."""
    given, text = text, text if text.isascii() else unicodedata.normalize("NFC", text)
    whole: dict[int, tuple[int, int]] = {each.start: (each.end, weights.link) for each in links(text)}
    if weights.emoji and not text.isascii():
        for found in _EMOJI.finditer(text):
            whole.setdefault(found.start(), (found.end(), weights.heavy))
    at = length = fits = 0
    refused = _REFUSED.search(text)
    most = len(text) if refused is None else refused.start()
    while at < len(text):
        end, weight = whole.get(at) or (at + 1, _weight(text[at], weights))
        length += weight
        if length <= weights.most and end <= most:
            fits = end
        at = end
    valid = bool(text) and fits == len(text)
    return Measure(length, weights.most, _before_nfc(given, text, fits), valid)


def _before_nfc(given: str, text: str, fits: int) -> int:
    """How many of the given code points become the first so many of the normalised text."""
    if len(given) == len(text):
        return fits
    until = bisect_right(
        range(len(given)), fits, key=lambda end: len(unicodedata.normalize("NFC", given[:end]))
    )
    return len(given) if fits == len(text) else until - 1


def _weight(character: str, weights: Weights) -> int:
    code = ord(character)
    return 1 if any(first <= code <= last for first, last in weights.light) else weights.heavy
