"""What a check is, and what it is given to look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

from twikit_pool.safety.text import Mark, links

if TYPE_CHECKING:
    from twikit_pool.safety.memory import PostMemory
    from twikit_pool.safety.posts import Post
    from twikit_pool.safety.verdicts import Severity


class Sighting(NamedTuple):
    """Something that a check has seen: as `Reason`, without its weight unless it has one of its own."""

    rule: str
    message: str
    suggestion: str
    start: int | None = None
    end: int | None = None
    severity: Severity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Who sends a post, when and for whom.

    Attributes:
        account: who; None while that is not known: checks against what others sent then compare with all.
        now: when it is sent, in UTC.
        zone: the account's time zone, if it has one of its own.
        owner: the campaign it belongs to, if any.
        memories: where posts are remembered: the filter's own, and a plan's.
    """

    now: datetime
    account: str | None = None
    zone: str | None = None
    owner: str | None = None
    memories: Sequence[PostMemory] = field(default=())


class Text:
    """One text of a post, with what several checks need of it."""

    def __init__(self, post: Post, field_name: str, text: str) -> None:
        self.post = post
        self.field = field_name
        self.text = text

    @cached_property
    def links(self) -> list[Mark]:
        """Its links."""
        return links(self.text)

    @property
    def main(self) -> bool:
        """Whether it is what the post says, and no label beside it."""
        return self.field == self.post.name

    def in_link(self, start: int, end: int) -> bool:
        """Whether something is a part of a link."""
        return any(link.start < end and start < link.end for link in self.links)


class Check(Protocol):
    """Looks for one kind of thing.

    Those that are `quick` need neither other posts nor to know who sends it; the others look again in the
    instant before it leaves.
    """

    quick: bool

    def look(self, text: Text, context: Context) -> Iterable[Sighting]:
        """What there is to say of a text."""
        ...
