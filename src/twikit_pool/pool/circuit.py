"""One circuit: what is broken, since when, and when it is tried again. `circuits` moves it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from twikit_pool.pool.evidence import Fault, Kind
from twikit_pool.pool.needs import USABLE, endpoint_bit

if TYPE_CHECKING:
    from datetime import datetime

    from twikit_pool.pool.connection import PooledTwikitConnection
    from twikit_pool.pool.deadlines import Deadline
    from twikit_pool.pool.member import Member

PAUSES: Final = {
    Kind.X: (1.0, 30.0),
    Kind.ENDPOINT: (1.0, 60.0),
    Kind.ACCOUNT: (30.0, 900.0),
    Kind.LIBRARY: (600.0, 600.0),
}
"""Seconds until the first trial, and the most that this doubles to as trials fail."""


class CircuitState(StrEnum):
    """Whether what needs it may be sent. One that is closed is not kept."""

    OPEN = "open"
    HALF_OPEN = "half open"
    """The next one that needs it tries."""
    ON_TRIAL = "on trial"


OPEN, HALF_OPEN, ON_TRIAL = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.ON_TRIAL


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitInfo:
    """One circuit that is not closed.

    Attributes:
        kind: x, endpoint, account or library (an endpoint that this library does not send as X wants it).
        name: the endpoint, the account's id, or X.
        state: open, half open or on trial.
        since: when it opened first.
        failures: those in a row that opened it, and the trials that failed since.
        reason: what is wrong, in a sentence.
        retry_in: seconds until the next trial may begin; 0 when it may, or has begun.
    """

    kind: str
    name: str
    state: str
    since: datetime
    failures: int
    reason: str
    retry_in: float


class Trial:
    """The right of one lease to try what is half open, until its call has an outcome or it gives up."""

    __slots__ = ("circuits", "connection")

    def __init__(self, connection: PooledTwikitConnection) -> None:
        self.connection = connection
        self.circuits: list[Circuit] = []


class Circuit:
    """What is broken, and when it is tried again."""

    __slots__ = (
        "deadline",
        "failures",
        "kind",
        "member",
        "name",
        "opened",
        "pause",
        "row",
        "state",
        "trial",
        "tried",
    )

    def __init__(self, fault: Fault, now: float, member: Member | None) -> None:
        self.kind, self.name, self.row = fault
        self.member = member
        """Whose it is, if it is an account's."""
        self.failures = self.row.failures
        self.opened = now
        self.pause = PAUSES[self.kind][0]
        self.state = OPEN
        self.trial: Trial | None = None
        self.tried: dict[str, int] = {}
        """How many trials have failed, by account."""
        self.deadline: Deadline | None = None
        """When it is half open; on trial, when the trial must have begun a call."""

    @property
    def bit(self) -> int:
        """The bit of those requests that need it; 0 for an account's, which is barred instead."""
        if self.kind is Kind.X:
            return USABLE
        return 0 if self.kind is Kind.ACCOUNT else endpoint_bit(self.name)

    def retry_in(self, now: float) -> float:
        """Seconds until it may be tried."""
        return max(self.deadline.when - now, 0.0) if self.state is OPEN and self.deadline is not None else 0.0

    def why(self, now: float) -> str:
        """What is wrong, in a sentence without secrets."""
        accounts = len(self.row.accounts)
        whose = "1 account" if accounts == 1 else f"{accounts} accounts"
        if self.kind is Kind.LIBRARY:
            return (
                f"X does not know {self.name} as this library sends it ({self.row.reason}, on {whose}): "
                "update twifork"
            )
        what = {
            Kind.X: "X is down",
            Kind.ENDPOINT: f"{self.name} is broken for every account",
            Kind.ACCOUNT: f"calls of {self.name} fail while others' succeed",
        }[self.kind]
        seconds = now - self.row.since
        row = f"{self.failures} failures in a row on {whose} in the last {seconds:.0f} s"
        return f"{what}: {row}, {self.row.reason}"

    def told(self, now: float) -> str:
        """The same, and when it is tried again."""
        following = {
            OPEN: f"the next try is in {self.retry_in(now):.0f} s",
            HALF_OPEN: "the next call tries it",
            ON_TRIAL: "a call is trying it now",
        }
        return f"{self.why(now)}; {following[self.state]}"
