"""What electricity costs now, and how much carbon it stands for: two protocols, and a public source of each.

A feed's answer is a `Reading`. Whoever follows it (`CostKeeper`) asks again when a newer one is due, and
forgets it when its time is over: what is not known limits nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from types import TracebackType
from typing import Final, Protocol, Self, TypeVar

import httpx
import msgspec

from twikit_pool.clock import SYSTEM_CLOCK, Clock
from twikit_pool.errors import ConfigError, FeedFailed
from twikit_pool.pool.request import check_seconds

CARBON_UNIT: Final = "gCO2/kWh"
PRICE_UNIT: Final = "EUR/MWh"

MOST_CARBON: Final = 2000.0
"""gCO2/kWh. A coal plant of the poorest kind has some 1,200; more is no measurement."""

MOST_PRICE: Final = 10_000.0
"""A megawatt-hour. The harmonised bounds of the European day-ahead auction are -500 and 4,000 to 5,000."""

MOST_BYTES: Final = 1 << 20
"""Of an answer. Three days of quarter-hour prices take 10 kB."""

HOUR: Final = 3600

MOST_SLOT: Final = timedelta(seconds=HOUR)
"""No value holds for longer: a price does for an hour or a quarter, a carbon intensity for half an hour."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A value of now.

    Attributes:
        value: the number.
        unit: what it counts, for messages.
        renewed_at: when a newer one is due, in UTC.
        valid_until: from when on this one says nothing any more, in UTC; not before `renewed_at`.

    Raises:
        FeedFailed: the value is no finite number, or a time is not as it should be.
    """

    value: float
    unit: str
    renewed_at: datetime
    valid_until: datetime

    def __post_init__(self) -> None:
        if not isfinite(self.value):
            raise FeedFailed(f"a feed's value must be a finite number, not {self.value!r}")
        if self.renewed_at.tzinfo is None or self.valid_until.tzinfo is None:
            raise FeedFailed("a feed's times must be in UTC, and say so")
        if self.renewed_at > self.valid_until:
            raise FeedFailed("a feed's value must be valid until a newer one is due, or for longer")


class CarbonFeed(Protocol):
    """Grams of CO2 that a kilowatt-hour stands for."""

    async def carbon(self) -> Reading:
        """The value of now; anything that it raises counts as a failure to be tried again."""
        ...


class PriceFeed(Protocol):
    """The price of a megawatt-hour."""

    async def price(self) -> Reading:
        """The value of now; anything that it raises counts as a failure to be tried again."""
        ...


class _NoSecrets(logging.Filter):
    """httpx logs the address of every request, with the password and the key in it."""

    def __init__(self) -> None:
        super().__init__()
        self.hosts: set[str] = set()
        """Whose addresses are not shown as they are."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                each.copy_with(userinfo=b"", query=None)
                if isinstance(each, httpx.URL) and each.host in self.hosts
                else each
                for each in record.args
            )
        return True


_NO_SECRETS: Final = _NoSecrets()


