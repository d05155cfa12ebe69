"""Posts that were sent before: by the account itself, or something very like it by another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from twikit_pool.clock import in_words
from twikit_pool.safety.checks.check import Context, Sighting, Text

if TYPE_CHECKING:
    from twikit_pool.safety.memory import Found

SAME: Final = 99.5
"""From where on two wordings are called the same."""


class Repeats:
    """The same text by the same account in the same place (as a post, or in answer to the same one).

    Args:
        hours: for which a post may not be repeated. X refuses the latest ones itself.
    """

    quick = False

    def __init__(self, hours: float = 24.0) -> None:
        self._hours = hours

    def look(self, text: Text, context: Context) -> Iterator[Sighting]:
        """Whether it was sent."""
        if context.account is None or not (text.text and text.main and text.post.published):
            return
        for memory in context.memories:
            found = memory.repeated(text.post, context.account, self._hours)
            if found is not None:
                yield Sighting(
                    "repeats.own",
                    f"{found.account} posted the same {_when(found, context)}",
                    f"say something else, or wait until {self._hours:g} hours are over",
                )
                return


class Similar:
    """A text that is substantially like one of another account. X's rules forbid that, by whatever means.

    Args:
        score: how alike, 0 to 100.
        shortest: letters that a post must have to be compared.
    """

    quick = False

    def __init__(self, score: float = 80.0, shortest: int = 20) -> None:
        self._score = score
        self._shortest = shortest

    def look(self, text: Text, context: Context) -> Iterator[Sighting]:
        """Whether another account has said it."""
        if not (text.main and text.post.published):
            return
        for memory in context.memories:
            found = memory.elsewhere(text.post, context.account, self._score, self._shortest)
            if found is not None:
                alike = "is the same as" if found.score >= SAME else f"is {found.score:.0f}% like"
                yield Sighting(
                    "similar.across_accounts",
                    f"the post {alike} what {found.account} posted {_when(found, context)}",
                    "let each account use its own words: X forbids substantially similar posts of several",
                )
                return


def _when(found: Found, context: Context) -> str:
    seconds = (context.now - found.at).total_seconds()
    return f"{in_words(seconds)} ago" if seconds >= 1 else "just now" if seconds > -1 else "for later"
