"""The feeds over real HTTP, from a server of this machine that answers as a test tells it to."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import inf, nan
from typing import Any

import httpx
import pytest

from twikit_pool.errors import ConfigError, FeedFailed
from twikit_pool.scaling import BritishCarbon, DayAheadPrice, Reading
from twikit_pool.scaling.feeds import MOST_BYTES

NOW = datetime(2026, 1, 20, 12, 10, tzinfo=UTC)
NOON = int(datetime(2026, 1, 20, 12, tzinfo=UTC).timestamp())
QUARTER = 900

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class FixedClock:
    def __init__(self, now: datetime = NOW) -> None:
        self._now = now

    def monotonic(self) -> float:
        return 0.0

    def now(self) -> datetime:
        return self._now


class Server:
    """Answers every request the same way, and notes the requests."""

    def __init__(self) -> None:
        self.url = ""
        self.heads: list[str] = []
        self.answer: Answer = says({})
        self._open: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(asyncio.ensure_future(self._converse(reader, writer)))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
            await self.answer(writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has seen enough
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def aclose(self) -> None:
        for each in self._open:
            each.cancel()
        if self._open:
            await asyncio.wait(self._open)


def says(document: object, *headers: str, status: str = "200 OK") -> Answer:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    return answer


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    listener = await asyncio.start_server(server.accept, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
    yield server
    listener.close()
    await server.aclose()


def half_hour(
    begins: str = "2026-01-20T12:00Z", ends: str = "2026-01-20T12:30Z", **intensity: Any
) -> dict[str, Any]:
    """As https://carbon-intensity.github.io/api-definitions/ documents `/intensity`."""
    return {
        "data": [
            {
                "from": begins,
                "to": ends,
                "intensity": {"forecast": 266, "actual": 263, "index": "moderate", **intensity},
            }
        ]
    }


def prices(
    *values: float | None, begins: int = NOON - QUARTER, step: int = QUARTER, unit: str = "EUR / MWh"
) -> dict[str, Any]:
    """As https://api.energy-charts.info documents `/price`."""
    return {
        "license_info": "CC BY 4.0 (creativecommons.org/licenses/by/4.0) from Bundesnetzagentur | SMARD.de",
        "unix_seconds": [begins + step * number for number in range(len(values))],
        "price": list(values),
        "unit": unit,
        "deprecated": False,
    }


async def carbon(server: Server, clock: FixedClock | None = None, timeout: float = 5.0) -> Reading:
    async with BritishCarbon(server.url + "intensity", timeout=timeout, clock=clock or FixedClock()) as feed:
        return await feed.carbon()


async def price(server: Server, clock: FixedClock | None = None, path: str = "price") -> Reading:
    async with DayAheadPrice(url=server.url + path, timeout=5.0, clock=clock or FixedClock()) as feed:
        return await feed.price()


# ---------------------------------------------------------------- carbon


async def test_the_carbon_intensity_of_this_half_hour(server: Server) -> None:
    server.answer = says(half_hour())
    assert await carbon(server) == Reading(
        value=263.0,
        unit="gCO2/kWh",
        renewed_at=datetime(2026, 1, 20, 12, 30, tzinfo=UTC),
        valid_until=datetime(2026, 1, 20, 13, tzinfo=UTC),
    )
    head = server.heads[0].lower()
    assert head.startswith("get /intensity http/1.1\r\n")
    assert "accept: application/json\r\n" in head


async def test_the_forecast_stands_in_for_what_is_not_measured_yet(server: Server) -> None:
    server.answer = says(half_hour(actual=None))
    assert (await carbon(server)).value == 266
    server.answer = says(half_hour(actual=0))
    assert (await carbon(server)).value == 0, "no wind blows that well, but 0 is a value"


