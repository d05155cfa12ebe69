"""An account as a pool holds it: what it lacks now, and the connections that are open for it."""

from __future__ import annotations

from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from twikit_pool.accounts.model import AccountState, Standing
from twikit_pool.pool.connection import PastUse
from twikit_pool.pool.health import Replacements
from twikit_pool.pool.needs import USABLE
from twikit_pool.pool.waiting import Heads, Line

if TYPE_CHECKING:
    from twikit_pool.accounts.model import Account
    from twikit_pool.pool.connection import PooledTwikitConnection
    from twikit_pool.pool.deadlines import Deadline
    from twikit_pool.pool.request import ConnectionRequest
    from twikit_pool.pool.reservations import Owner, Reservation
    from twikit_pool.sessions.windows import RateWindows


class Bar(StrEnum):
    """Why an account may not be used here now."""

    STANDING = "standing"
    """X or a person has shut it: locked, suspended, logged out, disabled, resting."""
    QUARANTINE = "quarantine"
    """This pool leaves it alone for a while."""
    CIRCUIT = "circuit"
    """Its calls fail while others' succeed."""
    ELSEWHERE = "elsewhere"
    """Another pool that shares it is using it."""


class Spending(NamedTuple):
    """How much of an endpoint's window is spent, in quarters, and when that is over."""

    tier: int
    over: Deadline


class Kind:
    """All members with the same capabilities, and the heads of the lines they can serve."""

    __slots__ = ("heads", "hopeful", "lacks")

    def __init__(self, lacks: int) -> None:
        self.lacks = lacks
        self.heads = Heads()
        self.hopeful = 0
        """Members that are usable, or will be by themselves."""


class Member:
    """One account of a pool.

    Attributes:
        account: the account as it was read from its source.
        standing: its state, as last heard.
        bars: why it may not be used, by cause; usable when empty.
        lacks: what it lacks now, as the bits of `needs`.
        connections: those of its connections that are not closed.
        reservations: those of its connections that are kept for owners, those yet to be opened included.
        thaws: when its closed endpoints open, by bit.
        tier: how much of its fullest window is spent, in quarters; who has spent less is taken first.
        past: what its connections that are closed were used for.
        lines: those who wait for this very account, by need and owner.
        heads: the heads of those lines.
    """

    __slots__ = (
        "account",
        "bars",
        "connections",
        "failures",
        "heads",
        "kind",
        "lacks",
        "lifted",
        "lines",
        "opened",
        "past",
        "replacements",
        "reservations",
        "rests",
        "spare_under",
        "spending",
        "standing",
        "thaws",
        "tier",
        "windows",
    )

    def __init__(self, account: Account, windows: RateWindows, kind: Kind) -> None:
        self.account = account
        self.windows = windows
        self.kind = kind
        self.standing = account.standing
        self.bars: dict[Bar, str] = {}
        self.lacks = kind.lacks
        self.connections: list[PooledTwikitConnection] = []
        self.reservations: list[Reservation] = []
        self.thaws: dict[int, Deadline] = {}
        self.tier = 0
        self.spending: dict[str, Spending] = {}
        """Endpoints of which a quarter of the window or more is spent."""
        self.lifted: dict[Bar, Deadline] = {}
        """When bars that end by themselves are lifted."""
        self.lines: dict[tuple[int, Owner | None], Line] = {}
        self.heads = Heads()
        self.past = PastUse()
        self.opened = 0
        """Connections opened so far; the next one's number."""
        self.failures = 0
        """Openings that failed in a row."""
        self.replacements = Replacements()
        self.spare_under: tuple[int, int] | None = None
        """Lacks and tier when it was put by as having room for a connection; None while it has none."""
        self.rests: Deadline | None = None
        """When opening may be tried again after a failure."""

    @property
    def id(self) -> str:
        """The account's id."""
        return self.account.id

    @property
    def usable(self) -> bool:
        """Whether it may be used here now."""
        return not self.lacks & USABLE

    @property
    def hopeful(self) -> bool:
        """Whether it is usable, or will be by itself after a time."""
        return may_recover(self.standing)

    def could_serve(self, request: ConnectionRequest) -> bool:
        """Whether it is for this request at all, whatever its windows and state are now."""
        return (request.account_id is None or request.account_id == self.id) and not (
            request.need & self.kind.lacks
        )

    def wait_for(self, request: ConnectionRequest) -> float:
        """Seconds until the request's endpoint is open to this account; 0 when it is."""
        return self.windows.wait(request.endpoint) if request.endpoint is not None else 0.0

    @property
    def able(self) -> bool:
        """Whether it has room for a connection that could be used now."""
        return self.spare_under is not None and self.usable

    @property
    def unkept(self) -> Reservation | None:
        """A reservation that lacks its connection."""
        return next((each for each in self.reservations if each.connection is None), None)

    @property
    def why_barred(self) -> str:
        """Its state and reason in a few words, when it may not be used."""
        return next(iter(self.bars.values()), "")

    @property
    def state(self) -> str:
        """The same without the reason; `active` when it may be used."""
        return "active" if self.usable else (self.why_barred.split(":")[0] or "in use elsewhere")

    def away(self, now: float) -> float:
        """Seconds until nothing bars it by itself: 0 when nothing does, `math.inf` when nobody knows."""
        # In use by another pool is like being leased: it may be free in a moment.
        ends = (self.lifted.get(bar) for bar in self.bars if bar is not Bar.ELSEWHERE)
        return max((inf if end is None else max(end.when - now, 0.0) for end in ends), default=0.0)


def may_recover(standing: Standing) -> bool:
    """Whether an account of this standing is usable, or will be without anyone's doing."""
    return standing.state is AccountState.ACTIVE or (
        standing.state is AccountState.QUARANTINED and standing.until is not None
    )