class HttpFeed:
    """A JSON document by HTTP.

    Args:
        url: where it is.
        transport: through which it is asked for; the network, and the environment's proxy, by default.
        timeout: seconds for the whole answer.
        clock: tells what is now.

    Raises:
        ConfigError: the URL is none of HTTP, the timeout no positive number, or the environment's proxy none.
    """

    def __init__(
        self,
        url: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float = 10.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        check_seconds("timeout", timeout)
        self._url: Final = _address(url)
        self._timeout = timeout
        self._clock = clock
        _NO_SECRETS.hosts.add(self._url.host)
        logging.getLogger("httpx").addFilter(_NO_SECRETS)  # harmless when it is there already
        try:
            self._client = httpx.AsyncClient(
                transport=transport,
                timeout=timeout,
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            )
        except (httpx.InvalidURL, ValueError):  # their text may hold a password
            raise ConfigError("the proxy that the environment names for feeds is none") from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def get(self, kind: type[T], parameters: Mapping[str, str] | None = None) -> T:
        """The document.

        Raises:
            FeedFailed: it cannot be had, in time or at all, or is something else.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return msgspec.json.decode(await self._read(parameters), type=kind)
        except TimeoutError:
            raise FeedFailed(f"{self._url.host} has not answered within {self._timeout:g} s") from None
        except httpx.HTTPError as error:  # its text may hold a proxy's password
            raise FeedFailed(f"{self._url.host} cannot be asked: {type(error).__name__}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise FeedFailed(f"{self._url.host} answers something else than it should: {error}") from None

    async def _read(self, parameters: Mapping[str, str] | None) -> bytes:
        body = bytearray()
        url = self._url.copy_merge_params(parameters or {})  # a mirror's own parameters, a key say, stay
        async with self._client.stream("GET", url) as response:
            if response.status_code != int(httpx.codes.OK):
                raise FeedFailed(f"{self._url.host} answers with status {response.status_code}")
            if response.is_stream_consumed:  # a transport in memory brings the whole body along
                return response.content
            async for part in response.aiter_raw():
                body += part
                if len(body) > MOST_BYTES:
                    raise FeedFailed(f"{self._url.host} answers more than {MOST_BYTES} bytes")
        return bytes(body)

    def reading(
        self, value: float | None, unit: str, most: float, begins: datetime, ends: datetime
    ) -> Reading:
        """What is known of the slot of now. It stands for one slot more, should the next one be late.

        Raises:
            FeedFailed: the value is none, or the slot is not of now.
        """
        if value is None or not -most <= value <= most:
            raise FeedFailed(f"{self._url.host} has no value for now: {value!r}")
        length, age = ends - begins, self._clock.now() - begins
        if not timedelta(0) < length <= MOST_SLOT or not -length <= age < 2 * length:
            raise FeedFailed(f"{self._url.host} tells of {begins:%Y-%m-%d %H:%M} UTC, which is not now")
        return Reading(value=float(value), unit=unit, renewed_at=ends, valid_until=ends + length)


class _Intensity(msgspec.Struct):
    forecast: float | None = None
    actual: float | None = None


class _HalfHour(msgspec.Struct):
    begins: str = msgspec.field(name="from")
    ends: str = msgspec.field(name="to")
    intensity: _Intensity


class _HalfHours(msgspec.Struct):
    data: list[_HalfHour]


class BritishCarbon(HttpFeed):
    """The carbon intensity of Great Britain's electricity, each half-hour, by its system operator (NESO).

    The estimate of what was, where there is one yet, and the forecast otherwise. No key is needed.
    """

    def __init__(
        self,
        url: str = "https://api.carbonintensity.org.uk/intensity",
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float = 10.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(url, transport=transport, timeout=timeout, clock=clock)

    async def carbon(self) -> Reading:
        """The value of this half-hour, in gCO2/kWh.

        Raises:
            FeedFailed: there is none.
        """
        document = await self.get(_HalfHours)
        if not document.data:
            raise FeedFailed(f"{self._url.host} tells of no half-hour")
        slot = document.data[0]
        try:
            begins, ends = (_utc(datetime.fromisoformat(each)) for each in (slot.begins, slot.ends))
        except (ValueError, OverflowError):
            raise FeedFailed(f"{self._url.host} tells of a half-hour without a time") from None
        value = slot.intensity.forecast if slot.intensity.actual is None else slot.intensity.actual
        if value is not None and value < 0:
            raise FeedFailed(f"{self._url.host} tells of {value:g} {CARBON_UNIT}")
        return self.reading(value, CARBON_UNIT, MOST_CARBON, begins, ends)


class _Prices(msgspec.Struct):
    unix_seconds: list[int]
    price: list[float | None]
    unit: str


class DayAheadPrice(HttpFeed):
    """The day-ahead price of electricity in one bidding zone of Europe, by Energy-Charts (Fraunhofer ISE).

    No key is needed. The data's licence depends on the zone; for DE-LU it is CC BY 4.0 (Bundesnetzagentur,
    SMARD.de). It is the wholesale price, without grid fees and taxes, and it may be negative.

    Args:
        zone: the bidding zone.
        url, transport, timeout, clock: as `HttpFeed` has them.
    """

    def __init__(
        self,
        zone: str = "DE-LU",
        url: str = "https://api.energy-charts.info/price",
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float = 10.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(url, transport=transport, timeout=timeout, clock=clock)
        self._zone = zone

    async def price(self) -> Reading:
        """The price of this hour, or quarter of an hour, in EUR/MWh.

        Raises:
            FeedFailed: there is none.
        """
        document = await self.get(_Prices, {"bzn": self._zone})
        if document.unit.replace(" ", "") != PRICE_UNIT:
            raise FeedFailed(f"{self._url.host} tells prices in {document.unit[:20]!r}, not {PRICE_UNIT}")
        begins = document.unix_seconds
        if not begins or len(begins) != len(document.price) or begins != sorted(set(begins)):
            raise FeedFailed(f"{self._url.host} tells no prices, or not one for each time")
        now = self._clock.now().timestamp()
        at = sum(each <= now for each in begins) - 1
        if at < 0:
            raise FeedFailed(f"{self._url.host} has no price for now, only for later")
        after = at + 1 < len(begins)
        seconds = begins[at + after] - begins[at + after - 1] if len(begins) > 1 else HOUR
        try:
            start = datetime.fromtimestamp(begins[at], UTC)
        except (ValueError, OverflowError, OSError):
            raise FeedFailed(f"{self._url.host} tells of a time that there is not") from None
        return self.reading(
            document.price[at], PRICE_UNIT, MOST_PRICE, start, start + timedelta(seconds=min(seconds, HOUR))
        )


def _address(url: str) -> httpx.URL:
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL:  # its text may hold a password
        raise ConfigError("the URL of a feed is none") from None
    if found.scheme not in {"http", "https"} or not found.host:
        raise ConfigError("the URL of a feed must begin with http:// or https://, and a host")
    return found


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
