"""The status of a pool for those who ask again and again, told without the framework.

`GET /v1/pools/{pool}` is what scripts, probes and dashboards poll. Where such a request is plain (a program's
token that may read, and nothing else to heed), its answer is made here, in a third of the time; all others go
the whole way. Both answer the same, to the byte.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from litestar.exceptions import TooManyRequestsException
from litestar.serialization import encode_json

from twikit_pool.errors import ConfigError
from twikit_pool.service.etags import tag_of
from twikit_pool.service.problems import HEADERS
from twikit_pool.service.tokens import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    from litestar.types import Send

    from twikit_pool.service.service import Service

WHERE: Final = "/v1/pools/"

PLAIN: Final = frozenset(
    {b"host", b"authorization", b"accept", b"accept-encoding", b"connection", b"user-agent"}
)
"""Headers that change nothing about the answer, or are heeded here."""

Headers = list[tuple[bytes, bytes]]


class StatusReads:
    """Answers reads of a status.

    Args:
        service: whose pools.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._told: dict[str, tuple[Headers, bytes]] = {}
        """Answers of this turn of the loop, by pool. What a client knows by now was told in an earlier turn,
        so it sees what it has done; and of many who ask at once only the first has it looked up."""

    async def answer(self, scope: MutableMapping[str, Any], send: Send) -> bool:
        """Answer this request if it is one of those; False if it is not, and then nothing was sent."""
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(WHERE):
            return False
        pool_id = scope["path"][len(WHERE) :]
        if (
            scope["query_string"]
            or pool_id not in self._service.manager.pools
            or not self._may(scope["headers"])
        ):
            return False
        try:
            headers, body = self._told.get(pool_id) or self._look(pool_id)
        except Exception:  # noqa: BLE001 - a boundary: the way that all others go meets it too, and tells it
            return False
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})
        return True

    def _may(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        given = b""
        for name, value in headers:
            if name not in PLAIN:
                return False
            if name == b"authorization":
                given = value
        try:
            token = self._service.access.program(given.decode("latin-1"))
        except (TooManyRequestsException, ConfigError):
            return False  # the way that all others go tells it
        return token is not None and token.scope.covers(Scope.READ)

    def _look(self, pool_id: str) -> tuple[Headers, bytes]:
        body = encode_json(self._service.pool(pool_id).status())
        told = {
            "content-type": "application/json",
            **HEADERS,
            "content-length": str(len(body)),
            "etag": tag_of(body),
        }
        answer = [(name.lower().encode(), value.encode()) for name, value in told.items()], body
        self._told[pool_id] = answer
        asyncio.get_running_loop().call_soon(self._told.clear)
        return answer
