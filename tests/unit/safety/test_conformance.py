"""Length and entities, held to X's own vectors, all of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.safety.conformance import vectors
from twikit_pool.safety.text import (
    Mark,
    Weights,
    cashtags,
    hashtags,
    links,
    measure,
    mentions,
    replied_to,
)

FIRST = Weights(most=140, light=((0, 0x10FFFF),), emoji=False)
"""Version 1 of X's configuration, which `validate.tweets` is about."""

SECOND = Weights(emoji=False)
"""Version 2: an emoji weighs what its code points do."""


def words(found: list[Mark]) -> list[str]:
    return [each.text for each in found]


def at(field: str, found: list[Mark]) -> list[dict[str, Any]]:
    return [{field: each.text, "indices": [each.start, each.end]} for each in found]


def named(text: str) -> list[dict[str, Any]]:
    return [
        {"screen_name": each.text, "indices": [each.start, each.end - len(each.rest)]}
        for each in mentions(text)
    ]


def listed(text: str) -> list[dict[str, Any]]:
    return [
        {"screen_name": each.text, "list_slug": each.rest, "indices": [each.start, each.end]}
        for each in mentions(text)
    ]


EXTRACT: dict[str, Callable[[str], Any]] = {
    "mentions": lambda text: words(mentions(text)),
    "mentions_with_indices": named,
    "mentions_or_lists_with_indices": listed,
    "replies": replied_to,
    "urls": lambda text: words(links(text)),
    "urls_with_indices": lambda text: at("url", links(text)),
    "urls_with_directional_markers": lambda text: at("url", links(text)),
    "tco_urls_with_params": lambda text: words(links(text)),
    "hashtags": lambda text: words(hashtags(text)),
    "hashtags_from_astral": lambda text: words(hashtags(text)),
    "hashtags_with_indices": lambda text: at("hashtag", hashtags(text)),
    "cashtags": lambda text: words(cashtags(text)),
    "cashtags_with_indices": lambda text: at("cashtag", cashtags(text)),
}


def test_every_group_of_the_extraction_vectors_is_tried() -> None:
    assert vectors("extract").keys() == EXTRACT.keys()


@pytest.mark.parametrize("group", EXTRACT)
def test_extraction(group: str) -> None:
    wrong = {
        case["description"]: (found, case["expected"])
        for case in vectors("extract")[group]
        if (found := EXTRACT[group](case["text"])) != case["expected"] and (found or case["expected"])
    }
    assert not wrong


@pytest.mark.parametrize("kind", ["country", "generic"])
def test_every_top_level_domain_makes_a_link(kind: str) -> None:
    assert not [
        case["text"] for case in vectors("tlds")[kind] if words(links(case["text"])) != case["expected"]
    ]


def test_lengths_of_the_first_version() -> None:
    assert not [
        case["description"]
        for case in vectors("validate")["tweets"]
        if measure(case["text"], FIRST).valid != case["expected"]
    ]


@pytest.mark.parametrize(
    ("group", "weights"),
    [
        ("WeightedTweetsCounterTest", SECOND),
        ("WeightedTweetsWithDiscountedEmojiCounterTest", Weights()),
        ("UnicodeDirectionalMarkerCounterTest", Weights()),
    ],
)
def test_weighted_lengths(group: str, weights: Weights) -> None:
    wrong = {
        case["description"]: (found, case["expected"])
        for case in vectors("validate")[group]
        if (found := _as_x_tells(case["text"], weights)) != case["expected"]
    }
    assert not wrong


def _as_x_tells(text: str, weights: Weights) -> dict[str, Any]:
    """As X does: positions are of UTF-16, and the last that is in."""
    measured = measure(text, weights)
    last = max(_in_utf_16(text) - 1, 0)
    return {
        "weightedLength": measured.length,
        "valid": measured.valid,
        "permillage": measured.length * 1000 // measured.most,
        "displayRangeStart": 0,
        "displayRangeEnd": last,
        "validRangeStart": 0,
        "validRangeEnd": max(_in_utf_16(text[: measured.fits]) - 1, 0),
    }


def _in_utf_16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_the_vectors_have_texts_that_nfc_shortens() -> None:
    every = vectors("validate")["WeightedTweetsCounterTest"]
    assert any(unicodedata.normalize("NFC", case["text"]) != case["text"] for case in every)