@pytest.mark.parametrize(
    ("document", "match"),
    [
        (half_hour(actual=None, forecast=None), "no value for now: None"),
        (half_hour(actual=-3), "tells of -3 gCO2/kWh"),
        (half_hour(actual=2001), "no value for now: 2001"),
        ({"data": []}, "no half-hour"),
        ({"data": None}, "something else"),
        ({"data": [{"from": "2026-01-20T12:00Z", "to": "2026-01-20T12:30Z"}]}, "something else"),
        (half_hour(actual="263"), "something else"),
        (half_hour(begins="noon"), "without a time"),
        (half_hour(begins="0001-01-01T00:00+23:59"), "without a time"),
        (half_hour(ends="9999-12-31T23:59Z"), "which is not now"),
        (half_hour(ends="2026-01-20T12:00Z"), "which is not now"),
        (half_hour(ends="2026-01-20T11:30Z"), "which is not now"),
        (half_hour(begins="2026-01-19T12:00Z", ends="2026-01-19T12:30Z"), "which is not now"),
        (half_hour(begins="2026-01-20T11:10Z", ends="2026-01-20T11:40Z"), "which is not now"),
        (half_hour(begins="2026-01-20T13:00Z", ends="2026-01-20T13:30Z"), "which is not now"),
    ],
)
async def test_what_is_no_carbon_intensity_of_now(
    server: Server, document: dict[str, Any], match: str
) -> None:
    server.answer = says(document)
    with pytest.raises(FeedFailed, match=match):
        await carbon(server)


async def test_a_slot_that_has_just_ended_holds_for_one_more_but_another_is_due(server: Server) -> None:
    server.answer = says(half_hour(begins="2026-01-20T11:30Z", ends="2026-01-20T12:00Z"))
    reading = await carbon(server)
    assert reading.renewed_at < NOW < reading.valid_until == datetime(2026, 1, 20, 12, 30, tzinfo=UTC)


async def test_times_without_a_zone_are_utc(server: Server) -> None:
    server.answer = says(half_hour(begins="2026-01-20T12:00", ends="2026-01-20T13:30+01:00"))
    assert (await carbon(server)).renewed_at == datetime(2026, 1, 20, 12, 30, tzinfo=UTC)


# ---------------------------------------------------------------- price


async def test_the_price_of_this_quarter_of_an_hour(server: Server) -> None:
    server.answer = says(prices(80.5, 91.25, 70))
    assert await price(server) == Reading(
        value=91.25,
        unit="EUR/MWh",
        renewed_at=datetime(2026, 1, 20, 12, 15, tzinfo=UTC),
        valid_until=datetime(2026, 1, 20, 12, 30, tzinfo=UTC),
    )
    assert server.heads[0].startswith("GET /price?bzn=DE-LU HTTP/1.1\r\n")


async def test_the_parameters_of_a_mirror_stay(server: Server) -> None:
    server.answer = says(prices(80.5, 91.25))
    await price(server, path="price?key=mine")
    assert server.heads[0].startswith("GET /price?key=mine&bzn=DE-LU HTTP/1.1\r\n")


@pytest.mark.parametrize("value", [-12.5, -500, 0, 4000])
async def test_a_price_may_be_negative(server: Server, value: float) -> None:
    server.answer = says(prices(1, value, 3))
    assert (await price(server)).value == value


@pytest.mark.parametrize("count", [1, 2])
async def test_an_hour_is_followed_by_none(server: Server, count: int) -> None:
    values, begins = [55.0] * count, NOON - 3600 * (count - 1)
    server.answer = says(prices(*values, begins=begins, step=3600))
    reading = await price(server)
    assert (reading.value, reading.renewed_at) == (55, datetime(2026, 1, 20, 13, tzinfo=UTC))


