"""What X really answered.

twikit turns some failures into empty results: an HTTP 200 that says "rate limit exceeded" becomes a
search with no hits. So every raw response is read here, before twikit interprets it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

if TYPE_CHECKING:
    import httpx

HOME: Final = "home"
"""The page that twikit's handshake reads."""
HANDSHAKE_SCRIPT: Final = "ondemand.s"
"""The script whose numbers it needs."""
USER_STATE: Final = "user_state"
"""What twikit asks after a 429 to tell a suspension from a limit."""

_TOLD: Final = frozenset({b"x-rate-limit-limit", b"x-rate-limit-remaining", b"x-rate-limit-reset", b"date"})
_X_PAGE: Final = (b"abs.twimg.com", b"/i/flow/login", b"/account/access", b"ondemand.s")
"""What X's own pages hold, logged in or out, and a challenge or maintenance page of the edge does not."""
_PREFIX: Final = re.compile(r"^/(i/)?(api/)?((1\.1|2)/)?")
_IDS: Final = re.compile(r"(?<=/)[0-9][0-9-]*(?=/|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class XError:
    """One entry of a response's `errors`; `code` is X's own, None where it gave none."""

    code: int | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RawResponse:
    """The part of a response that says how the call went.

    Attributes:
        endpoint: the operation, as its rate window is named (`SearchTimeline`, `friendships/create`).
        method: the HTTP method.
        status: the HTTP status.
        errors: the errors that sank it. Empty when the body holds usable data beside them: X reports
            a field it could not decode that way, and the call went through.
        readable: whether the body is what it must be: JSON from the API, X's own page from x.com.
        limit, remaining, reset: the window's headers; `reset` is the server's epoch second.
        date: the server's clock, epoch seconds, from the `Date` header.
    """

    endpoint: str
    method: str
    status: int
    errors: tuple[XError, ...] = ()
    readable: bool = True
    limit: int | None = None
    remaining: int | None = None
    reset: int | None = None
    date: float | None = None

    @property
    def code(self) -> int | None:
        """The first code X gave, if any."""
        return next((error.code for error in self.errors if error.code is not None), None)

    @property
    def message(self) -> str:
        """The first error's message, or nothing."""
        return self.errors[0].message if self.errors else ""


@lru_cache(maxsize=4096)
def endpoint_of(host: bytes, target: bytes) -> str:
    """The name of an operation, the same for every query id and every id in the path.

    Args:
        host: the request's host, as it is sent.
        target: its path, as it is sent; a query is ignored.
    """
    path = target.partition(b"?")[0].decode("ascii", "replace")
    if "/graphql/" in path:
        return path.rsplit("/", 1)[1]
    if host == b"abs.twimg.com":
        return HANDSHAKE_SCRIPT
    if host.partition(b".")[2] not in (b"com", b"x.com", b"twitter.com") or host.startswith(b"ton."):
        return host.decode("ascii", "replace")  # files: each has a path of its own, and no window
    if path in ("", "/"):
        return HOME
    if path.endswith("user_state.json"):
        return USER_STATE
    return _IDS.sub("id", _PREFIX.sub("", path.removesuffix(".json")))


def endpoint_of_request(request: httpx.Request) -> str:
    """The name of the operation that a request is for."""
    url = request.url
    return endpoint_of(url.raw_host, url.raw_path.partition(b"?")[0])


def read_response(response: httpx.Response) -> RawResponse:
    """What a response says. Its body must have been read.

    On every call's way, so it takes one pass over the headers and leaves the body to twikit, which parses
    it anyway, unless that is an error or holds the word.
    """
    endpoint = endpoint_of_request(response.request)
    told: dict[bytes, bytes] = {}
    for name, value in response.headers.raw:
        if name.lower() in _TOLD:
            told[name.lower()] = value
    errors: tuple[XError, ...] = ()
    readable = True
    body, failed = response.content, response.status_code >= 400
    if endpoint == HOME:
        readable = failed or any(mark in body for mark in _X_PAGE) or _leads_to_x(response)
    elif endpoint != HANDSHAKE_SCRIPT:
        empty = not body and "/" in endpoint  # v1.1 answers some writes with nothing; GraphQL never does
        readable = failed or empty or body[:64].lstrip()[:1] in (b"{", b"[")
        if failed or b'"errors"' in body:
            errors = errors_in(body)
    return RawResponse(
        endpoint=endpoint,
        method=response.request.method,
        status=response.status_code,
        errors=errors,
        readable=readable,
        limit=_number(told.get(b"x-rate-limit-limit")),
        remaining=_number(told.get(b"x-rate-limit-remaining")),
        reset=_number(told.get(b"x-rate-limit-reset")),
        date=_epoch(told.get(b"date")),
    )


def _leads_to_x(response: httpx.Response) -> bool:
    """Whether x.com sends the account to its own log-in or to the page for restricted accounts."""
    return any(page in response.headers.get("location", "") for page in ("/login", "/account/access"))


def errors_in(body: bytes) -> tuple[XError, ...]:
    """The errors that sank a response with this body; none where it holds usable data beside them."""
    try:
        document: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return ()
    if not isinstance(document, dict):
        return ()
    fields = cast("dict[str, Any]", document)
    entries = fields.get("errors")
    if not isinstance(entries, list) or _holds_anything(fields.get("data")):
        return ()
    return tuple(_error(entry) for entry in cast("list[Any]", entries))


def _holds_anything(value: Any) -> bool:
    """Whether there is a value anywhere within; X sends empty shells beside its errors."""
    if isinstance(value, dict):
        return any(_holds_anything(each) for each in cast("dict[str, Any]", value).values())
    if isinstance(value, list):
        return any(_holds_anything(each) for each in cast("list[Any]", value))
    return value is not None


def _error(entry: Any) -> XError:
    if not isinstance(entry, dict):
        return XError(code=None, message=str(entry))
    fields = cast("dict[str, Any]", entry)
    code = fields.get("code")
    if code is None and isinstance(fields.get("extensions"), dict):
        code = fields["extensions"].get("code")
    return XError(code=code if isinstance(code, int) else None, message=str(fields.get("message", "")))


def _number(text: bytes | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


@lru_cache(maxsize=16)
def _epoch(date: bytes | None) -> float | None:
    """A `Date` header as epoch seconds. Many answers come within one second, so the last few are kept."""
    if date is None:
        return None
    try:
        return parsedate_to_datetime(date.decode("ascii", "replace")).timestamp()
    except ValueError:
        return None
