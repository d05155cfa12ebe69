"""A simulator on the running event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from twikit_pool.clock import SYSTEM_CLOCK, Clock
from twikit_pool.errors import AccountNotFound, ConfigError
from twikit_pool.simulator.application import Application
from twikit_pool.simulator.connection import Connection
from twikit_pool.simulator.settings import read_settings
from twikit_pool.simulator.transport import SimulatorTransport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twikit_pool.redaction import Cookies
    from twikit_pool.simulator.accounts import SimulatedAccount
    from twikit_pool.simulator.journal import Calls, Write
    from twikit_pool.simulator.limits import UsedWindow
    from twikit_pool.simulator.world import World


class Simulator:
    """A local stand-in for X.

        async with Simulator(accounts=25, seed=1) as x:
            client = MyClient(transport=x.transport())
            client.set_cookies(x.accounts[0].cookies)

    Args:
        port: where to listen on the loopback; 0 takes a free one.
        clock: where its time comes from.
        settings: fields of `Settings`.

    Raises:
        ConfigError: a setting is unknown or out of range.
    """

    def __init__(self, *, port: int = 0, clock: Clock = SYSTEM_CLOCK, **settings: Any) -> None:
        self.settings = read_settings(settings)
        self._application = Application(self.settings, clock)
        self._wanted_port = port
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self._application, self._connections),
            "127.0.0.1",
            self._wanted_port,
            backlog=2048,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is None:
            return
        self._server.close()
        for connection in tuple(self._connections):
            connection.abort()
        await self._server.wait_closed()
        self._server = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._server is None:
            raise ConfigError("the simulator does not run: enter it with `async with` first")
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """Its address, for `SimulatorTransport` and the control API."""
        return f"http://127.0.0.1:{self.port}"

    def transport(self) -> SimulatorTransport:
        """A transport for one client; the client closes it."""
        return SimulatorTransport(self.url)

    @property
    def accounts(self) -> Sequence[SimulatedAccount]:
        """The accounts that may log in."""
        return self._application.state.accounts

    @property
    def world(self) -> World:
        """Users and posts, to look at or to prepare."""
        return self._application.state.world

    @property
    def calls(self) -> Calls:
        """How many calls came, by endpoint, account and status."""
        return self._application.state.calls

    @property
    def writes(self) -> Sequence[Write]:
        """Every write that took effect, in order, answered or not."""
        return self._application.state.writes

    @property
    def windows(self) -> Sequence[UsedWindow]:
        """Every rate window there has been, in the order in which they began."""
        windows = self._application.state.windows
        return windows.used if windows is not None else ()

    def fault(self, kind: str, **fields: Any) -> None:
        """From now on this goes wrong; see `Fault` for the fields.

        Raises:
            ConfigError: no such kind, field, account or operation, or a value out of range.
        """
        self._application.add_fault({"kind": kind, **fields})

    def clear_faults(self, account: str | None = None, endpoint: str | None = None) -> None:
        """Nothing goes wrong any more, for this account or endpoint, or at all."""
        self._application.faults.clear(account, endpoint)

    def rotate_ct0(self, account_id: str) -> None:
        """Give this account a new csrf token; the next answer brings it.

        Raises:
            AccountNotFound: there is no such account.
        """
        self._account(account_id).rotate()

    def log_in_anew(self, account_id: str) -> Cookies:
        """End this account's log-in and begin another, as its owner does in a browser; its new cookies.

        Raises:
            AccountNotFound: there is no such account.
        """
        account = self._account(account_id)
        self._application.state.log_in_anew(account)
        return account.cookies

    def _account(self, account_id: str) -> SimulatedAccount:
        account = self._application.state.by_id.get(account_id)
        if account is None:
            raise AccountNotFound(f"the simulator has no account {account_id!r}: see its `accounts`")
        return account
