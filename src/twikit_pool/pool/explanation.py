"""Why a request waits: what the accounts that could serve it are doing, and who comes first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from twikit_pool.clock import in_words
from twikit_pool.pool.connection import ConnectionState
from twikit_pool.pool.needs import CAPABILITIES, USABLE, endpoint_bit, low_bit

if TYPE_CHECKING:
    from twikit_pool.pool.member import Member
    from twikit_pool.pool.request import ConnectionRequest
    from twikit_pool.pool.waiting import Line

COUNTED: Final = 100
"""Waiters ahead that are counted one by one; beyond it "or more" is said."""

SHOWN: Final = 6
"""Kinds of what accounts are doing that are named in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What stands between a request and its connection. `str()` of it is a sentence without secrets.

    Attributes:
        accounts: how many could serve it at all.
        in_all: how many the pool has.
        doing: how many of them are doing what: leased, reserved, locked (and why), out of calls, …
        notice: what else keeps them: the pool is suspended, say, or as large as it may be.
        opens_in: seconds until the first closed window among them opens; None when none is closed or nobody
            knows.
        ahead: those before it who wait for the same; None when nobody has yet. Counted up to 100.
        wanted: what it asks for.
    """

    accounts: int
    in_all: int
    doing: Mapping[str, int]
    opens_in: float | None
    ahead: int | None
    wanted: str
    notice: str = ""

    def __str__(self) -> str:
        if not self.accounts:
            return f"none of {self.in_all} accounts fits (it must be able to: {self.wanted})"
        shown = ", ".join(f"{number} {what}" for what, number in list(self.doing.items())[:SHOWN])
        if len(self.doing) > SHOWN:
            shown += f" and {sum(list(self.doing.values())[SHOWN:])} others"
        soonest = "" if self.opens_in is None else f"; the next window opens in {in_words(self.opens_in)}"
        behind = ""
        if self.ahead:
            more = " or more" if self.ahead >= COUNTED else ""
            behind = f"; {self.ahead}{more} wait before it"
        notice = f"; {self.notice}" if self.notice else ""
        return f"of {self.accounts} accounts {shown}{soonest}{behind}{notice}"


class Census:
    """What the accounts are doing at one moment, counted by what they lack."""

    __slots__ = ("members", "opens", "taken", "tally")

    def __init__(self, members: Iterable[Member], taken: float) -> None:
        self.taken = taken
        self.members = 0
        self.tally: Counter[tuple[str, int]] = Counter()
        self.opens: dict[int, float] = {}
        """When the first closed window of an endpoint opens, by the endpoint's bit."""
        for member in members:
            self.members += 1
            self.tally[doing(member), member.lacks] += 1
            for bit, thaw in member.thaws.items():
                if thaw.when < self.opens.get(bit, float("inf")):
                    self.opens[bit] = thaw.when


def doing(member: Member) -> str:
    """What an account is doing, in a word or two."""
    if member.bars:
        state, _, reason = member.why_barred.partition(": ")
        return f"{state} ({reason})" if reason else state
    states = {connection.state for connection in member.connections}
    for state in ConnectionState:  # the nearest to being free last
        if state in states and len(states) == 1:
            return str(state)
    if states:
        return str(ConnectionState.LEASED if ConnectionState.LEASED in states else min(states))
    return "not open" if member.rests is None else "resting after a failed opening or try"


def explain(
    census: Census,
    members: Mapping[str, Member],
    request: ConnectionRequest,
    lines: Collection[Line],
    place: tuple[float, int] | None,
    notice: str,
) -> Explanation:
    """Why this request waits, or would; `place` says where it stands among those in `lines`."""
    if request.account_id is not None:
        member = members.get(request.account_id)
        census = Census([] if member is None else [member], census.taken)
    bit = 0 if request.endpoint is None else endpoint_bit(request.endpoint)
    to_low = low_bit(bit) & request.need
    tally: Counter[str] = Counter()
    for (what, lacks), number in census.tally.items():
        if request.need & lacks & CAPABILITIES:
            continue
        if not request.need & lacks & USABLE:
            if lacks & bit:
                what = f"out of {request.endpoint} calls"
            elif lacks & to_low:
                what = f"keeping their last {request.endpoint} calls for more urgent requests"
        tally[what] += number
    opens = census.opens.get(to_low or bit)
    ahead: int | None = None
    if place is not None and lines:
        ahead = min(sum(line.ahead(place, COUNTED) for line in lines), COUNTED)
    return Explanation(
        accounts=tally.total(),
        in_all=census.members,
        doing=dict(tally.most_common()),
        opens_in=None if opens is None else max(opens - census.taken, 0.0),
        ahead=ahead,
        wanted=", ".join(sorted(request.capabilities)) or "nothing special",
        notice=notice,
    )
