"""The application: routes, who may use them, and what errors are answered with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from litestar import Litestar
from litestar.config.response_cache import ResponseCacheConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.middleware import DefineMiddleware

from twikit_pool.service.access import Authentication, guard, may_listen
from twikit_pool.service.audit import audited
from twikit_pool.service.bodies import StrictRequest
from twikit_pool.service.etags import tagged
from twikit_pool.service.openapi import Described
from twikit_pool.service.page import page
from twikit_pool.service.problems import HEADERS, on_error
from twikit_pool.service.routes.accounts import Accounts, PoolAccounts
from twikit_pool.service.routes.alerts import AlertRoutes
from twikit_pool.service.routes.browser import Browser
from twikit_pool.service.routes.budgets import Budgets
from twikit_pool.service.routes.connections import Connections
from twikit_pool.service.routes.events import LatestEvents, RecentEvents
from twikit_pool.service.routes.execution import Execution
from twikit_pool.service.routes.health import Health
from twikit_pool.service.routes.history import MetricsHistory
from twikit_pool.service.routes.jobs import Jobs
from twikit_pool.service.routes.leases import Leases
from twikit_pool.service.routes.pools import Pools
from twikit_pool.service.routes.reports import PoolReports
from twikit_pool.service.routes.reservations import Reservations
from twikit_pool.service.routes.resources import ResourceRoutes
from twikit_pool.service.routes.safety import Safety
from twikit_pool.service.routes.scaling import ScalingRoutes
from twikit_pool.service.service import Service, Serving
from twikit_pool.service.socket import events_socket
from twikit_pool.service.status_reads import StatusReads

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

ROUTES: Final[Sequence[ControllerRouterHandler]] = (
    Health,
    Browser,
    Pools,
    LatestEvents,
    MetricsHistory,
    PoolReports,
    Connections,
    Accounts,
    PoolAccounts,
    Budgets,
    Reservations,
    Execution,
    Leases,
    Safety,
    Jobs,
    ScalingRoutes,
    ResourceRoutes,
    AlertRoutes,
    RecentEvents,
)


def provide(state: State) -> Service:
    """The service that this application is of."""
    return state.service


class Application(Litestar):
    """The framework's application, which what is polled most does not need to go through."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        reads: StatusReads = self.state.status_reads
        if not await reads.answer(scope, send):
            await super().__call__(scope, receive, send)


def application(service: Service, *, most_body: int = 1_000_000) -> Application:
    """The ASGI application of a service.

    Args:
        service: what it acts on.
        most_body: bytes that a request's body may have.
    """
    described = Described()
    return Application(
        [*ROUTES, events_socket(service.hub, may_listen), page()],
        dependencies={"service": Provide(provide, sync_to_thread=False)},
        exception_handlers={Exception: on_error},
        guards=[guard],
        middleware=[tagged, DefineMiddleware(Authentication), audited],
        openapi_config=described.config,
        plugins=[described],
        request_class=StrictRequest,
        request_max_body_size=most_body,
        response_cache_config=ResponseCacheConfig(default_expiration=None),
        response_headers=HEADERS,
        signature_namespace={"Serving": Serving},
        state=State({"service": service, "status_reads": StatusReads(service)}),
        logging_config=None,
        debug=False,
    )
