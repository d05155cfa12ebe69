"""What a session's requests and answers take on the wire, in bytes of HTTP/1.1.

Exact for what both sides say: start line, headers and body as they are sent, compressed if they are. Not
seen from here, and not counted: TLS (its handshake is some 5 KB, and each record 22 bytes more), TCP, a
proxy's CONNECT, and the framing of a chunked body. A request counts when it leaves, also one that then
finds no connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import httpx

START_LINE: Final = len(b"  HTTP/1.1\r\n")
"""What a start line has beside a request's method and target, or an answer's status and reason."""

BLANK_LINE: Final = 2
AROUND_A_HEADER: Final = len(b": \r\n")


class Traffic:
    """Bytes that went out and came in: start lines, headers and bodies."""

    __slots__ = ("received", "sent")

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0


def request_bytes(request: httpx.Request) -> int:
    """Bytes of a request, with the length that it gives for its body."""
    head = START_LINE + len(request.method) + len(request.url.raw_path)
    return head + _headers(request.headers) + int(request.headers.get("content-length", 0))


def answer_bytes(response: httpx.Response) -> int:
    """Bytes of a response, as much of its body as has come."""
    head = START_LINE + len("200") + len(response.reason_phrase)
    return head + _headers(response.headers) + response.num_bytes_downloaded


def _headers(headers: httpx.Headers) -> int:
    raw = headers.raw
    return BLANK_LINE + AROUND_A_HEADER * len(raw) + sum(len(name) + len(value) for name, value in raw)
