"""`twikit-pool serve`: the daemon."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from cyclopts import Parameter

from twikit_pool.accounts.locations import data_folder
from twikit_pool.alerts import AlertFile, Alerting, AppriseChat, Webhook, rules_of
from twikit_pool.cli.courtesy import courteous
from twikit_pool.cli.job_accounts import AccountChoice, sessions_of
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.errors import PoolError
from twikit_pool.manager import Automation, TwikitConnectionPoolManager
from twikit_pool.metrics.history import History
from twikit_pool.safety import PostGuard
from twikit_pool.safety.settings import MEMORY
from twikit_pool.service.access import Access
from twikit_pool.service.app import application
from twikit_pool.service.audit import Audit
from twikit_pool.service.sections import HISTORY_FILE
from twikit_pool.service.server import HttpServer, listen
from twikit_pool.service.service import Service
from twikit_pool.service.settings import ServiceSettings, load_settings
from twikit_pool.service.tokens import Scope, TokenBook
from twikit_pool.service.wire import WireLimits

if TYPE_CHECKING:
    from twikit_pool.pool import TwikitConnectionPool
    from twikit_pool.service.sections import AlertSettings

REQUESTS_SHARE: Final = 0.6
"""Share of the time to shut down that leases and requests have; the rest is for closing and saving."""

logger = logging.getLogger(__name__)


async def serve(
    *,
    config: Path | None = None,
    sandbox: int | None = None,
    host: str | None = None,
    port: int | None = None,
    allow_remote: Annotated[bool | None, Parameter(negative=())] = None,
) -> int:
    """Serve pools over HTTP and WebSocket, until SIGTERM or Ctrl-C; a second one ends it at once.

    Settings come from flags, then the environment (TWIKIT_POOL__SECTION__KEY), then a file; see
    `twikit-pool config`.

    Args:
        config: the file of settings; ./twikit-pool.toml or your own when not given.
        sandbox: serve so many accounts of a simulator, with a token that it prints, to try it.
        host: the address to listen on.
        port: the port; 0 is any that is free.
        allow_remote: let other machines reach it.
    """
    flags: dict[str, dict[str, Any]] = {
        "service": _given(host=host, port=port, allow_remote=allow_remote),
        "accounts": _given(sandbox=sandbox),
    }
    settings = load_settings(flags, file=config).settings
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("alembic", "uvicorn", "httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    async with AsyncExitStack() as stack:
        folder = data_folder()
        if settings.accounts.sandbox is not None:  # it leaves nothing behind
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="twikit-pool-")))
        await _Daemon(settings, folder).run()
    return 0


def _given(**flags: Any) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if value is not None}


class _Daemon:
    """Everything that runs, from the first account to the last answer."""

    def __init__(self, settings: ServiceSettings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._told_to_stop = asyncio.Event()

    async def run(self) -> None:
        """Serve until told to stop."""
        settings, clock = self._settings, SYSTEM_CLOCK
        at = settings.service
        listener = listen(at.host, at.port, allow_remote=at.allow_remote)
        async with AsyncExitStack() as stack:
            stack.callback(listener.close)
            accounts = settings.accounts
            choice = AccountChoice(
                cookies=accounts.cookies,
                store=accounts.store,
                sandbox=accounts.sandbox,
                sandbox_faults=accounts.sandbox_faults,
                simulator=accounts.simulator,
                engagement=settings.jobs.allow_engagement,
            )
            jobs = msgspec.structs.replace(
                settings.jobs,
                folder=settings.jobs.folder or self._folder / "jobs",
                allow_engagement=choice.may_engage,
            )
            book = TokenBook(at.tokens or self._folder / "tokens.json", clock)
            audit = Audit(at.audit or self._folder / "audit.log", clock)
            stack.callback(audit.close)
            sessions = await stack.enter_async_context(sessions_of(choice))
            guard = self._guard()
            if guard is not None:
                stack.callback(guard.close)
            manager = await stack.enter_async_context(
                TwikitConnectionPoolManager(sessions, automation=self._automation(), guard=guard)
            )
            for name, made in settings.pools.items():
                await self._make_pool(manager, name, made.config, made.accept_tags, shared=made.shared)
            access = Access(book, clock, rate=at.requests_per_second, burst=at.burst, origins=at.origins)
            service = Service(sessions, manager, access, audit, jobs, guard)
            limits = WireLimits(
                header_bytes=at.max_header,
                header_seconds=at.header_timeout,
                body_seconds=at.body_timeout,
                sockets=at.max_sockets,
            )
            patience = at.shutdown_timeout * REQUESTS_SHARE
            server = HttpServer(
                application(service, most_body=at.max_body),
                listener,
                limits,
                requests=at.max_requests,
                patience=patience,
            )
            self._heed_signals()
            async with service, server:
                self._welcome(server.url, book)
                gc.collect()
                gc.freeze()  # what is there by now stays: no full collection need look at it again
                await self._told_to_stop.wait()
                service.ready = False
                server.stop_accepting()
                service.remote.leases.close()  # nobody can use them any more
                await asyncio.gather(
                    service.batches.end(patience),
                    *(_drained(pool, patience) for pool in manager.pools.values()),
                )

    def _guard(self) -> PostGuard | None:
        safety = self._settings.safety
        return PostGuard.of(safety, safety.memory or self._folder / MEMORY) if safety.enabled else None

    def _automation(self) -> Automation:
        given = self._settings.automation
        return Automation(
            most_connections=given.most_connections,
            guarantees=given.guarantees,
            priorities=given.priorities,
            history=self._history(),
            alerts=_alerting(self._settings.alerts, self._folder),
        )

    def _history(self) -> History | None:
        given = self._settings.history
        if not given.enabled:
            return None
        store = given.store if self._settings.accounts.sandbox is None else None  # a sandbox is no history
        return History(store or self._folder / HISTORY_FILE, weeks=given.weeks)

    async def _make_pool(
        self,
        manager: TwikitConnectionPoolManager,
        name: str,
        config: Any,
        tags: tuple[str, ...],
        *,
        shared: bool,
    ) -> None:
        wanted = frozenset(tags)
        pool = await manager.create_pool(
            name,
            config,
            accept=lambda account: not wanted or bool(wanted.intersection(account.tags)),
            shared=shared,
        )
        if not pool.account_ids:
            logger.warning("pool %s has no account: `twikit-pool accounts list` shows what there is", name)

    def _welcome(self, url: str, book: TokenBook) -> None:
        screen = courteous(sys.stderr, stderr=True)
        screen.print(f"twikit-pool serves at {url}; its API is described at {url}/v1/openapi", soft_wrap=True)
        if self._settings.accounts.sandbox is not None:
            _, plain = book.create("sandbox", Scope.ADMIN)
            screen.print("a token for this sandbox, which may do everything:")
            print(plain, flush=True)
        elif not book.all():
            screen.print(
                "nobody can use it yet: `twikit-pool tokens create NAME --scope operate` makes a token"
            )

    # ------------------------------------------------------------ signals

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._told, each)

    def _told(self, number: int) -> None:
        """The first signal asks it to end; the second ends it now."""
        seconds = self._settings.service.shutdown_timeout
        if self._told_to_stop.is_set():
            _leave_now(f"stopped at once by a second {signal.Signals(number).name}", 128 + number)
        logger.info(
            "%s: ending within %.0f s; once more to end at once", signal.Signals(number).name, seconds
        )
        self._told_to_stop.set()
        late = f"did not end within {seconds:.0f} s (service.shutdown_timeout): stopped as it was"
        asyncio.get_running_loop().call_later(seconds, _leave_now, late, 1)


def _alerting(given: AlertSettings, folder: Path) -> Alerting | None:
    if not given.enabled:
        return None
    webhooks = [
        Webhook(url, secret=given.webhook_secret, name=f"webhook {number}")
        for number, url in enumerate(given.webhooks, start=1)
    ]
    chats = [AppriseChat(url, name=f"apprise {number}") for number, url in enumerate(given.apprise, start=1)]
    return Alerting(
        rules=rules_of(given.rules),
        destinations=[*webhooks, *chats],
        store=AlertFile(given.file or folder / "alerts.json"),
    )


async def _drained(pool: TwikitConnectionPool, grace: float) -> None:
    try:
        await pool.drain(grace)
    except PoolError as error:  # it was shut down meanwhile
        logger.info("pool %s: %s", pool.pool_id, error)


def _leave_now(why: str, code: int) -> None:
    logger.warning(why)
    sys.stderr.flush()
    os._exit(code)
