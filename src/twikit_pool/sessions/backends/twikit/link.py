# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportIncompatibleMethodOverride=false
# pyright: reportPrivateUsage=false
# twikit leaves type arguments out of its signatures, and httpx copies a jar it is given in the public way.
"""The real twikit client, with our wire under it.

twikit's own constructor replaces the transport it was given: it ends with `self.proxy = proxy`, whose
setter throws httpx's mounts away. Shadowing that one property keeps ours, and with it the shared TLS
context, the phase timeouts and the eye on every raw response.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, NamedTuple

import httpx
from twikit.client.client import Client
from twikit.x_client_transaction.transaction import ClientTransaction

from twikit_pool.accounts.model import Account
from twikit_pool.redaction import Cookies
from twikit_pool.sessions.actions import Action
from twikit_pool.sessions.backends.twikit.perform import perform
from twikit_pool.sessions.media import Media
from twikit_pool.sessions.responses import RawResponse, endpoint_of_request, read_response
from twikit_pool.sessions.traffic import Traffic, answer_bytes, request_bytes
from twikit_pool.sessions.transport import TIMEOUT, Transport, direct, quiet_http_logs


class Jar(httpx.Cookies):
    """A cookie jar that looks at answers that set a cookie, and at no other.

    httpx runs the whole cookie machinery on every answer, a twentieth of a call's CPU.
    """

    changed = False
    """Whether X has set cookies since this was last set to False."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Take in an answer's cookies."""
        if "set-cookie" in response.headers:
            super().extract_cookies(response)
            self.changed = True


class XClient(Client):
    """`twikit.Client` with the HTTP settings it is given; everything else about it is twikit's own."""

    def __init__(self, language: str, http: dict[str, Any]) -> None:
        super().__init__(language, **http)
        self.jar = Jar()
        self.adopt(self.http)

    def adopt(self, http: httpx.AsyncClient) -> None:
        """Send and receive through this HTTP client from now on, with the cookies as they are."""
        http._cookies = self.jar
        self.http = http

    @property
    def proxy(self) -> str | None:
        """Not twikit's affair here: the transport knows the account's proxy."""
        return None

    @proxy.setter
    def proxy(self, url: str | None) -> None:
        """Ignored, so that the transport survives twikit's constructor."""

    async def _send(self, method: str, url: str, **kwargs: Any) -> httpx.Response:
        response = await super()._send(method, url, **kwargs)
        if self.jar.changed:
            # X rotates ct0 for .x.com alone; twikit would go on sending the old one as the csrf header.
            for cookie in response.cookies.jar:
                if cookie.name == "ct0" and cookie.value:
                    self._set_cookie("ct0", cookie.value)
        return response


class _Wire:
    """One HTTP client's requests: counts those that began and did not end with a whole response.

    Each HTTP client has its own, so that a straggler of one that was replaced counts for nobody.
    """

    __slots__ = ("_link", "unfinished")

    def __init__(self, link: TwikitLink) -> None:
        self._link = link
        self.unfinished = 0

    async def begin(self, request: httpx.Request) -> None:
        """A request is about to leave."""
        on_request = self._link.on_request
        if on_request is not None and self is self._link.wire:
            on_request(endpoint_of_request(request))
        self._link.traffic.sent += request_bytes(request)
        self.unfinished += 1

    async def end(self, response: httpx.Response) -> None:
        """A response begins; it is read to its end here."""
        try:
            await response.aread()
        finally:
            self._link.traffic.received += answer_bytes(response)
        self.unfinished -= 1
        on_response = self._link.on_response
        if on_response is not None and self is self._link.wire:
            on_response(read_response(response))


class _Kept(NamedTuple):
    """What a link leaves to another of its account; it must not show itself."""

    jar: Jar
    transaction: ClientTransaction
    user_id: str | None

    def __repr__(self) -> str:
        return "<what a closed session left>"


class TwikitLink:
    """A twikit client of one account, and the eye on its wire."""

    __slots__ = ("_account", "_transport", "client", "on_request", "on_response", "traffic", "wire")

    def __init__(self, account: Account, transport: Transport, language: str) -> None:
        self._account = account
        self._transport = transport
        self.on_request: Callable[[str], None] | None = None
        self.on_response: Callable[[RawResponse], None] | None = None
        self.traffic = Traffic()
        self.wire = _Wire(self)
        self.client = XClient(language, self._http_settings())
        self.client.set_cookies(dict(account.credentials.cookies))

    @property
    def unfinished(self) -> int:
        """Requests that began and did not end with a whole response."""
        return self.wire.unfinished

    @property
    def handshake_due(self) -> bool:
        """Whether twikit has no transaction keys yet."""
        return not self.client.client_transaction.is_inited()

    @property
    def cookies_changed(self) -> bool:
        """Whether X has set cookies since this was last set to False."""
        return self.client.jar.changed

    @cookies_changed.setter
    def cookies_changed(self, changed: bool) -> None:
        self.client.jar.changed = changed

    def _http_settings(self) -> dict[str, Any]:
        return {
            "transport": self._transport(self._account),
            "timeout": TIMEOUT,
            "event_hooks": {"request": [self.wire.begin], "response": [self.wire.end]},
        }

    async def perform(self, action: Action, files: Sequence[Media]) -> Any:
        """Carry an action out; raises whatever twikit and httpx raise."""
        return await perform(self.client, action, files)

    async def check(self) -> None:
        """Ask X for the account's settings."""
        await self.client.v11.settings()

    def cookies(self) -> Cookies:
        """The cookies as they are now, rotated ones included."""
        return Cookies(self.client.get_cookies())

    async def renew(self) -> None:
        """Put a fresh HTTP client with the same cookies in place and close the old one."""
        old = self.client.http
        self.wire = _Wire(self)
        self.client.adopt(httpx.AsyncClient(**self._http_settings()))
        await old.aclose()

    def renew_handshake(self) -> None:
        """Fetch X's transaction keys anew before the next call; X changes them every few days."""
        self.client.refresh_transaction()

    def park(self) -> _Kept | None:
        """A copy of the cookie jar, of X's transaction keys and of the user's id, which twikit remembers."""
        if self.handshake_due:
            return None
        transaction = copy(self.client.client_transaction)
        transaction.home_page_response = transaction._init_lock = None
        return _Kept(Jar(self.client.jar), transaction, self.client._user_id)

    def unpark(self, kept: _Kept) -> None:
        """Begin with the cookies and keys of a link that is closed."""
        self.client.jar, self.client.client_transaction, self.client._user_id = kept
        self.client.adopt(self.client.http)

    def trim(self) -> None:
        """Let go of the parsed home page, hundreds of kilobytes, once its keys are taken."""
        transaction = self.client.client_transaction
        if transaction.home_page_response is not None:
            # Taken apart at once: as a tree of cycles it would lie about until the collector comes.
            transaction.home_page_response.decompose()
            transaction.home_page_response = None

    async def aclose(self) -> None:
        """Close the HTTP client."""
        await self.client.http.aclose()


class TwikitBackend:
    """X through twikit, from the distribution `twifork`.

    Args:
        transport: makes each account's transport; by default straight to X, or by the account's proxy.
        language: the language X is asked to answer in.
    """

    name = "twikit"

    def __init__(self, *, transport: Transport = direct, language: str = "en-US") -> None:
        quiet_http_logs()
        self._transport = transport
        self._language = language

    def open(self, account: Account) -> TwikitLink:
        """A link for this account; nothing is sent."""
        return TwikitLink(account, self._transport, self._language)
