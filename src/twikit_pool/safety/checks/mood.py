"""The mood of a post, which is told and decides nothing: right about half of the time."""

from __future__ import annotations

from typing import Any

from twikit_pool.safety.extra import needed


class Mood:
    """VADER's compound score of English words, -1 to 1.

    Raises:
        ConfigError: the extra `safety` is not installed.
    """

    def __init__(self) -> None:
        self._analyzer: Any = needed(
            "vaderSentiment.vaderSentiment", "telling the mood of posts"
        ).SentimentIntensityAnalyzer()

    def of(self, text: str) -> float:
        """The score."""
        return float(self._analyzer.polarity_scores(text)["compound"])
