"""What a client library must offer to be a backend.

To add one, write a class that opens a `Link` for an account and a table that carries actions out on it;
nothing above this module knows which library is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twikit_pool.accounts.model import Account
from twikit_pool.redaction import Cookies
from twikit_pool.sessions.actions import Action
from twikit_pool.sessions.media import Media
from twikit_pool.sessions.responses import RawResponse
from twikit_pool.sessions.traffic import Traffic


class Link(Protocol):
    """A live client of one account.

    Attributes:
        client: the library's own client, for whatever the named actions lack.
        on_request: told the endpoint of each request just before it leaves.
        on_response: told each raw response, before the library interprets it.
        traffic: where it counts what its requests and responses take.
    """

    client: Any
    on_request: Callable[[str], None] | None
    on_response: Callable[[RawResponse], None] | None
    traffic: Traffic

    @property
    def unfinished(self) -> int:
        """Requests that began and did not end with a whole response.

        Above zero and with nothing running, the link is dirty: it must be renewed before the next use.
        """
        ...

    @property
    def handshake_due(self) -> bool:
        """Whether the next call begins with the log-in handshake."""
        ...

    @property
    def cookies_changed(self) -> bool:
        """Whether X has set cookies since this was last set to False."""
        ...

    @cookies_changed.setter
    def cookies_changed(self, changed: bool) -> None: ...

    async def perform(self, action: Action, files: Sequence[Media]) -> Any:
        """Carry an action out and return its record; raises whatever the library raises."""
        ...

    async def check(self) -> None:
        """The cheapest call that proves the account is logged in; raises whatever the library raises."""
        ...

    def cookies(self) -> Cookies:
        """The cookies as they are now."""
        ...

    async def renew(self) -> None:
        """Close the HTTP client and put a fresh one in place, with the same cookies."""
        ...

    def renew_handshake(self) -> None:
        """Do the log-in handshake anew before the next call."""
        ...

    def park(self) -> object | None:
        """What another link of the account can begin with in place of a handshake; None before the handshake.

        A copy of keys and cookies, as secret as the link, that holds nothing of it: this link may be used on.
        """
        ...

    def unpark(self, kept: Any) -> None:
        """Begin with what `park` of another link gave, and which no third is given; before the first call."""
        ...

    def trim(self) -> None:
        """Let go of what the last call left behind and the next one does not need."""
        ...

    async def aclose(self) -> None:
        """Close the HTTP client."""
        ...


class SessionBackend(Protocol):
    """A client library."""

    name: str
    """How it is called in settings and messages."""

    def open(self, account: Account) -> Link:
        """A link for this account. Quick, and sends nothing."""
        ...
