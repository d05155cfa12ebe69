"""Requests to the service: sent again only where the service certainly did nothing."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncGenerator, Generator
from typing import Any, Final

import httpx
import msgspec

from twikit_pool.client.errors import AnswerLost, Problem, ServiceUnreachable, error_of
from twikit_pool.redaction import Secret

TRIES: Final = 4
SHORTEST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
"""Seconds between two tries: drawn from the shortest to three times the last one, or as the service says."""

KEEP_ALIVE: Final = 15.0
"""Seconds that an idle connection is kept: less than the service's 30, so that we are who ends it."""

CONNECT: Final = 5.0
"""Seconds to connect, each time."""

NOTHING_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

PROBLEM: Final = "application/problem+json"


class Bearer(httpx.Auth):
    """Sends the token, and shows it to nobody else."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put it into the request."""
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        yield request


class Wire:
    """The way to one service.

    Args:
        url: of the service.
        token: what it knows us by.
        verify: how its certificate is checked; as httpx takes it.
        trust_env: whether proxies are taken from the environment.
        transport: instead of httpx's own.
    """

    def __init__(
        self,
        url: str,
        token: Secret,
        *,
        verify: ssl.SSLContext | bool = True,
        trust_env: bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=url,
            auth=Bearer(token),
            verify=verify,
            trust_env=trust_env,
            transport=transport,
            limits=httpx.Limits(max_connections=None, keepalive_expiry=KEEP_ALIVE),
        )
        self._rng = random.Random()  # noqa: S311 - spreads retries, guards nothing

    async def ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        lines: bytes | None = None,
        timeout: float,
        key: str | None = None,
    ) -> Any:
        """Ask, and return what was answered, decoded.

        Args:
            method: of the request.
            path: of the request.
            body: what is sent as JSON.
            lines: what is sent as lines of JSON, in its place.
            timeout: seconds for the answer to begin.
            key: the idempotency key.

        Raises:
            ServiceUnreachable: it takes no requests; nothing was done.
            AnswerLost: it may have done it.
            TwikitPoolError: whatever its answer says.
        """
        pause, told = SHORTEST_PAUSE, ""
        for left in reversed(range(TRIES)):
            try:
                answer = await self._once(method, path, body, lines, timeout, key)
            except NOTHING_SENT as error:
                asked_to_wait, told = None, f"no connection ({type(error).__name__})"
            else:
                asked_to_wait = _not_taken(answer)
                if asked_to_wait is None:
                    return _read(answer, key)
                told = f"it answered {answer.status_code}"
            pause = min(LONGEST_PAUSE, self._rng.uniform(SHORTEST_PAUSE, pause * 3))
            if left:
                await asyncio.sleep(min(LONGEST_PAUSE, max(pause, asked_to_wait or 0.0)))
        raise ServiceUnreachable(f"the service takes no requests: {told}; nothing was done")

    async def lines(self, path: str, *, silence: float) -> AsyncGenerator[bytes]:
        """The lines of an answer, as they come, until it has ended. It is asked for once.

        Args:
            path: of the request.
            silence: seconds in which nothing may come.

        Raises:
            ServiceUnreachable: there is no connection, or no more.
            AnswerLost: what is before the service has given up.
            TwikitPoolError: whatever it answers instead.
        """
        try:
            async with self._http.stream(
                "GET", path, timeout=httpx.Timeout(silence, connect=CONNECT)
            ) as answer:
                if answer.status_code >= 300:
                    await answer.aread()
                    if _not_taken(answer) is not None:
                        raise ServiceUnreachable(f"it answered {answer.status_code}")
                    _read(answer, None)
                kept = b""
                async for piece in answer.aiter_bytes():
                    *whole, kept = (kept + piece).split(b"\n")
                    for line in whole:
                        yield line
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise ServiceUnreachable(f"no connection, or no more ({type(error).__name__})") from None

    async def _once(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        lines: bytes | None,
        timeout: float,
        key: str | None,
    ) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        content = lines
        if lines is not None:
            headers["Content-Type"] = "application/x-ndjson"
        elif body is not None:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        try:
            return await self._http.request(
                method,
                path,
                content=content,
                headers=headers,
                timeout=httpx.Timeout(timeout, connect=CONNECT),
            )
        except NOTHING_SENT:
            raise
        except (httpx.TransportError, httpx.DecodingError) as error:
            # Without the cause: it holds the request, and with it the token.
            raise AnswerLost(f"the answer did not come ({type(error).__name__})", key) from None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _not_taken(answer: httpx.Response) -> float | None:
    """Seconds to wait before a request is sent again that was not even looked at; None if it was."""
    too_often = answer.status_code == 429 and "verdict" not in answer.text
    # As the service answers who is one socket too many. A proxy's 503 may hide a request that has arrived.
    full = answer.status_code == 503 and not answer.content and "retry-after" in answer.headers
    if not (too_often or full):
        return None
    try:
        return float(answer.headers.get("retry-after", "0"))
    except ValueError:
        return 0.0


def _read(answer: httpx.Response, key: str | None) -> Any:
    if answer.status_code < 300:
        return msgspec.json.decode(answer.content) if answer.content else None
    if answer.status_code >= 500 and not answer.headers.get("content-type", "").startswith(PROBLEM):
        raise AnswerLost(f"what is before the service answered {answer.status_code}", key)
    try:
        problem = msgspec.json.decode(answer.content, type=Problem)
    except msgspec.DecodeError:  # it is not of the service, but of what is in between
        problem = Problem(status=answer.status_code)
    raise error_of(answer.status_code, problem)
