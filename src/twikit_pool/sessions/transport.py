"""The wire: one TLS context for the process, one small HTTP pool for each session.

Making a TLS context costs tens of milliseconds and a megabyte, so it is shared. An HTTP pool is not:
one that serves many sessions scans all their connections on every request.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Final

import certifi
import httpx

from twikit_pool.redaction import MASK

if TYPE_CHECKING:
    from twikit_pool.accounts.model import Account

Transport = Callable[["Account"], httpx.AsyncBaseTransport]
"""Makes the transport of one account's session."""

TIMEOUT: Final = httpx.Timeout(connect=10.0, read=20.0, write=20.0, pool=5.0)
"""Seconds for each phase of a request. They do not bound a response that drips: the call's deadline does."""

CONNECTIONS: Final = httpx.Limits(max_connections=8, max_keepalive_connections=2, keepalive_expiry=60.0)
"""One session talks to x.com, api.x.com and upload.x.com, mostly one request at a time."""


@cache
def shared_tls() -> ssl.SSLContext:
    """The process's TLS context, made once."""
    return ssl.create_default_context(cafile=certifi.where())


def direct(account: Account) -> httpx.AsyncBaseTransport:
    """A transport to X itself, through the account's proxy if it has one."""
    return httpx.AsyncHTTPTransport(
        verify=shared_tls(),
        limits=CONNECTIONS,
        proxy=account.proxy.reveal() if account.proxy else None,
    )


class _NoHeaders(logging.Filter):
    """httpcore's debug lines print response headers, fresh cookies among them."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if "headers" in message:
            record.msg, record.args = f"{message.partition(' ')[0]} {MASK}", ()
        return True


def quiet_http_logs() -> None:
    """Keep cookies out of httpcore's debug log. Harmless to call twice."""
    for name in (
        "httpcore.http11",
        "httpcore.http2",
        "httpcore.connection",
        "httpcore.proxy",
        "httpcore.socks",
    ):
        logger = logging.getLogger(name)
        if not any(isinstance(each, _NoHeaders) for each in logger.filters):
            logger.addFilter(_NoHeaders())
