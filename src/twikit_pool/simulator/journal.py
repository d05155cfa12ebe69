"""What was asked of the simulator, and what came of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator


class Call(NamedTuple):
    """One kind of call. `account` is None without a known log-in, `status` None when nothing was answered."""

    endpoint: str
    account: str | None
    status: int | None


class Calls:
    """How many calls came, by endpoint, account and status."""

    def __init__(self) -> None:
        self._counts: Counter[Call] = Counter()

    def add(self, endpoint: str, account: str | None, status: int | None) -> None:
        """One more."""
        self._counts[Call(endpoint, account, status)] += 1

    def count(
        self, endpoint: str | None = None, account: str | None = None, status: int | None = None
    ) -> int:
        """Calls that fit what is given."""
        return sum(
            count
            for call, count in self._counts.items()
            if endpoint in (None, call.endpoint)
            and account in (None, call.account)
            and status in (None, call.status)
        )

    def __iter__(self) -> Iterator[tuple[Call, int]]:
        return iter(self._counts.items())

    def __len__(self) -> int:
        return self._counts.total()

    def clear(self) -> None:
        """Begin anew."""
        self._counts.clear()


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """A write that took effect, answered or not. `number` rises by one with each.

    `key` is what tells one write from another: a text, or the id of what was acted on.
    """

    number: int
    account: str
    endpoint: str
    key: str
