"""What the daemon holds while it runs; routes find it as `service`."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from litestar.di import NamedDependency

from twikit_pool.errors import ConfigError, PoolError
from twikit_pool.metrics.history import History
from twikit_pool.service.batches import Batches
from twikit_pool.service.hub import Hub
from twikit_pool.service.remote import Remote
from twikit_pool.service.reports import Reports
from twikit_pool.service.sections import JobSettings

if TYPE_CHECKING:
    from types import TracebackType

    from twikit_pool.manager import Attendants, TwikitConnectionPoolManager
    from twikit_pool.pool import TwikitConnectionPool
    from twikit_pool.safety import Overridden, PostGuard
    from twikit_pool.service.access import Access
    from twikit_pool.service.audit import Audit
    from twikit_pool.sessions import TwikitSessionManager


class Service:
    """What routes act on; entered while they are served.

    Args:
        sessions: of all accounts.
        manager: the pools.
        access: who may do what.
        audit: where changes are entered.
        jobs: where batches of jobs are kept, and how many; none are taken without a folder.
        guard: the content filter before the pools; None where there is none.

    Attributes:
        hub: tells what happens.
        history: what the pools did: the manager's, or that of the last day in memory where it keeps none.
        batches: jobs that it carries out.
        reports: on what the pools did.
        remote: what is done, and leased, for those who act from elsewhere.
        ready: whether it takes requests; False while it begins and while it ends.
    """

    def __init__(
        self,
        sessions: TwikitSessionManager,
        manager: TwikitConnectionPoolManager,
        access: Access,
        audit: Audit,
        jobs: JobSettings | None = None,
        guard: PostGuard | None = None,
    ) -> None:
        self.sessions: Final = sessions
        self.manager: Final = manager
        self.access: Final = access
        self.audit: Final = audit
        self.guard: Final = guard
        if guard is not None:
            guard.on_override = self._enter_override
        self.hub: Final = Hub(manager, clock=sessions.clock)
        self.batches: Final = Batches(JobSettings() if jobs is None else jobs, manager, sessions.clock)
        self.history: Final = _kept(manager) or History(clock=sessions.clock)
        self.reports: Final = Reports(manager, self.history, sessions.clock)
        self.remote: Final = Remote(sessions.clock)
        self.ready = True
        self._entered = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as entered:
            for each in (self.hub, self.batches, self.remote):
                await entered.enter_async_context(each)
            if _kept(self.manager) is None and (attendants := _attendants(self.manager)) is not None:
                recorder = self.history.recorder(self.manager, attendants.collector)
                await entered.enter_async_context(recorder)
            self._entered = entered.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._entered.aclose()

    def filtering(self) -> PostGuard:
        """The content filter.

        Raises:
            ConfigError: there is none.
        """
        if self.guard is None:
            raise ConfigError("the content filter is off: see the setting safety.enabled")
        return self.guard

    def _enter_override(self, went: Overridden) -> None:
        self.audit.note(went.override.by, str(went))

    def pool(self, name: str) -> TwikitConnectionPool:
        """The pool of this name.

        Raises:
            PoolNotFound: there is none.
        """
        return self.manager.pool(name)


def _attendants(manager: TwikitConnectionPoolManager) -> Attendants | None:
    try:
        return manager.attendants
    except PoolError:  # nobody attends to its pools, so nothing is measured
        return None


def _kept(manager: TwikitConnectionPoolManager) -> History | None:
    attendants = _attendants(manager)
    return None if attendants is None else attendants.history


Serving: TypeAlias = NamedDependency[Service]
"""How a route asks for it."""
