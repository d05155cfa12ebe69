"""Finding what is alike among very many texts without comparing with each.

A text is cut into pieces of five letters, and each piece knows the texts that have it. Of a new text's pieces
those are looked up that the fewest have: a copy with some words changed still shares most of them. The texts
that come up most often are compared letter by letter (rapidfuzz). Where texts are made of the same phrases
every piece is common; then only so many are looked at, and whoever shares most of them is compared.

Costs, measured against 10,000 texts: see `python -m benchmarks safety`. Tried and dropped: comparing with all
of similar length (1.3 ms a text at 10,000, and growing with their number); minhash (as fast, and needs 64
numbers a text).
"""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

from twikit_pool.safety.memory.wording import alike

PIECE: Final = 5
"""Letters of a piece."""

LOOKED_UP: Final = 12
"""Pieces of a new text that are looked up."""

MOST_SEEN: Final = 2_000
"""Texts that come up in all, after which no further piece is looked up."""

COMPARED: Final = 12
"""Texts that are compared."""

KEPT_SHORT: Final = 2_000
"""Letters of a text that are looked at: a long post is told by its beginning."""


class Match(NamedTuple):
    """A text that is alike: its key, and how alike, 0 to 100."""

    key: int
    score: float


class SimilarIndex:
    """Texts by key, to be searched for what is alike."""

    __slots__ = ("_by_piece", "_texts")

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}
        self._by_piece: dict[str, list[int]] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def __contains__(self, key: int) -> bool:
        return key in self._texts

    def add(self, key: int, text: str) -> None:
        """Let a text be found, as `wording` gives it."""
        text = text[:KEPT_SHORT]
        self._texts[key] = text
        for piece in _pieces(text):
            self._by_piece.setdefault(piece, []).append(key)

    def remove(self, key: int) -> None:
        """Let it not be found any more; harmless where there is none."""
        text = self._texts.pop(key, None)
        if text is None:
            return
        for piece in _pieces(text):
            having = self._by_piece[piece]
            having.remove(key)
            if not having:
                del self._by_piece[piece]

    def alike(self, text: str, least: float) -> list[Match]:
        """The texts that are at least so much alike (0 to 100), the most alike first."""
        text = text[:KEPT_SHORT]
        found = [
            Match(key, score)
            for key, _ in self._candidates(text).most_common(COMPARED)
            if (score := alike(text, self._texts[key], least)) > 0
        ]
        return sorted(found, key=lambda match: -match.score)

    def _candidates(self, text: str) -> Counter[int]:
        lists = [having for piece in _pieces(text) if (having := self._by_piece.get(piece))]
        lists.sort(key=len)
        seen: Counter[int] = Counter()
        left = MOST_SEEN
        for having in lists[:LOOKED_UP]:
            seen.update(having)
            left -= len(having)
            if left <= 0:
                break
        return seen


def _pieces(text: str) -> set[str]:
    text = f" {text} "
    if len(text) <= PIECE:
        return {text}
    return {text[at : at + PIECE] for at in range(len(text) - PIECE + 1)}
