"""Long lists, a part at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Generic, TypeVar

import msgspec
from litestar.params import QueryParameter

T = TypeVar("T")

USUAL: Final = 100
"""Items of a part, where nobody says otherwise."""

# Bounds stand in the parameter itself: Litestar overlooks those that a type of its own brings.
Offset = Annotated[int, QueryParameter(ge=0, le=1_000_000_000, description="How many to leave out first.")]
Limit = Annotated[int, QueryParameter(ge=1, le=1_000, description="How many to answer at most.")]
Text = Annotated[str | None, QueryParameter(max_length=200)]
"""What is looked for in ids and names."""


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A part of a list.

    Attributes:
        total: how many there are in all, after the filters.
        offset: how many of them come before these.
        items: these.
    """

    total: int
    offset: int
    items: Sequence[T]


def part(every: Sequence[T], offset: int, limit: int) -> Sequence[T]:
    """Those of a list that a page has."""
    return every[offset : offset + limit]
