"""How X reads the text of a post: its weighted length, what it links to, and what comes back."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from html import escape
from typing import Any, Final

MAX_WEIGHT: Final = 280
"""Weighted characters of a plain post."""
MAX_NOTE: Final = 25_000
"""Characters of a long post."""
URL_WEIGHT: Final = 23
"""Every link counts as its t.co form."""

_LIGHT: Final = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
"""Code points that weigh one; all others weigh two. Source: the configuration of
X's own twitter-text, version 3."""
_URL: Final = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]]")
_EMOJI: Final = re.compile(
    "[\U0001f1e6-\U0001f1ff]{2}|[#*0-9]\ufe0f?\u20e3"
    "|[\u2600-\u27bf\U0001f000-\U0001faff](?:[\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*"
    "(?:\u200d[\u2600-\u27bf\U0001f000-\U0001faff][\ufe0f\U0001f3fb-\U0001f3ff]*)*)"
)
_HASHTAG: Final = re.compile(r"(?<![\w&])#(\w*[^\W\d_]\w*)")
_MENTION: Final = re.compile(r"(?<![\w@])@(\w{1,15})\b")


def weighted_length(text: str) -> int:
    """The length that X counts: links 23, an emoji 2 however it is built, East Asian letters 2."""
    text = unicodedata.normalize("NFC", text)
    weight = 0
    for pattern, each in ((_URL, URL_WEIGHT), (_EMOJI, 2)):
        text, found = pattern.subn("", text)
        weight += found * each
    if text.isascii():
        return weight + len(text)
    return weight + sum(1 if any(a <= ord(c) <= b for a, b in _LIGHT) else 2 for c in text)


def wire_text(text: str) -> str:
    """The text as X returns it: links as t.co, and `&`, `<`, `>` escaped."""
    if "://" in text:
        text = _URL.sub(lambda found: short_link(found[0]), text)
    return escape(text, quote=False)


def short_link(url: str) -> str:
    """The t.co form of a link: always the same for the same link."""
    return "https://t.co/" + hashlib.blake2s(url.encode(), digest_size=5).hexdigest()


def mentions(text: str) -> list[str]:
    """The handles that a text addresses, in lower case."""
    return [handle.lower() for handle in _MENTION.findall(text)] if "@" in text else []


def entities(text: str) -> dict[str, Any]:
    """The links, hashtags and mentions of a text that was already made `wire_text`."""
    return {
        "hashtags": [{"indices": list(m.span()), "text": m[1]} for m in _HASHTAG.finditer(text)],
        "symbols": [],
        "timestamps": [],
        "urls": [],
        "user_mentions": [
            {"indices": list(m.span()), "screen_name": m[1], "name": m[1], "id_str": "0"}
            for m in _MENTION.finditer(text)
        ],
    }


def links(text: str) -> list[dict[str, Any]]:
    """The links of a text as it was sent, as X lists them in `entities.urls`."""
    shown = wire_text(text)
    found: list[dict[str, Any]] = []
    for url in _URL.findall(text):
        short = short_link(url)
        start = shown.find(short)
        display = url.partition("://")[2]
        found.append(
            {
                "url": short,
                "expanded_url": url,
                "display_url": display,
                "indices": [start, start + len(short)],
            }
        )
    return found
