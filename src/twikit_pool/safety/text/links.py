"""Links: what X turns into one, with or without `https://` before it.

The rules are those of X's open-source twitter-text, written anew; tests hold them to its conformance
vectors where those are at hand. Lengths of labels and their number are bounded, as DNS has them, so that no
text takes longer than in proportion to its length.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from twikit_pool.safety.text.characters import (
    ACCENTED,
    CYRILLIC,
    DIRECTIONAL,
    INVALID,
    PUNCTUATION,
    SPACES,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twikit_pool.safety.text.marks import Mark

MOST_LABEL: Final = 63
"""Characters of one label of a host name, in punycode: RFC 1035."""

MOST_LABELS: Final = 32
MOST_LINK: Final = 4_096
"""Characters of a link that X takes."""

_TCO: Final = re.compile(
    r"https?://t\.co/(?P<slug>[a-z0-9]+)(?:\?[a-z0-9!?*'@();:&=+$/%#\[\]\-_.,~|]*[a-z0-9\-_&=#/])?",
    re.IGNORECASE,
)
_MOST_SLUG: Final = 40
_NEVER_BEFORE: Final = "-_./"
"""What stands before no link without a protocol."""


@cache
def top_level_domains() -> frozenset[str]:
    """Every name in the root zone, and some that have left it."""
    text = files("twikit_pool.safety.text").joinpath("tlds.txt").read_text("utf-8")
    return frozenset(text.split())


class _Patterns:
    """The regular expressions, made when the first text with a dot comes."""

    def __init__(self) -> None:
        known = _any_of(top_level_domains())
        tld = rf"(?:{known}(?=[^0-9a-zA-Z@+\-]|$)|xn--[\-0-9a-z]{{1,59}})"
        of_host = rf"[^{PUNCTUATION}{SPACES}{INVALID}{DIRECTIONAL}]"
        most = MOST_LABEL - 2
        subdomain = rf"(?:(?:{of_host}(?:[_\-]|{of_host}){{0,{most}}})?{of_host}\.)"
        name = rf"(?:(?:{of_host}(?:-|{of_host}){{0,{most}}})?{of_host}\.)"
        general = rf"[a-z{CYRILLIC}0-9!*';:=+,.$/%#\[\]\-\u2013_~@&|{ACCENTED}]"
        balanced = rf"\((?:{general}+|{general}*\({general}+\){general}*)\)"
        ending = rf"(?:[+\-a-z{CYRILLIC}0-9=_#/{ACCENTED}]|{balanced})"
        path = rf"(?:{general}*(?:{balanced}{general}*)*{ending}|@{general}+/)"
        query = r"\?[a-z0-9!?*'@();:&=+$/%#\[\]\-_.,~|]*[a-z0-9\-_&=#/]"
        self.link = re.compile(
            rf"(?P<before>[^A-Za-z0-9@＠$#＃{INVALID}]|[{DIRECTIONAL}]|^)"
            rf"(?P<link>(?P<protocol>https?://)?(?P<host>{subdomain}{{0,{MOST_LABELS}}}{name}{tld})(?::[0-9]+)?"
            rf"(?P<path>/{path}?)?(?:{query})?)",
            re.IGNORECASE,
        )
        self.ascii_host = re.compile(rf"(?:[\-a-z0-9{ACCENTED}]{{1,{MOST_LABEL}}}\.)+{tld}", re.IGNORECASE)


@cache
def _patterns() -> _Patterns:
    return _Patterns()


def _any_of(names: Iterable[str]) -> str:
    """A regular expression of all names that decides letter by letter, the longest first."""
    tree: dict[str, Any] = {}
    for name in names:
        node = tree
        for letter in name:
            node = node.setdefault(letter, {})
        node[""] = {}
    return _branches(tree)


def _branches(node: dict[str, Any]) -> str:
    ends = "" in node
    branches = [re.escape(letter) + _branches(under) for letter, under in sorted(node.items()) if letter]
    if not branches:
        return ""
    either = branches[0] if len(branches) == 1 and not ends else f"(?:{'|'.join(branches)})"
    return f"{either}?" if ends else either


def links(text: str) -> list[Mark]:
    """The links in a text, in order, and where they stand."""
    return list(_found(text)) if "." in text else []


@lru_cache(maxsize=256)
def _found(text: str) -> tuple[Mark, ...]:
    """Several checks ask for those of the same text."""
    return tuple(_links(text))


def _links(text: str) -> Iterator[Mark]:
    from twikit_pool.safety.text.marks import Mark

    patterns = _patterns()
    for found in patterns.link.finditer(text):
        link, start = found["link"], found.start("link")
        if found["protocol"] is None:
            if not found["before"] or found["before"] not in _NEVER_BEFORE:
                yield from _without_protocol(text, found, patterns.ascii_host)
            continue
        short = _TCO.match(link)
        if short is not None:
            if len(short["slug"]) > _MOST_SLUG:
                continue
            link = short[0]
        if _host_fits(found["host"]) and len(link) <= MOST_LINK:
            yield Mark(link, start, start + len(link))


def _without_protocol(text: str, found: re.Match[str], ascii_host: re.Pattern[str]) -> Iterator[Mark]:
    """Those in a run of characters that may all be a host's: where X has no protocol it takes ASCII alone."""
    from twikit_pool.safety.text.marks import Mark

    begins, ends = found.span("host")
    hosts = [each.span() for each in ascii_host.finditer(text, begins, ends)]
    for place, (start, end) in enumerate(hosts):
        last = place == len(hosts) - 1 and end == ends
        if _host_fits(text[start:end]):
            yield Mark(
                text[start : found.end("link") if last else end], start, found.end("link") if last else end
            )


def _host_fits(host: str) -> bool:
    """Whether DNS could have such a name."""
    return all(_label_fits(label) for label in host.split("."))


def _label_fits(label: str) -> bool:
    if label.isascii():
        return len(label) <= MOST_LABEL
    encoded = len("xn--") + len(label.lower().encode("punycode"))
    return encoded <= MOST_LABEL and not label.lower().startswith("xn--")
