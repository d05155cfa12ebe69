"""ETags: who has an answer already is not sent it again, and nobody changes what he has not seen.

A tag is a digest of the body as it is sent, so whatever is seen of a thing changes it, and nothing need be
kept. It is weak, since a proxy may compress the body.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, Any, Final

from litestar.datastructures import MutableScopeHeaders
from litestar.exceptions import HTTPException
from litestar.params import HeaderParameter
from litestar.serialization import encode_json

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Message, Receive, Scope, Send

UNDER: Final = "/v1/"
"""Where the answers are that have tags."""

DIGEST_BYTES: Final = 8
"""Of a tag: 64 bits, so that no two states of one thing have the same by chance."""

IfMatch = Annotated[
    str | None,
    HeaderParameter(name="If-Match", description="The ETag of what you have read.", max_length=1_000),
]
"""How a route asks for what its caller has seen."""

_TAG: Final = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


class PreconditionFailed(HTTPException):
    """What is to be changed is not as the caller has seen it."""

    status_code = 412


def tag_of(body: bytes) -> str:
    """The tag of a body."""
    return f'W/"{blake2b(body, digest_size=DIGEST_BYTES).hexdigest()}"'


def names(header: str, tag: str) -> bool:
    """Whether a header of tags names this one, or any. Weak ones are compared like others."""
    return header.strip() == "*" or tag.removeprefix("W/") in _TAG.findall(header)


def expect(if_match: str | None, seen: object) -> None:
    """See that something is still as whoever wants to change it has seen it.

    Args:
        if_match: the header If-Match; None for who takes it as it is.
        seen: what the route that shows it would answer now.

    Raises:
        PreconditionFailed: it is not.
    """
    if if_match is not None and not names(if_match, tag_of(encode_json(seen))):
        raise PreconditionFailed("it has changed since you read it: read it again, and send its new ETag")


def tagged(app: ASGIApp) -> ASGIApp:
    """An ASGI middleware that tags each JSON answer to a GET, and answers 304 to who has it already."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        asked: Any = scope  # a WebSocket has no method
        if asked["type"] != "http" or asked["method"] != "GET" or not asked["path"].startswith(UNDER):
            await app(scope, receive, send)
            return
        held: Message | None = None
        """The answer's beginning, until its body is there."""

        async def watched(message: Message) -> None:
            nonlocal held
            told: Any = message
            if told["type"] == "http.response.start" and _to_be_tagged(message):
                held = message
                return
            if held is None or told["type"] != "http.response.body":
                await send(message)
                return
            start, held = held, None
            if told.get("more_body"):  # it is streamed, and nobody knows yet what comes
                await send(start)
                await send(message)
                return
            headers = MutableScopeHeaders.from_message(start)
            headers["ETag"] = tag = tag_of(told.get("body", b""))
            if names(_if_none_match(scope), tag):
                began: Any = start
                began["status"] = 304
                for name in ("content-length", "content-type"):
                    del headers[name]
                told["body"] = b""
            await send(start)
            await send(message)

        await app(scope, receive, watched)

    return middleware


def _to_be_tagged(start: Message) -> bool:
    began: Any = start
    kinds = MutableScopeHeaders.from_message(start).getall("content-type", [])
    return began["status"] == 200 and any(each.startswith("application/json") for each in kinds)


def _if_none_match(scope: Scope) -> str:
    asked: Any = scope
    return ", ".join(value.decode("latin-1") for name, value in asked["headers"] if name == b"if-none-match")
