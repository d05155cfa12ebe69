"""What the scaling engine needs to know of a pool at one moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

MOST: Final = 1e9
"""Calls, seconds, or calls a second beyond which a number is no measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointDemand:
    """What is asked of one endpoint of X.

    Attributes:
        endpoint: its name.
        rate: calls a second that callers ask for, whether they get them or not; None when not measured.
        sustained: calls a second with which one account can go on for ever, as its rate windows tell; None
            when no limit is known.
        window: seconds of its rate window.
    """

    endpoint: str
    rate: float | None
    sustained: float | None
    window: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """A bound on a pool's size that is not among its settings.

    Attributes:
        kind: what sets it.
        size: connections that there may be at most.
        reason: why, in a few words that follow "; but".
    """

    kind: Literal["shared", "container"]
    size: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A pool's load at one moment. None is what nobody has measured.

    Attributes:
        moment: when it was measured, in seconds of the monotonic clock.
        epoch: the same by the wall clock, in seconds of UTC since 1970; the forecast's days begin with it.
        active: connections leased, on the mean since the last measurement.
        reserved: connections that are reserved and not leased.
        unhealthy: connections that cannot serve.
        arrivals: calls that came a second, whether they were served or not.
        service: mean seconds that a call held its connection.
        acquisition: mean seconds that callers waited for a connection.
        error_rate: share of the calls that failed.
        limited_rate: share of the calls that X refused with a 429.
        demand: what is asked of each endpoint.
        accounts_usable: accounts that could be used now.
        opening: seconds that opening a connection takes.
        ceilings: what bounds the size besides the settings; none goes below `min_connections`.
    """

    moment: float
    epoch: float
    active: float | None = None
    reserved: int = 0
    unhealthy: int = 0
    arrivals: float | None = None
    service: float | None = None
    acquisition: float | None = None
    error_rate: float | None = None
    limited_rate: float | None = None
    demand: tuple[EndpointDemand, ...] = ()
    accounts_usable: int | None = None
    opening: float | None = None
    ceilings: tuple[Ceiling, ...] = ()

    @property
    def offered(self) -> float | None:
        """Erlangs: calls a second times seconds of service; None when either is missing."""
        if self.arrivals == 0:
            return 0.0
        return None if self.arrivals is None or self.service is None else self.arrivals * self.service

    def cleaned(self) -> Load:
        """The same, with numbers that no pool can have as missing."""
        if not self.demand and all(each is None or 0 <= each <= MOST for each in self._measured()):
            return self
        return replace(
            self,
            active=_known(self.active),
            arrivals=_known(self.arrivals),
            service=_known(self.service),
            acquisition=_known(self.acquisition),
            error_rate=_known(self.error_rate),
            limited_rate=_known(self.limited_rate),
            opening=_known(self.opening),
            demand=tuple(
                replace(
                    each,
                    rate=_known(each.rate),
                    sustained=_known(each.sustained),
                    window=_known(each.window) or 0.0,
                )
                for each in self.demand
            ),
        )

    def _measured(self) -> tuple[float | None, ...]:
        return (
            self.active,
            self.arrivals,
            self.service,
            self.acquisition,
            self.error_rate,
            self.limited_rate,
            self.opening,
        )


def _known(value: float | None) -> float | None:
    return value if value is not None and 0 <= value <= MOST else None
