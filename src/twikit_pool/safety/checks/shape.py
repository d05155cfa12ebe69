"""Posts in the shape of spam: shouting, crowds of mentions and hashtags, the same over and over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from twikit_pool.safety.checks.check import Context, Sighting, Text
from twikit_pool.safety.text import hashtags, mentions

FEWEST_LETTERS: Final = 20
"""Below which capitals mean nothing: an abbreviation and a name are enough."""

_SAME: Final = re.compile(r"([^\s\d])\1{9,}")
_SAME_WORD: Final = re.compile(r"\b(\w{2,30})(?:\W{1,5}\1\b){4,}", re.IGNORECASE)


class Shape:
    """Capitals, mentions, hashtags, and repetition within one post.

    Args:
        most_capitals: share of the letters.
        most_mentions, most_hashtags: numbers.
    """

    quick = True

    def __init__(self, *, most_capitals: float = 0.7, most_mentions: int = 8, most_hashtags: int = 8) -> None:
        self._most_capitals = most_capitals
        self._most_mentions = most_mentions
        self._most_hashtags = most_hashtags

    def look(self, text: Text, context: Context) -> Iterator[Sighting]:
        """What looks like spam."""
        if not text.main:
            return
        words = text.text
        letters = [each for each in words if each.isalpha()]
        capitals = sum(each.isupper() for each in letters)
        if len(letters) >= FEWEST_LETTERS and capitals > self._most_capitals * len(letters):
            yield Sighting(
                "shape.capitals",
                f"{capitals / len(letters):.0%} of the letters are capitals",
                "write small letters",
            )
        for rule, marks, most in (
            ("mentions", mentions(words), self._most_mentions),
            ("hashtags", hashtags(words, text.links), self._most_hashtags),
        ):
            if len(marks) > most:
                yield Sighting(
                    f"shape.{rule}",
                    f"the post has {len(marks)} {rule}, more than {most}",
                    "leave some away",
                    marks[most].start,
                    marks[-1].end,
                )
        for form in (_SAME, _SAME_WORD):
            found = form.search(words)
            if found is not None and not text.in_link(*found.span()):
                yield Sighting(
                    "shape.repetition", "the post says the same over and over", "say it once", *found.span()
                )
                return
