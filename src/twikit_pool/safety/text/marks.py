"""Hashtags, mentions and cashtags, and where they stand.

The rules are those of X's open-source twitter-text, written anew; tests hold them to its conformance vectors
where those are at hand.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final, NamedTuple

from twikit_pool.safety.text.characters import ACCENTED, DIRECTIONAL, PUNCTUATION, SPACES
from twikit_pool.safety.text.links import links

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Mark(NamedTuple):
    """Something in a text that X reads as more than words: without its sign, and where it stands with it.

    `start` and `end` count code points, as Python does. `rest` is the list of a mention, as `/team`.
    """

    text: str
    start: int
    end: int
    rest: str = ""


_SIGNS: Final = "#＃"
_JOINING: Final = frozenset(
    "_\u200c\u200d\ua67e\u05be\u05f3\u05f4\uff5e\u301c\u309b\u309c\u30a0\u30fb\u3003\u0f0b\u0f0c\u00b7"
)
"""What may stand within a hashtag besides letters, marks and digits."""

_VARIANTS: Final = "\ufe0e\ufe0f"
_NO_TAG: Final = "\ufe0f\u20e3"
"""After a number sign they make an emoji of it."""

_MENTION: Final = re.compile(
    r"(?:^|(?<=[^a-zA-Z0-9_!#$%&*@＠])|(?:^|(?<=[^a-zA-Z0-9_+~.\-]))[rR][tT]:?)"
    r"(?P<sign>[@＠])(?P<name>[a-zA-Z0-9_]{1,20})(?P<list>/[a-zA-Z][a-zA-Z0-9_\-]{0,24})?"
)
_NO_MENTION: Final = re.compile(rf"[@＠{ACCENTED}]|://")
"""After a mention it makes none of it."""

_REPLY: Final = re.compile(rf"[{SPACES}{DIRECTIONAL}]*[@＠]([a-zA-Z0-9_]{{1,20}})")
_CASHTAG: Final = re.compile(
    rf"(?:^|(?<=[{SPACES}{DIRECTIONAL}]))\$(?P<name>[a-zA-Z]{{1,6}}(?:[._][a-zA-Z]{{1,2}})?)"
    rf"(?=$|\s|[{PUNCTUATION}])"
)


def hashtags(text: str, found: Sequence[Mark] | None = None) -> list[Mark]:
    """The hashtags; `found` are the text's links, where they are known already."""
    tags = list(_hashtags(text)) if "#" in text or "＃" in text else []
    return _outside(tags, links(text) if found is None else found) if tags else []


def _hashtags(text: str) -> Iterator[Mark]:
    at = 0
    while at < len(text):
        sign = at
        at += 1
        if text[sign] not in _SIGNS or not _may_precede(text, sign):
            continue
        end, letters = sign + 1, 0
        while end < len(text) and _in_tag(text[end]):
            letters += unicodedata.category(text[end])[0] in "LM"
            end += 1
        if letters and text[sign + 1] not in _NO_TAG and not text.startswith(("#", "＃", "://"), end):
            yield Mark(text[sign + 1 : end], sign, end)
        at = max(end, at)


def _may_precede(text: str, sign: int) -> bool:
    if sign == 0:
        return True
    before = text[sign - 1]
    return before in _VARIANTS or (before != "&" and not _in_tag(before))


def _in_tag(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LM" or category == "Nd" or character in _JOINING


def mentions(text: str) -> list[Mark]:
    """Who is mentioned, with the list where one is named."""
    if "@" not in text and "＠" not in text:
        return []
    return [
        Mark(each["name"], each.start("sign"), each.end(), each["list"] or "")
        for each in _MENTION.finditer(text)
        if not _NO_MENTION.match(text, each.end())
    ]


def replied_to(text: str) -> str | None:
    """Whom a text addresses that begins with a mention."""
    found = _REPLY.match(text)
    return None if found is None or _NO_MENTION.match(text, found.end()) else found[1]


def cashtags(text: str) -> list[Mark]:
    """The cashtags, as $TWTR."""
    if "$" not in text:
        return []
    return [Mark(each["name"], each.start(), each.end()) for each in _CASHTAG.finditer(text)]


def _outside(marks: list[Mark], found: Sequence[Mark]) -> list[Mark]:
    """Those that are no part of a link."""
    return [
        mark for mark in marks if not any(mark.start < link.end and link.start < mark.end for link in found)
    ]
