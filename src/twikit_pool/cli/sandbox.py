"""A world to try things in: a simulator in this process, always the same, where a few things go wrong."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final

from twikit_pool import simulator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""When it is in a sandbox as it opens: the ids of its posts follow from it, so job files can name them."""

SEED: Final = 7
TIME_SCALE: Final = 90.0
"""A rate window of 15 minutes lasts 10 seconds."""

LATENCY: Final = 0.05
"""Median seconds before a call is worked on."""

CALL_SECONDS: Final = 0.1
"""Seconds that a call lasts, what this process itself takes for it included."""

FEWEST_FOR_FAULTS: Final = 5
"""With fewer accounts none is ill: too few would be left."""

HICCUPS: Final = ("SearchTimeline", "UserTweets", "HomeTimeline", "UserByScreenName", "TweetDetail")
"""Reads that fail now and then. Each fails at most twice, so that three attempts always suffice."""


class SandboxClock:
    """Time as it passes, counted from the sandbox's beginning."""

    def __init__(self) -> None:
        self._began: float | None = None

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return monotonic()

    def now(self) -> datetime:
        """The sandbox's time; it begins to pass when it is first asked for."""
        if self._began is None:
            self._began = monotonic()
        return BEGINNING + timedelta(seconds=monotonic() - self._began)


@asynccontextmanager
async def sandbox(accounts: int, *, faults: bool) -> AsyncGenerator[simulator.Simulator]:
    """A running sandbox.

    With `faults` the last account is locked, the one before has expired cookies, some reads answer
    503 and some calls are slow.
    """
    x = simulator.Simulator(
        accounts=accounts,
        clock=SandboxClock(),
        seed=SEED,
        time_scale=TIME_SCALE,
        latency=LATENCY,
        latency_sigma=0.4,
    )
    if faults:
        if accounts >= FEWEST_FOR_FAULTS:
            x.fault("lock", account=x.accounts[-1].id)
            x.fault("expire", account=x.accounts[-2].id)
        for endpoint in HICCUPS:
            x.fault("server_error", endpoint=endpoint, status=503, times=2, probability=0.2)
        x.fault("slow", seconds=0.8, probability=0.02)
    async with x:
        yield x
