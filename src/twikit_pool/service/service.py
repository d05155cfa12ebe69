"""What the daemon holds while it runs; routes find it as `service`."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from litestar.di import NamedDependency

from twikit_pool.service.batches import Batches
from twikit_pool.service.history import History
from twikit_pool.service.hub import Hub
from twikit_pool.service.remote import Remote
from twikit_pool.service.sections import JobSettings

if TYPE_CHECKING:
    from types import TracebackType

    from twikit_pool.manager import TwikitConnectionPoolManager
    from twikit_pool.pool import TwikitConnectionPool
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

    Attributes:
        hub: tells what happens.
        history: figures of the last day.
        batches: jobs that it carries out.
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
    ) -> None:
        self.sessions: Final = sessions
        self.manager: Final = manager
        self.access: Final = access
        self.audit: Final = audit
        self.hub: Final = Hub(manager, clock=sessions.clock)
        self.history: Final = History(manager)
        self.batches: Final = Batches(JobSettings() if jobs is None else jobs, manager, sessions.clock)
        self.remote: Final = Remote(sessions.clock)
        self.ready = True
        self._entered = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as entered:
            for each in (self.hub, self.history, self.batches, self.remote):
                await entered.enter_async_context(each)
            self._entered = entered.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._entered.aclose()

    def pool(self, name: str) -> TwikitConnectionPool:
        """The pool of this name.

        Raises:
            PoolNotFound: there is none.
        """
        return self.manager.pool(name)


Serving: TypeAlias = NamedDependency[Service]
"""How a route asks for it."""
