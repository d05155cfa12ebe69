"""Which posts hold which words."""

from __future__ import annotations

import re
from typing import Final

_WORD: Final = re.compile(r"[#@$]?\w+")


def words_of(text: str) -> list[str]:
    """The words of a text in lower case; a hashtag counts with and without its sign."""
    found = [word.lower() for word in _WORD.findall(text)]
    return found + [word[1:] for word in found if word[0] in "#@$"]


class WordIndex:
    """For every word the ids of the posts that hold it, ascending; and all ids."""

    __slots__ = ("_by_word", "all")

    def __init__(self) -> None:
        self._by_word: dict[str, list[int]] = {}
        self.all: list[int] = []

    def add(self, tweet_id: int, text: str) -> None:
        """Index a post; ids must come in rising order."""
        self.all.append(tweet_id)
        for word in set(words_of(text)):
            self._by_word.setdefault(word, []).append(tweet_id)

    def rarest(self, words: list[str]) -> list[int]:
        """The shortest list of ids among those of the words; every id when there are no words."""
        return min((self._by_word.get(word, []) for word in words), key=len, default=self.all)

    def hashtags(self) -> list[tuple[str, int]]:
        """Hashtags and how many posts hold them, the most used first."""
        counts = [(word, len(ids)) for word, ids in self._by_word.items() if word.startswith("#")]
        return sorted(counts, key=lambda pair: (-pair[1], pair[0]))
