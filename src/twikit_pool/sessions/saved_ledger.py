"""What is kept of an account's ledger over a restart: numbers and times, nothing secret.

Times are epoch seconds of the wall clock.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from twikit_pool.sessions.limits import Limit

# What was altered is to be learned anew: a call that counts less than nothing would lift a cap.
Calls = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0)]


class SavedWindow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A window that had not ended; what was in flight counts as used."""

    limit: Calls | None
    remaining: Calls
    reset: int | None
    ends: float
    length: Seconds
    told: int = 0
    reason: str = ""


class SavedEndpoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was learned of an endpoint."""

    limit: Limit | None = None
    window: SavedWindow | None = None
    refusals: int = 0


class SavedCap(msgspec.Struct, frozen=True, kw_only=True):
    """Calls counted against a cap: the seconds of its period; when and how many of them were sent."""

    seconds: Seconds
    slices: tuple[tuple[float, Calls], ...]


class SavedLedger(msgspec.Struct, frozen=True, kw_only=True):
    """The windows and caps of one account, at one moment.

    Attributes:
        saved_at: that moment.
        endpoints: what is known of each endpoint.
        caps: the calls that each endpoint's caps have counted.
    """

    saved_at: float
    endpoints: dict[str, SavedEndpoint] = {}
    caps: dict[str, tuple[SavedCap, ...]] = {}
