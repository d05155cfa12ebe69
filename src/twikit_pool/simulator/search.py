"""What X's search understands: words, "phrases", OR, -not, from:, to:, @, #, since:, until:, filter:."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from twikit_pool.simulator.word_index import words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twikit_pool.simulator.world import Tweet, World

_PART: Final = re.compile(r'(-?)(?:(\w+):)?("[^"]*"|\S+)')


@dataclass(slots=True)
class Query:
    """A query, read: `words` that all must be there, and further tests."""

    words: list[str] = field(default_factory=list[str])
    tests: list[Callable[[Tweet], bool]] = field(default_factory=list["Callable[[Tweet], bool]"])

    def run(self, world: World, below: int | None) -> Iterator[Tweet]:
        """The posts that fit, newest first."""
        wanted = set(self.words)
        for tweet in world.newest(world.words.rarest(self.words), below):
            if wanted and not wanted.issubset(words_of(tweet.text)):
                continue
            if all(test(tweet) for test in self.tests):
                yield tweet


def read(text: str) -> Query:
    """Read a query. What is not understood is looked for as a word, as X does."""
    query = Query()
    parts = [(minus == "-", operator.lower(), value) for minus, operator, value in _PART.findall(text)]
    at = 0
    while at < len(parts):
        choices = [parts[at]]
        while at + 2 < len(parts) and parts[at + 1][2] == "OR":
            choices.append(parts[at + 2])
            at += 2
        at += 1
        if len(choices) > 1:
            tests = [_test(*choice) for choice in choices]
            query.tests.append(lambda tweet, tests=tests: any(test(tweet) for test in tests))
        elif not choices[0][0] and not choices[0][1] and not choices[0][2].startswith('"'):
            query.words += words_of(choices[0][2])
        else:
            query.tests.append(_test(*choices[0]))
    return query


def _test(negative: bool, operator: str, value: str) -> Callable[[Tweet], bool]:
    test = _operator(operator, value.strip('"').lower())
    return (lambda tweet: not test(tweet)) if negative else test


def _operator(operator: str, value: str) -> Callable[[Tweet], bool]:
    if operator == "from":
        return lambda tweet: tweet.author.handle.lower() == value.lstrip("@")
    if operator == "to":
        return lambda tweet: f"@{value.lstrip('@')}" in words_of(tweet.text)[:1]
    if operator in ("since", "until"):
        return _date(operator, value)
    if operator in ("filter", "is", "has"):
        return _FILTERS.get(value, lambda _: True)
    if operator == "conversation_id":
        return lambda tweet: str(tweet.conversation) == value
    words = words_of(value)
    if len(words) > 1:
        return lambda tweet: value in tweet.text.lower()
    return lambda tweet: set(words).issubset(words_of(tweet.text))


def _date(operator: str, value: str) -> Callable[[Tweet], bool]:
    try:
        day = datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return lambda _: False
    if operator == "since":
        return lambda tweet: tweet.created_at >= day
    return lambda tweet: tweet.created_at < day


_FILTERS: Final[dict[str, Callable[[Tweet], bool]]] = {
    "media": lambda tweet: bool(tweet.media),
    "images": lambda tweet: any(medium.kind == "photo" for medium in tweet.media),
    "native_video": lambda tweet: any(medium.kind == "video" for medium in tweet.media),
    "links": lambda tweet: "://" in tweet.text,
    "replies": lambda tweet: tweet.reply_to is not None,
    "quote": lambda tweet: tweet.quote_of is not None,
}
