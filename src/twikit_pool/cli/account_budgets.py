"""What accounts may still send, by the ledgers that their last program has left in the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from twikit_pool.jobs import engagement
from twikit_pool.sessions.limits import DEFAULT_CAPS, caps_by_endpoint, caps_of_account
from twikit_pool.sessions.saved_ledger import SavedLedger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from twikit_pool.accounts.caps import Cap
    from twikit_pool.accounts.model import Account
    from twikit_pool.sessions.saved_ledger import SavedCap


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Calls that one account has left for one endpoint.

    Attributes:
        left, limit: how many of how many; `limit` is None where the endpoint merely rests.
        seconds: the period of the cap; None for X's own window.
        returns: when the window ends, or the first capped call comes back (UTC).
        reason: why it rests, if it does.
    """

    endpoint: str
    left: int
    limit: int | None
    seconds: float | None
    returns: datetime
    reason: str = ""


def budgets_left(account: Account, ledger: bytes | None, now: datetime) -> tuple[Budget, ...]:
    """The budgets of which something is spent, the tightest of each endpoint, the most used first."""
    try:
        saved = msgspec.json.decode(ledger, type=SavedLedger) if ledger else None
    except msgspec.DecodeError:  # another version's: the next run learns it anew
        saved = None
    if saved is None:
        return ()
    # Those of `run`; what is wrong with the account's own, `accounts check` and the next run tell.
    caps, _ = caps_of_account(caps_by_endpoint(DEFAULT_CAPS, engagement.CAPS), account.caps)
    tightest: dict[str, Budget] = {}
    for each in (*_windows(saved, now), *_capped(saved.caps, caps, now)):
        known = tightest.get(each.endpoint)
        if known is None or each.left < known.left:
            tightest[each.endpoint] = each
    return tuple(sorted(tightest.values(), key=lambda each: (_share(each), each.endpoint)))


def _share(budget: Budget) -> float:
    return budget.left / budget.limit if budget.limit else 0.0


def _windows(saved: SavedLedger, now: datetime) -> Iterator[Budget]:
    for endpoint, known in saved.endpoints.items():
        window = known.window
        if window is not None and window.ends > now.timestamp():
            yield Budget(
                endpoint=endpoint,
                left=window.remaining,
                limit=window.limit,
                seconds=None,
                returns=datetime.fromtimestamp(window.ends, UTC),
                reason=window.reason,
            )


def _capped(
    saved: Mapping[str, Sequence[SavedCap]], caps: Mapping[str, Sequence[Cap]], now: datetime
) -> Iterator[Budget]:
    for endpoint, counted in saved.items():
        for cap in caps.get(endpoint, ()):
            slices = next((each.slices for each in counted if each.seconds == cap.seconds), ())
            ends = sorted((at + cap.seconds, calls) for at, calls in slices)
            running = [(end, calls) for end, calls in ends if end > now.timestamp()]
            if running:
                yield Budget(
                    endpoint=endpoint,
                    left=max(cap.calls - sum(calls for _, calls in running), 0),
                    limit=cap.calls,
                    seconds=cap.seconds,
                    returns=datetime.fromtimestamp(running[0][0], UTC),
                )