@pytest.mark.parametrize(
    ("document", "match"),
    [
        (prices(80.5, None, 70), "no value for now: None"),
        (prices(1, 10_001, 3), "no value for now: 10001"),
        (prices(1, -10_001, 3), "no value for now"),
        (prices(), "tells no prices"),
        ({**prices(1, 2, 3), "price": [1, 2]}, "not one for each time"),
        ({**prices(1, 2), "unix_seconds": [NOON, NOON]}, "not one for each time"),
        ({**prices(1, 2), "unix_seconds": [NOON, NOON - QUARTER]}, "not one for each time"),
        ({**prices(1, 2), "unix_seconds": [float(NOON) + 0.5, NOON + 900]}, "something else"),
        ({**prices(1), "unix_seconds": [-(10**30)]}, "a time that there is not"),
        ({**prices(1), "unix_seconds": [-(10**12)]}, "a time that there is not"),
        (prices(1, 2, unit="EUR/kWh"), "prices in 'EUR/kWh', not EUR/MWh"),
        (prices(1, 2, unit="£/MWh" * 100), "tells prices in"),
        (prices(1, 2, begins=NOON + 7200), "only for later"),
        (prices(1, 2, begins=NOON - 86400), "2026-01-19 12:15 UTC, which is not now"),
        (prices(1, 2, begins=NOON - 7200, step=10 * 3600), "which is not now"),
        ({"price": [1.0], "unit": "EUR/MWh"}, "something else"),
        ({**prices(1, 2), "price": ["1", "2"]}, "something else"),
        ({"detail": "no such zone"}, "something else"),
    ],
)
async def test_what_is_no_price_of_now(server: Server, document: dict[str, Any], match: str) -> None:
    server.answer = says(document)
    with pytest.raises(FeedFailed, match=match):
        await price(server)


async def test_times_beyond_all_calendars_do_no_harm_beside_those_of_now(server: Server) -> None:
    server.answer = says({**prices(1, 2, 3), "unix_seconds": [-(10**40), NOON, 10**40]})
    assert (await price(server)).value == 2


# ---------------------------------------------------------------- answers that are none


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>busy</html>",
        b'{"data": [',
        b"\xff\xfe",
        b'{"data": "\xff"}',
        b"null",
        b"[]",
        json.dumps(half_hour()).encode()[:-1] + b', "actual": NaN}',
        json.dumps(half_hour()).replace("263", "NaN").encode(),
        json.dumps(half_hour()).replace("263", "1e999").encode(),
        json.dumps(half_hour()).replace("263", "9" * 5000).encode(),
    ],
)
async def test_what_is_no_such_document(server: Server, body: bytes) -> None:
    server.answer = says(body)
    with pytest.raises(FeedFailed, match="something else"):
        await carbon(server)


async def test_what_is_nested_too_deeply(server: Server) -> None:
    server.answer = says(b'{"other": ' + b"[" * 100_000)
    with pytest.raises(FeedFailed, match="something else"):
        await carbon(server)


@pytest.mark.parametrize("status", ["204 No Content", "404 Not Found", "429 Too Many Requests", "503 Busy"])
async def test_other_statuses(server: Server, status: str) -> None:
    server.answer = says(half_hour() if status[0] != "2" else b"", status=status)
    with pytest.raises(FeedFailed, match=f"status {status[:3]}"):
        await carbon(server)


async def test_no_redirect_is_followed(server: Server) -> None:
    server.answer = says(b"", f"Location: {server.url}elsewhere?key=canary", status="302 Found")
    with pytest.raises(FeedFailed, match="status 302") as failed:
        await carbon(server)
    assert len(server.heads) == 1
    assert "canary" not in told(failed.value)


