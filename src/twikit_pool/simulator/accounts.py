"""The accounts that may log in, and their csrf tokens."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Any, Final

from twikit_pool.redaction import Cookies

if TYPE_CHECKING:
    from twikit_pool.simulator.world import User

_SELF_MADE: Final = re.compile(r"[0-9a-f]{32}")
"""What a browser or a client makes up when it has no csrf cookie yet."""


class SimulatedAccount:
    """An account of the simulator. Its csrf token is the current one, the previous one, or refused.

    Attributes:
        id: `sim_001` and so on; the handle is the same.
        auth_token: the log-in cookie, always the same for the same seed, until it logs in anew.
        logged_in: False after a log-out.
        calls: API calls so far.
        announce: whether the next answer is to bring the current token.
    """

    def __init__(self, account_id: str, user: User, seed: int) -> None:
        self._chance = random.Random(f"{seed}/{account_id}")
        self.id = account_id
        self.user = user
        self.auth_token = self._login()
        self.logged_in = True
        self.calls = 0
        self.announce = False
        self._current = self._fresh()
        self._previous: str | None = None
        self._retired: set[str] = set()

    @property
    def handle(self) -> str:
        """The X handle, without the @."""
        return self.user.handle

    @property
    def user_id(self) -> str:
        """The X user id."""
        return str(self.user.id)

    @property
    def ct0(self) -> str:
        """The current csrf token."""
        return self._current

    @property
    def cookies(self) -> Cookies:
        """The cookies that log this account in now."""
        return Cookies(auth_token=self.auth_token, ct0=self._current)

    @property
    def shown(self) -> dict[str, Any]:
        """What whoever runs the simulator needs to log in: the cookies are worth nothing elsewhere."""
        return {"id": self.id, "handle": self.handle, "user_id": self.user_id, "cookies": dict(self.cookies)}

    def _fresh(self) -> str:
        return f"{self._chance.getrandbits(640):0160x}"

    def _login(self) -> str:
        return f"{self._chance.getrandbits(160):040x}"

    def log_in_anew(self) -> None:
        """Another log-in cookie; the one before is good no more."""
        self.auth_token, self.logged_in = self._login(), True

    def rotate(self) -> None:
        """A new csrf token; the one before stays good, older ones do not. The next answer brings it."""
        self._replace(self._fresh())
        self.announce = True

    def _replace(self, token: str) -> None:
        if self._previous is not None:
            self._retired.add(self._previous)
        self._previous, self._current = self._current, token

    def admits(self, header: str | None, cookie: str | None) -> bool:
        """Whether header and cookie agree on a token that is good. A self-made one is adopted."""
        if not header or header != cookie:
            return False
        if header in (self._current, self._previous):
            return True
        if header in self._retired or not _SELF_MADE.fullmatch(header):
            return False
        self._replace(header)
        return True

    def __repr__(self) -> str:
        return f"SimulatedAccount({self.id!r})"
