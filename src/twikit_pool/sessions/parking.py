"""Warm parking: what a closed session leaves, so that its account's next one begins without a log-in.

twikit begins each client with a handshake: X's home page and a script, from which it takes the keys that
every request is signed with. X sees it as a browser that starts anew. The keys hold for days, so a session
that was well leaves them, with its cookie jar, and the next one goes on where it ended. Sockets and the HTTP
client are not kept.

What is parked must agree with what is known of its account when it is taken up: the same cookies, the same
proxy, and nothing heard of its standing since. So nobody need tell of a new log-in, of a token that was
rotated elsewhere or of an illness, and what is old is never used. What does not agree, or is too old, is let
go when it is met.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from twikit_pool.errors import ConfigError
from twikit_pool.redaction import Cookies

if TYPE_CHECKING:
    from twikit_pool.accounts.model import Account
    from twikit_pool.clock import Clock

LASTING_COOKIES: Final = frozenset({"auth_token", "ct0", "kdt", "twid"})
"""The cookies that make a log-in; the others (`__cf_bm`, `guest_id`, …) change with nearly every answer."""


def lasting(cookies: Mapping[str, str]) -> Cookies:
    """Those of these cookies that make a log-in."""
    return Cookies({name: value for name, value in cookies.items() if name in LASTING_COOKIES})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parked:
    """What one session left. As secret as the session was.

    Attributes:
        account: the account as the session knew it.
        cookies: the lasting ones, as its client had them.
        handshake_at: when it made its handshake, on the monotonic clock.
        kept: the client library's part: keys and cookie jar.
    """

    account: Account
    cookies: Cookies
    handshake_at: float
    kept: Any = field(repr=False)

    def agrees(self, account: Account) -> bool:
        """Whether a session of this account, as it is known now, may begin with it."""
        known = lasting(account.credentials.cookies)
        return (
            self.cookies | known == self.cookies
            and self.account.proxy == account.proxy
            and self.account.standing == account.standing
        )


class Parking:
    """What closed sessions have left: each is taken up once, the latest of an account first.

    Args:
        most: how many are kept, of all accounts; the longest parked make room. 0 keeps none.
        longest: seconds after its handshake in which one may be taken up.
        clock: the time.

    Raises:
        ConfigError: one of the two is below 0.
    """

    __slots__ = ("_by_account", "_by_time", "_clock", "_longest", "_most")

    def __init__(self, most: int, longest: float, clock: Clock) -> None:
        if most < 0 or not longest >= 0:
            raise ConfigError(f"parked_sessions={most}, parked_for={longest}: neither can be below 0")
        self._most = most
        self._longest = longest
        self._clock = clock
        self._by_account: dict[str, list[Parked]] = {}
        self._by_time: OrderedDict[Parked, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_time)

    def add(self, parked: Parked) -> None:
        """Keep this one; the longest parked go when they are too old, or too many."""
        self._by_account.setdefault(parked.account.id, []).append(parked)
        self._by_time[parked] = None
        while self._by_time:
            first = next(iter(self._by_time))
            if len(self) <= self._most and not self._too_old(first):
                return
            self._let_go(first)

    def take(self, account: Account) -> Parked | None:
        """The latest that a session of this account may begin with; what may not is let go on the way."""
        while parked := self._by_account.get(account.id):
            latest = parked[-1]
            self._let_go(latest)
            if latest.agrees(account) and not self._too_old(latest):
                return latest
        return None

    def drop(self, account_id: str) -> None:
        """Let go of what was left by an account's sessions."""
        for parked in tuple(self._by_account.get(account_id, ())):
            self._let_go(parked)

    def close(self) -> None:
        """Let go of all of them, and keep none any more."""
        self._most = 0
        self._by_account.clear()
        self._by_time.clear()

    def _too_old(self, parked: Parked) -> bool:
        return self._clock.monotonic() - parked.handshake_at >= self._longest

    def _let_go(self, parked: Parked) -> None:
        del self._by_time[parked]
        of_account = self._by_account[parked.account.id]
        of_account.remove(parked)
        if not of_account:
            del self._by_account[parked.account.id]