async def test_what_is_too_large_is_read_no_further(server: Server) -> None:
    sent = 0

    async def pour(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent < 100 * MOST_BYTES:
            writer.write(b" " * 65536)
            await writer.drain()
            sent += 65536

    server.answer = pour
    with pytest.raises(FeedFailed, match=f"more than {MOST_BYTES} bytes"):
        await carbon(server)
    assert sent < 50 * MOST_BYTES


async def test_what_is_compressed_though_nobody_asked_is_not_unpacked(server: Server) -> None:
    server.answer = says(gzip.compress(b" " * 5_000_000), "Content-Encoding: gzip")
    with pytest.raises(FeedFailed, match="something else"):
        await carbon(server)
    assert "accept-encoding: identity" in server.heads[0].lower()


@pytest.mark.parametrize(
    "beginning", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"]
)
async def test_a_slow_drip_is_cut_off(server: Server, beginning: bytes) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(beginning)
        for _ in range(100):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    server.answer = drip
    began = time.monotonic()
    with pytest.raises(FeedFailed, match=r"127\.0\.0\.1 has not answered within"):
        await carbon(server, timeout=0.3)
    assert time.monotonic() - began < 3


async def test_who_hangs_up_in_the_middle(server: Server) -> None:
    async def break_off(writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"data"')

    server.answer = break_off
    with pytest.raises(FeedFailed, match="cannot be asked: RemoteProtocolError"):
        await carbon(server)


async def test_a_cancelled_question_is_cancelled(server: Server) -> None:
    asked = asyncio.Event()

    async def hang(_writer: asyncio.StreamWriter) -> None:
        asked.set()
        await asyncio.sleep(60)

    server.answer = hang
    question = asyncio.create_task(carbon(server, timeout=50))
    await asked.wait()
    question.cancel()
    await asyncio.wait([question], timeout=5)
    assert question.cancelled()


# ---------------------------------------------------------------- secrets and settings


def told(error: BaseException) -> str:
    """All that a log or an error tracker shows of it."""
    return "".join([str(error), repr(error), *traceback.format_exception(error)])


async def test_i10_a_password_of_the_proxy_or_a_key_of_the_address_is_in_no_error(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://user:canary-proxy@127.0.0.1:1")
    url = "http://reader:canary-login@prices.example/price?key=canary-key"
    async with DayAheadPrice(url=url, clock=FixedClock()) as feed:
        with pytest.raises(FeedFailed, match=r"prices\.example cannot be asked: ConnectError") as failed:
            await feed.price()
    assert "canary" not in told(failed.value)
    server.answer = says(b"", status="407 Proxy Authentication Required")
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//user:canary-proxy@"))
    async with DayAheadPrice(url=url, clock=FixedClock()) as feed:
        with pytest.raises(FeedFailed, match=r"prices\.example answers with status 407") as failed:
            await feed.price()
    assert "canary" not in told(failed.value)


async def test_i10_a_key_of_the_address_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=half_hour()))
    url = "http://reader:canary-login@carbon.example/intensity?key=canary-key"
    async with BritishCarbon(url, transport=transport, clock=FixedClock()) as feed:
        await feed.carbon()
    async with httpx.AsyncClient(transport=transport) as other:
        await other.get("http://other.example/page?number=1")
    assert "GET http://carbon.example/intensity " in caplog.text
    assert "canary" not in caplog.text
    assert "GET http://other.example/page?number=1 " in caplog.text, "those of others are shown as ever"


@pytest.mark.parametrize("proxy", ["http://user:canary/proxy@127.0.0.1:1", "gopher://user:canary@127.0.0.1"])
def test_i10_a_password_of_a_proxy_that_is_none_is_in_no_error(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(ConfigError, match="the proxy that the environment names") as failed:
        BritishCarbon("http://carbon.example/intensity")
    assert "canary" not in told(failed.value)


async def test_a_transport_of_ones_own_is_used() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=half_hour()))
    async with BritishCarbon(transport=transport, clock=FixedClock()) as feed:
        assert (await feed.carbon()).value == 263


@pytest.mark.parametrize(
    "url",
    ["", "prices.example/price", "ftp://h/", "http:///price", "http://h:canary/", "http://h/\x00canary"],
)
def test_an_address_is_one_of_http(url: str) -> None:
    with pytest.raises(ConfigError, match="URL of a feed") as failed:
        DayAheadPrice(url=url)
    assert "canary" not in str(failed.value)


@pytest.mark.parametrize("timeout", [0.0, -1.0, inf, nan])
def test_a_timeout_is_a_positive_number(timeout: float) -> None:
    with pytest.raises(ConfigError, match="timeout"):
        BritishCarbon(timeout=timeout)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"value": nan}, "finite"),
        ({"value": inf}, "finite"),
        ({"renewed_at": NOW.replace(tzinfo=None)}, "UTC"),
        ({"valid_until": NOW.replace(tzinfo=None)}, "UTC"),
        ({"valid_until": NOW - timedelta(seconds=1)}, "valid until"),
    ],
)
def test_a_reading_is_one(changed: dict[str, Any], match: str) -> None:
    with pytest.raises(FeedFailed, match=match):
        Reading(**{"value": 1.0, "unit": "", "renewed_at": NOW, "valid_until": NOW, **changed})
