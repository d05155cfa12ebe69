"""Pages that neither repeat nor skip, whatever is posted in between.

A cursor holds the position of the last thing shown, not a count: what comes in above it moves nothing.
It names what it pages through, so that it cannot be used elsewhere.
"""

from __future__ import annotations

import base64
import binascii
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from twikit_pool.simulator.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

T = TypeVar("T")


class Page(NamedTuple, Generic[T]):
    """Things, and the cursors to newer and older ones.

    As on X a cursor is a position, no promise: the last page has one too, and it leads to an empty page
    with the same cursor. twikit relies on it. Only a timeline that was empty from the start has none.
    """

    items: list[T]
    top: str | None
    bottom: str | None
    more: bool


def encode(scope: str, side: str, position: int) -> str:
    """An opaque cursor."""
    return base64.urlsafe_b64encode(f"{scope}|{side}{position}".encode()).decode()


def decode(scope: str, cursor: str) -> tuple[str, int]:
    """Side (`<` older, `>` newer) and position.

    Raises:
        Refusal: it is not a cursor of this timeline (214).
    """
    try:
        found, _, place = base64.urlsafe_b64decode(cursor).decode().rpartition("|")
        side, position = place[:1], int(place[1:])
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise Refusal(214, "The cursor is invalid.", 400) from error
    if found != scope or side not in "<>":
        raise Refusal(214, "The cursor is invalid: it belongs to another timeline.", 400)
    return side, position


def page(
    scope: str,
    cursor: object,
    count: int,
    newest: Callable[[int | None], Iterable[tuple[int, T]]],
) -> Page[T]:
    """One page of a timeline.

    Args:
        scope: what is paged through, for whom.
        cursor: where to go on; None or empty for the first page.
        count: how many at most.
        newest: positions and things, in falling order, from below a position or from the top.
    """
    side, position = decode(scope, str(cursor)) if cursor else ("<", None)
    if side == ">" and position is not None:
        newer = list(takewhile(lambda one: one[0] > position, newest(None)))
        more, shown = len(newer) > count, newer[-count:]
    else:
        found = list(islice(newest(position), count + 1))
        more, shown = len(found) > count, found[:count]
    items = [thing for _, thing in shown]
    if shown:
        return Page(items, encode(scope, ">", shown[0][0]), encode(scope, "<", shown[-1][0]), more)
    if position is None:
        return Page(items, None, None, more=False)
    return Page(items, encode(scope, ">", position), encode(scope, "<", position), more=False)


def ordered(orders: Mapping[int, int]) -> Callable[[int | None], Iterable[tuple[int, int]]]:
    """A `newest` over ids that are kept with the order in which they came."""

    def newest(below: int | None) -> Iterable[tuple[int, int]]:
        pairs = sorted(((order, key) for key, order in orders.items()), reverse=True)
        return (pair for pair in pairs if below is None or pair[0] < below)

    return newest
