"""Messages posted as JSON to a URL of the operator's own.

The URL is a secret, as whoever knows it can post there: it stands in no message, no log and no error. Signing
follows the Standard Webhooks specification, for which there are libraries in most languages.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
from contextlib import suppress
from typing import Final

import httpx

from twikit_pool.alerts.addresses import is_web
from twikit_pool.alerts.notice import Notice
from twikit_pool.clock import SYSTEM_CLOCK, Clock
from twikit_pool.errors import ConfigError, DeliveryFailed
from twikit_pool.redaction import Secret

TIMEOUT: Final = 10.0
"""Seconds for each step of a request."""

TRY_AGAIN: Final = frozenset({408, 409, 425, 429})
"""Refusals that may pass; so may all from 500 on."""

MOST_AFTER: Final = 300.0
"""Seconds of a Retry-After that are heeded at most."""

PREFIX: Final = "whsec_"
"""What a signing secret begins with that is written in base64."""


class _Unsaid(logging.Filter):
    """Keeps what has a URL in it out of httpx's log, which tells the URL of every request."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def filter(self, record: logging.LogRecord) -> bool:
        return self._url not in record.getMessage()


class Webhook:
    """Posts messages to a URL.

    Addresses of the own network are as good as others: the URL comes from the operator's settings.

    Args:
        url: http or https.
        secret: what messages are signed with; `whsec_…` is base64, anything else is taken as it is.
        name: as it is spoken of.
        clock: the time.

    Raises:
        ConfigError: the URL is none that can be posted to, or the secret is no base64.
    """

    def __init__(
        self, url: Secret, *, secret: Secret | None = None, name: str = "webhook", clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.name = name
        self._url = _checked(url, name)
        self._key = None if secret is None else _key(secret, name)
        self._clock = clock
        self._client: httpx.AsyncClient | None = None
        self._unsaid = _Unsaid(str(self._url))

    async def send(self, notice: Notice) -> None:
        """Post a message.

        Raises:
            DeliveryFailed: it was not answered with success.
        """
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=TIMEOUT)
            logging.getLogger("httpx").addFilter(self._unsaid)
        body = notice.body()
        try:
            answer = await self._client.post(self._url, content=body, headers=self._headers(notice, body))
        except httpx.TimeoutException:
            raise DeliveryFailed("it did not answer in time", again=True) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # its words may have the address
            raise DeliveryFailed(f"it cannot be reached ({type(error).__name__})", again=True) from None
        if not answer.is_success:
            again = answer.status_code in TRY_AGAIN or answer.status_code >= 500
            raise DeliveryFailed(f"it answered {answer.status_code}", again=again, after=_after(answer))

    def _headers(self, notice: Notice, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "twikit-pool",
            "Idempotency-Key": notice.key,
            "webhook-id": notice.key,
            "webhook-timestamp": str(int(self._clock.now().timestamp())),
        }
        if self._key is not None:
            headers["webhook-signature"] = signature(
                self._key, notice.key, headers["webhook-timestamp"], body
            )
        return headers

    async def aclose(self) -> None:
        """Close its connections."""
        client, self._client = self._client, None
        if client is not None:
            logging.getLogger("httpx").removeFilter(self._unsaid)
            await client.aclose()


def signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """The header `webhook-signature` of a message: `v1,` and HMAC-SHA256 in base64."""
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _checked(url: Secret, name: str) -> httpx.URL:
    if is_web(url):
        with suppress(httpx.InvalidURL):
            return httpx.URL(url.reveal())
    raise ConfigError(f"{name} must be a URL that begins with http:// or https://; it is not shown here")


def _key(secret: Secret, name: str) -> bytes:
    text = secret.reveal()
    if not text.startswith(PREFIX):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ConfigError(
            f"the secret of {name} begins with {PREFIX}, but what follows is no base64"
        ) from None


def _after(answer: httpx.Response) -> float:
    told = answer.headers.get("retry-after", "")
    return min(float(told), MOST_AFTER) if told.isascii() and told.isdigit() else 0.0
