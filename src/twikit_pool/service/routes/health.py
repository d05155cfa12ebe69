"""Whether it lives, whether it serves, and its metrics for Prometheus."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from litestar import Controller, Response, get
from litestar.openapi import ResponseSpec

from twikit_pool.pool import Mode
from twikit_pool.service.service import Serving
from twikit_pool.service.tokens import Scope


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether requests are served, and in which mode each pool is."""

    ready: bool
    pools: dict[str, str]


NOT_READY: Final = ResponseSpec(
    data_container=Readiness, description="Requests are not served now.", generate_examples=False
)


class Health(Controller):
    """For those who watch the daemon."""

    tags = ("health",)

    @get("/healthz", opt={"scope": None}, sync_to_thread=False)
    def alive(self) -> dict[str, str]:
        """Whether the event loop turns. Open to all."""
        return {"status": "ok"}

    @get("/readyz", opt={"scope": None}, responses={503: NOT_READY}, sync_to_thread=False)
    def serves(self, service: Serving) -> Response[Readiness]:
        """Whether requests are served: 200, or 503 while it begins or ends. Open to all."""
        modes = {name: str(pool.mode) for name, pool in service.manager.pools.items()}
        ready = service.ready and any(mode == Mode.OPEN for mode in modes.values())
        return Response(Readiness(ready=ready, pools=modes), status_code=200 if ready else 503)

    @get("/metrics", opt={"scope": Scope.READ}, media_type="text/plain")
    async def prometheus(self, service: Serving) -> Response[Any]:
        """All pools' metrics, for Prometheus. Needs the extra `metrics`."""
        # An optional extra.
        from twikit_pool.metrics.prometheus import CONTENT_TYPE_LATEST, PrometheusExporter

        text = await PrometheusExporter(
            service.manager.attendants.collector, history=service.history
        ).render()
        return Response(text, media_type=CONTENT_TYPE_LATEST)
