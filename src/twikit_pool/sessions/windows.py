"""Rate windows and caps of one account: what may be sent, kept on our own monotonic clock.

Calls in flight count as if they were used: X may have counted them, and only their answers can tell. To an
endpoint whose window is not known, one call at a time is sent. So calls used and calls in flight never
exceed a budget that is known, however many sessions of the account send at once. `Ledger` has the rules
of one endpoint.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from math import inf
from typing import TYPE_CHECKING, Final

from twikit_pool.accounts.caps import Cap, in_a_period
from twikit_pool.clock import Clock, in_words
from twikit_pool.sessions.budgets import RollingCap, Window
from twikit_pool.sessions.ledger import ROUNDING, Ledger
from twikit_pool.sessions.limits import CAPPED_TOGETHER, SHARES_CAPS_OF, Limit
from twikit_pool.sessions.prospects import Prospect
from twikit_pool.sessions.responses import HANDSHAKE_SCRIPT, HOME, USER_STATE
from twikit_pool.sessions.saved_ledger import SavedCap, SavedLedger

if TYPE_CHECKING:
    from twikit_pool.sessions.responses import RawResponse

HANDSHAKE: Final = frozenset({HOME, HANDSHAKE_SCRIPT, USER_STATE})
"""What twikit asks for itself. X tells no windows of these."""

_NO_CAPS: Final[Mapping[str, tuple[Cap, ...]]] = {}


class RateWindows:
    """The windows and caps of one account, by endpoint.

    Each request is announced with `sent` and ends with exactly one of `note`, `lost` and `unsent`.

    Args:
        clock: the time.
        rng: chance, for jitter.
        changed: told an endpoint in the step in which `wait` for it, with any `keep`, may have changed; not
            when time alone changes it. It may ask anything here, and must not raise.
        caps: the caps by endpoint; see `limits.caps_by_endpoint`.
    """

    __slots__ = ("_caps", "_changed", "_clock", "_ledgers", "_rng")

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        changed: Callable[[str], None] | None = None,
        caps: Mapping[str, tuple[Cap, ...]] = _NO_CAPS,
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._changed: Callable[[str], None] | None = None
        self._ledgers: dict[str, Ledger] = {}
        self._caps: dict[str, tuple[RollingCap, ...]] = {}
        self.cap(caps)
        self._changed = changed

    # ------------------------------------------------------------ what may be sent

    def wait(self, endpoint: str, *, keep: float = 0.0) -> float:
        """Seconds until a call to this endpoint may be sent; 0 when it may be now.

        `math.inf` when only the answer to a call under way can tell, or a cap of 0 forbids it. An answer may
        end any other wait early.

        Args:
            endpoint: where the call goes.
            keep: the share of each budget that must be left to others, below 1. What is kept of a window
                melts with it, what is kept of a cap does not.
        """
        now = self._clock.monotonic()
        return max(self.opens(endpoint, keep=keep) - now, 0.0)

    def opens(self, endpoint: str, *, keep: float = 0.0) -> float:
        """The moment at which `wait` is over, on the monotonic clock; one in the past when it is."""
        ledger = self._ledgers.get(endpoint)
        return -inf if ledger is None else ledger.opens(self._clock.monotonic(), keep)

    def left(self, endpoint: str) -> int | None:
        """Calls that may be sent now; 1, the probe, to a window that is not known. None without any limit."""
        return self._asked(endpoint).left(self._clock.monotonic())

    def spent(self, endpoint: str) -> tuple[float, float]:
        """The share of the budget that is spent most, and the moment until which; `inf` when nothing is."""
        ledger = self._ledgers.get(endpoint)
        return (0.0, inf) if ledger is None else ledger.spent(self._clock.monotonic())

    def limit(self, endpoint: str) -> Limit | None:
        """What X allows in a window, caps aside: as it told last, else as it is reported; None if unknown.

        The seconds are those of a window that was seen from its beginning, else X's usual ones.
        """
        return self._asked(endpoint).limit

    def sustained(self, endpoint: str) -> float | None:
        """Calls a second that the account can go on with, by the tightest budget; None without any limit."""
        ledger = self._asked(endpoint)
        rates = [each.cap.calls / each.cap.seconds for each in ledger.caps]
        if ledger.limit is not None:
            rates.append(ledger.limit.calls / (ledger.limit.seconds + ROUNDING))
        return min(rates, default=None)

    def prospect(self, endpoint: str) -> Prospect:
        """What may be sent to an endpoint, now and later."""
        return self._asked(endpoint).prospect(self._clock.monotonic())

    def forbids(self, endpoint: str) -> bool:
        """Whether a cap of 0 has switched the endpoint off."""
        ledger = self._ledgers.get(endpoint)
        return ledger is not None and any(not each.cap.calls for each in ledger.caps)

    def why_shut(self, endpoint: str) -> str:
        """Why `wait` is not 0, in words for a person."""
        ledger, now = self._asked(endpoint), self._clock.monotonic()
        opens = ledger.opens(now)
        for each in ledger.caps:
            if each.opens(now, 0.0) == opens:
                return _cap_is_used_up(endpoint, each.cap, opens - now)
        if opens == inf:
            return "another call to this endpoint is under way and only its answer can tell what is left"
        window = ledger.running(now)
        why = window.reason if window is not None else ""
        return f"{f'{why}; it' if why else 'the rate window'} opens in {in_words(opens - now)}"

    def known(self) -> dict[str, Window]:
        """The windows that run now, by endpoint."""
        now = self._clock.monotonic()
        running = ((endpoint, ledger.running(now)) for endpoint, ledger in self._ledgers.items())
        return {endpoint: window for endpoint, window in running if window is not None}

    def endpoints(self) -> tuple[str, ...]:
        """Every endpoint of which anything is known; all others are open."""
        return tuple(self._ledgers)

    def in_flight(self, endpoint: str) -> int:
        """How many requests to this endpoint were sent and have not ended."""
        ledger = self._ledgers.get(endpoint)
        return 0 if ledger is None else ledger.in_flight

    # ------------------------------------------------------------ a request's life

    def sent(self, endpoint: str) -> None:
        """A request leaves."""
        ledger, now = self._ledger(endpoint), self._clock.monotonic()
        before = ledger.state(now)
        ledger.send(now)
        self._tell(endpoint, ledger, before, now)

    def note(self, response: RawResponse, *, given_up: bool = False) -> None:
        """A request was answered: take in what that says about its endpoint's window.

        `given_up` says that it had ended with `lost` already and is not in flight any more.
        """
        ledger, now = self._ledger(response.endpoint), self._clock.monotonic()
        before = ledger.state(now)
        date = response.date if response.date is not None else self._clock.now().timestamp()
        ledger.answer(response, now, date, self._rng, given_up=given_up)
        self._tell(response.endpoint, ledger, before, now)

    def lost(self, endpoint: str) -> None:
        """A request ended without an answer: X may have counted it, now or in a moment, so it is used."""
        ledger, now = self._ledger(endpoint), self._clock.monotonic()
        before = ledger.state(now)
        ledger.lose(now)
        self._tell(endpoint, ledger, before, now)

    def unsent(self, endpoint: str) -> None:
        """A request never left after all: there was no connection to send it on."""
        ledger, now = self._ledger(endpoint), self._clock.monotonic()
        before = ledger.state(now)
        ledger.unsend(now)
        self._tell(endpoint, ledger, before, now)

    def rest(self, endpoint: str, seconds: float, reason: str = "") -> None:
        """Close an endpoint for this long, whatever its headers say, for a reason told in words."""
        ledger, now = self._ledger(endpoint), self._clock.monotonic()
        before = ledger.state(now)
        ledger.rest(now, seconds, reason)
        self._tell(endpoint, ledger, before, now)

    # ------------------------------------------------------------ caps, and what survives a restart

    def cap(self, caps: Mapping[str, tuple[Cap, ...]]) -> None:
        """Hold to these caps from now on, in place of the ones before; what those have counted counts."""
        now = self._clock.monotonic()
        before, self._caps = self._caps, {name: tuple(map(RollingCap, each)) for name, each in caps.items()}
        for name, several in self._caps.items():
            counted = [(each.cap.seconds, each) for each in before.get(name, ())]
            for each in several:
                each.follow(counted, now)
        sharing = [name for name, other in SHARES_CAPS_OF.items() if other in self._caps]
        for name in {*self._ledgers, *self._caps, *sharing}:
            self._ledger(name).caps = tuple(self._caps_of(name))
        self._tell_all()

    def saved(self, *, margin: int = 0) -> SavedLedger:
        """What is to be kept over a restart; what is in flight counts as used.

        Args:
            margin: calls that may be sent before the next saving, and be lost to it when the process is
                killed. So many are taken off what is left of each window and count against each cap in which
                anything was counted.
        """
        now, wall = self._clock.monotonic(), self._clock.now().timestamp()
        kept = {name: ledger.saved(now, wall, margin) for name, ledger in self._ledgers.items()}
        caps: dict[str, tuple[SavedCap, ...]] = {}
        for name, several in self._caps.items():
            caps[name] = tuple(_saved_cap(each, now, wall, margin) for each in several)
        return SavedLedger(
            saved_at=wall,
            endpoints={name: each for name, each in kept.items() if each is not None},
            caps={name: each for name, each in caps.items() if any(cap.slices for cap in each)},
        )

    def restore(self, saved: SavedLedger) -> None:
        """Go on from what was kept, before the first call.

        A wall clock that went back since then tells nothing of the time that has passed: none has, to be
        sure. A window that has not ended is remembered: one call at a time, until an answer tells what is
        left.
        """
        now, wall = self._clock.monotonic(), max(self._clock.now().timestamp(), saved.saved_at)
        for name, endpoint in saved.endpoints.items():
            self._ledger(name).restore(endpoint, now, wall)
        for name, several in saved.caps.items():
            before = [(each.seconds, [(at - wall + now, n) for at, n in each.slices]) for each in several]
            for cap in self._caps.get(name, ()):
                cap.follow(before, now)
        self._tell_all()

    # ------------------------------------------------------------ within

    def _ledger(self, endpoint: str) -> Ledger:
        ledger = self._ledgers.get(endpoint)
        if ledger is None:
            ledger = self._ledgers[endpoint] = Ledger(endpoint, silent=endpoint in HANDSHAKE)
        return ledger

    def _asked(self, endpoint: str) -> Ledger:
        """The same for a question, which keeps no ledger of an endpoint of which nothing is known."""
        return self._ledgers.get(endpoint) or Ledger(endpoint, silent=endpoint in HANDSHAKE)

    def _caps_of(self, endpoint: str) -> Iterator[RollingCap]:
        """The caps that an endpoint's calls count against."""
        yield from self._caps.get(endpoint, ())
        yield from self._caps.get(SHARES_CAPS_OF.get(endpoint, ""), ())

    def _tell(self, endpoint: str, ledger: Ledger, before: tuple[object, ...], now: float) -> None:
        if self._changed is not None and ledger.state(now) != before:
            for each in CAPPED_TOGETHER.get(endpoint, (endpoint,)):
                self._changed(each)

    def _tell_all(self) -> None:
        if self._changed is not None:
            for endpoint in self._ledgers:
                self._changed(endpoint)


def _saved_cap(counted: RollingCap, now: float, wall: float, margin: int) -> SavedCap:
    counted.roll(now)
    slices = [(at - now + wall, calls) for at, calls in counted]
    if margin and slices:
        slices.append((wall, margin))
    return SavedCap(seconds=counted.cap.seconds, slices=tuple(slices))


def _cap_is_used_up(endpoint: str, cap: Cap, seconds: float) -> str:
    if not cap.calls:
        return f"{endpoint} is switched off by its cap"
    period = in_a_period(cap.seconds)
    return f"the cap of {cap.calls} {endpoint} calls {period} is used up; next in {in_words(seconds)}"
