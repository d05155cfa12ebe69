"""Where links lead, as far as their text tells: nothing is looked up."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator
from functools import cache
from typing import Any, Final

from twikit_pool.safety.checks.check import Context, Sighting, Text
from twikit_pool.safety.extra import installed, needed
from twikit_pool.safety.text import Mark
from twikit_pool.safety.text.links import top_level_domains

_PARTS: Final = re.compile(r"(?:https?://)?(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]+)", re.IGNORECASE)
_WRITTEN: Final = re.compile(
    r"https?://(?:[^\s/?#@]*@)?(\[[0-9a-f:.]+\]|[\w.-]+)(?::\d+)?[^\s]*", re.IGNORECASE
)
"""What is written as a link, whether X makes one of it or not."""

SHORTENERS: Final = frozenset(
    [
        "bit.ly",
        "bitly.com",
        "buff.ly",
        "cutt.ly",
        "dlvr.it",
        "goo.gl",
        "ift.tt",
        "is.gd",
        "lnkd.in",
        "ow.ly",
        "rb.gy",
        "rebrand.ly",
        "s.id",
        "shorturl.at",
        "t.ly",
        "t2m.io",
        "tiny.cc",
        "tinyurl.com",
        "trib.al",
        "tr.im",
        "urlz.fr",
        "v.gd",
        "shor.by",
        "bl.ink",
        "soo.gd",
        "t1p.de",
        "clck.ru",
    ]
)
"""Well-known services; t.co is X's own and is not one of them."""

NOWHERE: Final = frozenset(
    ["example", "invalid", "localhost", "test", "local", "internal", "onion", "lan", "home", "corp"]
)
"""Names at the top that lead nowhere on the Internet: RFC 2606, 6761, 6762, 7686, 8375."""

_SCRIPTS: Final = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")
"""Those that have letters in common to the eye."""


def host_of(link: str) -> str:
    """The host of a link, in small letters."""
    found = _PARTS.match(link)
    return "" if found is None else found[1].rstrip(".").lower()


def under(host: str, names: Collection[str]) -> bool:
    """Whether the host is one of these, or below one."""
    labels = host.split(".")
    return any(".".join(labels[at:]) in names for at in range(len(labels)))


class DeniedLinks:
    """Links to hosts that are denied or, where some are allowed, to others.

    Args:
        allowed: without any, all are.
        denied: these go before those that are allowed.
    """

    quick = True

    def __init__(self, *, allowed: Collection[str] = (), denied: Collection[str] = ()) -> None:
        self._allowed = frozenset(each.lower() for each in allowed)
        self._denied = frozenset(each.lower() for each in denied)

    def look(self, text: Text, context: Context) -> Iterator[Sighting]:
        """Which lead there."""
        for link in _all_links(text):
            host = host_of(link.text)
            if under(host, self._denied):
                yield Sighting(
                    "links.denied", "links to this host are denied", "take the link out", link.start, link.end
                )
            elif self._allowed and not under(host, self._allowed):
                yield Sighting(
                    "links.not_allowed",
                    "the host is not among those that links may lead to",
                    "take the link out, or add the host to `allowed_hosts`",
                    link.start,
                    link.end,
                )


class Shorteners:
    """Links that hide where they lead."""

    quick = True

    def look(self, text: Text, context: Context) -> Iterator[Sighting]:
        """Which do."""
        for link in text.links:
            if under(host_of(link.text), SHORTENERS):
                yield Sighting(
                    "links.shortener",
                    f"{host_of(link.text)} hides where the link leads",
                    "give the address itself: X counts every link as 23",
                    link.start,
                    link.end,
                )


class Lookalikes:
    """Hosts with letters of several scripts, or letters that look like Latin ones.

    The first is seen without any library; for the second confusable-homoglyphs is asked where the extra
    `safety` is installed.
    """

    quick = True

    def __init__(self) -> None:
        self._confusable: Callable[..., Any] | None = None
        if installed("confusable_homoglyphs"):
            self._confusable = needed("confusable_homoglyphs.confusables", "telling lookalikes").is_confusable

    def look(self, text: Text, context: Context) -> Iterator[Sighting]:
        """Which have."""
        for link in _all_links(text):
            host = _in_letters(host_of(link.text))
            if not host.isascii() and self._misleads(host):
                yield Sighting(
                    "links.lookalike",
                    "the link's host has letters that look like others",
                    "make sure that it is the host you mean; write it in punycode (xn--…) to be clear",
                    link.start,
                    link.end,
                )

    def _misleads(self, host: str) -> bool:
        for label in host.split("."):
            scripts = {script for each in label for script in _SCRIPTS if _name(each).startswith(script)}
            if len(scripts) > 1:
                return True
            if scripts and "LATIN" not in scripts and self._looks_latin(label):
                return True
        return False

    def _looks_latin(self, label: str) -> bool:
        """Whether each letter could be taken for a Latin one: then the whole label can."""
        if self._confusable is None:
            return False
        letters = [each for each in label if each.isalpha()]
        return all(
            any(
                each["c"].isascii()
                for found in self._confusable(letter, preferred_aliases=["latin"]) or ()
                for each in found["homoglyphs"]
            )
            for letter in letters
        )


class Unresolvable:
    """Hosts that cannot be found on the Internet: addresses of machines, and names that nobody can have.

    With the extra `safety`, tldextract's copy of the Public Suffix List tells a name from a bare suffix; it
    is not updated over the network.
    """

    quick = True

    def __init__(self) -> None:
        self._extract: Callable[[str], Any] | None = None
        if installed("tldextract"):
            self._extract = needed("tldextract", "telling suffixes").TLDExtract(
                suffix_list_urls=(), cache_dir=None
            )

    def look(self, text: Text, context: Context) -> Iterator[Sighting]:
        """Which cannot."""
        for link in _all_links(text):
            why = self._why_not(host_of(link.text))
            if why:
                yield Sighting(
                    "links.unresolvable",
                    f"the link leads nowhere for readers: {why}",
                    "give an address on the Internet",
                    link.start,
                    link.end,
                )

    def _why_not(self, host: str) -> str | None:
        try:
            ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            pass
        else:
            return "it is the bare address of a machine"
        top = _in_letters(host).rpartition(".")[2]
        if top in NOWHERE or "." not in host:
            return "its name is one of a local network, or none"
        if not (top in top_level_domains() or top.startswith("xn--")):
            return "there is no such top-level domain"
        if self._extract is not None and not self._extract(host).domain:
            return "it is a suffix that names end with, and no name"
        return None


def _all_links(text: Text) -> list[Mark]:
    """Those that X makes, and what else is written as one."""
    found = list(text.links)
    if "://" in text.text:
        found += [
            Mark(each[0], *each.span())
            for each in _WRITTEN.finditer(text.text)
            if not text.in_link(*each.span())
        ]
    return found


@cache
def _name(letter: str) -> str:
    return unicodedata.name(letter, "")


def _in_letters(host: str) -> str:
    """The host with its punycode read."""
    if "xn--" not in host:
        return host
    labels: list[str] = []
    for label in host.split("."):
        try:
            labels.append(label[4:].encode().decode("punycode") if label.startswith("xn--") else label)
        except UnicodeError:
            labels.append(label)
    return ".".join(labels)
