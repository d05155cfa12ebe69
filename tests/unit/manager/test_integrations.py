from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from _pytest.logging import LogCaptureFixture

from tests.simulation.simulated_loop import SimulatedLoop, simulate
from tests.simulation.simulated_x import SimulatedX, pool_of
from tests.unit.pool.scene import CALM, settle, take
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import EmergencyStopped, TwikitPoolError
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.manager.integrations import (
    PATIENCE,
    CampaignEmergencyStop,
    CampaignEnded,
    CampaignEvent,
    CampaignPriorityChanged,
    CampaignStarted,
    Integration,
    Integrations,
)
from twikit_pool.metrics import PoolCollector, PoolMetrics
from twikit_pool.pool import ConnectionPriority, Mode, TwikitConnectionPool


class Hub:
    """A broadcaster that remembers, and fails or hangs when told to."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Mapping[str, Any]]] = []
        self.fails = False
        self.hangs = False

    async def broadcast(self, topic: str, message: Mapping[str, Any]) -> None:
        if self.fails:
            raise ConnectionError("canary")
        if self.hangs:
            await asyncio.sleep(1e6)
        self.heard.append((topic, message))

    def types(self) -> list[str]:
        return [message["type"] for _, message in self.heard]


class Campaigns:
    """A campaign source that tells what it is given."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[CampaignEvent | Exception | None] = asyncio.Queue()

    async def campaign_events(self) -> AsyncIterator[CampaignEvent]:
        while (event := await self.events.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event


class Sink:
    def __init__(self) -> None:
        self.taken: list[PoolMetrics] = []
        self.fails = False
        self.hangs = False

    async def process_real_time_pool_metrics(self, metrics: PoolMetrics) -> None:
        if self.fails:
            raise ValueError("canary")
        if self.hangs:
            await asyncio.sleep(1e6)
        self.taken.append(metrics)


def connected(play: Any, *made: type[Integration], accounts: int = 2, **settings: Any) -> None:
    """Play on a pool that is connected to these, made anew: `play(pool, x, *integrations)`."""

    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        integrations = [each() for each in made]
        config = ConnectionPoolConfig(**{**CALM, "metrics_interval": 10.0, **settings})
        async with TwikitConnectionPoolManager(pool_of(x, accounts).sessions, automation=None) as manager:
            pool = await manager.create_pool("enterprise", config, integrations=integrations)
            await settle()
            await play(pool, x, *integrations)

    simulate(main, order="fifo")


# ---------------------------------------------------------------- broadcasters


def test_a_broadcaster_hears_everything_by_topic() -> None:
    async def play(pool: TwikitConnectionPool, x: SimulatedX, hub: Hub) -> None:
        lease = await take(pool, priority=ConnectionPriority.HIGH)
        lease.release()
        pool.suspend(5)
        pool.emergency_stop("drill")
        await settle()
        topics = {message["type"]: topic for topic, message in hub.heard}
        topics.pop("pool_opened", None)  # the manager may tell of that before it connects anyone
        assert topics == {
            "connection_created": "connection_events",
            "connection_leased": "connection_events",
            "connection_released": "connection_events",
            "pool_suspended": "pool_updates",
            "emergency_stop": "alerts",
        }
        leased = next(message for _, message in hub.heard if message["type"] == "connection_leased")
        assert leased == {
            "type": "connection_leased",
            "pool_id": "enterprise",
            "at": leased["at"],
            "account_id": "a1",
            "connection_id": "a1#1",
            "priority": 3,
            "action": None,
            "waited": 0.0,
        }
        assert isinstance(leased["at"], str)
        assert leased["at"].startswith("2026-01-01T00:00:00.00")

    connected(play, Hub)


def test_a_broadcaster_hears_its_own_pool_alone() -> None:
    async def main(loop: SimulatedLoop) -> None:
        hub = Hub()
        async with TwikitConnectionPoolManager(
            pool_of(SimulatedX(loop), 2).sessions, automation=None
        ) as manager:
            await manager.create_pool("one", integrations=[hub], shared=True)
            other = await manager.create_pool("two", shared=True)
            await settle()
            other.suspend()
            await settle()
        assert {message["pool_id"] for _, message in hub.heard} == {"one"}

    simulate(main, order="fifo")


def test_a_broadcaster_that_fails_loses_what_it_could_not_take(caplog: LogCaptureFixture) -> None:
    async def play(pool: TwikitConnectionPool, x: SimulatedX, hub: Hub) -> None:
        hub.heard.clear()
        hub.fails = True
        pool.suspend()
        await settle()
        hub.fails = False
        pool.resume()
        await settle()
        assert hub.types() == ["pool_resumed"]

    with caplog.at_level(logging.WARNING):
        connected(play, Hub)
    assert "Hub failed: ConnectionError; the pool goes on" in caplog.text
    assert "canary" not in caplog.text


def test_a_broadcaster_that_hangs_delays_nobody_and_is_cut_short() -> None:
    async def play(pool: TwikitConnectionPool, x: SimulatedX, hub: Hub) -> None:
        hub.heard.clear()
        hub.hangs = True
        pool.suspend()
        pool.resume()
        began = x.loop.time()
        (await take(pool)).release()
        assert x.loop.time() == began
        await asyncio.sleep(PATIENCE - 0.1)
        hub.hangs = False
        assert hub.types() == []
        await asyncio.sleep(0.2)
        assert hub.types() == ["pool_resumed", "connection_leased", "connection_released"]

    connected(play, Hub)


# ---------------------------------------------------------------- campaigns


def test_a_campaign_has_connections_while_it_lasts(caplog: LogCaptureFixture) -> None:
    async def play(pool: TwikitConnectionPool, x: SimulatedX, campaigns: Campaigns) -> None:
        tell = campaigns.events.put_nowait
        started = CampaignStarted(
            campaign_id="spring",
            accounts=("a0", "nobody", "a1"),
            priority=ConnectionPriority.HIGH,
            duration=600,
        )
        tell(started)
        await settle()
        assert {each.account_id for each in pool.reservations("spring")} == {"a0", "a1"}
        assert {each.priority for each in pool.reservations("spring")} == {ConnectionPriority.HIGH}
        assert {round(each.expires - x.loop.time()) for each in pool.reservations()} == {600}
        tell(CampaignPriorityChanged(campaign_id="spring", priority=ConnectionPriority.LOW))
        await settle()
        assert {each.priority for each in pool.reservations("spring")} == {ConnectionPriority.LOW}
        tell(CampaignEnded(campaign_id="spring"))
        await settle()
        assert pool.reservations() == []
        default = CampaignStarted(campaign_id="summer", accounts=("a0",))
        assert (default.priority, default.duration) == (ConnectionPriority.NORMAL, 3600)

    with caplog.at_level(logging.WARNING):
        connected(play, Campaigns)
    assert "campaign spring: pool 'enterprise' has no account 'nobody'" in caplog.text


@pytest.mark.parametrize(("seconds", "lasts"), [(20.0, 20.0), (None, 50.0)])
def test_a_campaign_source_can_stop_everything(seconds: float | None, lasts: float) -> None:
    async def play(pool: TwikitConnectionPool, x: SimulatedX, campaigns: Campaigns) -> None:
        campaigns.events.put_nowait(CampaignEmergencyStop(reason="a wrong post", seconds=seconds))
        await settle()
        with pytest.raises(EmergencyStopped, match="a wrong post"):
            await take(pool)
        await asyncio.sleep(lasts - 0.1)
        assert pool.mode is Mode.EMERGENCY
        await asyncio.sleep(0.2)
        assert pool.mode is Mode.OPEN

    connected(play, Campaigns, emergency_pause=50.0)


def test_an_order_that_the_pool_refuses_does_not_end_the_following(caplog: LogCaptureFixture) -> None:
    async def play(pool: TwikitConnectionPool, x: SimulatedX, campaigns: Campaigns) -> None:
        tell = campaigns.events.put_nowait
        stop, pool.emergency_stop = pool.emergency_stop, refuse
        tell(CampaignEmergencyStop(reason="refused"))
        await settle()
        pool.emergency_stop = stop
        tell(CampaignEmergencyStop(reason="heard"))
        await settle()
        assert pool.mode is Mode.EMERGENCY

    def refuse(reason: str, *, pause: float | None = None) -> None:
        raise TwikitPoolError("not now")

    with caplog.at_level(logging.WARNING):
        connected(play, Campaigns)
    assert "CampaignEmergencyStop of Campaigns: not now" in caplog.text


def test_a_campaign_source_that_fails_or_ends_leaves_the_pool_as_it_is(caplog: LogCaptureFixture) -> None:
    unheard_of: Any = object()

    async def play(pool: TwikitConnectionPool, x: SimulatedX, one: Campaigns, other: Campaigns) -> None:
        one.events.put_nowait(CampaignStarted(campaign_id="spring", accounts=("a0",)))
        one.events.put_nowait(unheard_of)
        one.events.put_nowait(OSError("canary"))
        other.events.put_nowait(None)
        await settle()
        assert [each.account_id for each in pool.reservations()] == ["a0"]
        (await take(pool)).release()

    with caplog.at_level(logging.WARNING):
        connected(play, Campaigns, Campaigns)
    assert caplog.text.count("Campaigns failed: OSError; its campaigns are not followed any more") == 1
    assert "canary" not in caplog.text


# ---------------------------------------------------------------- analytics


def measured(play: Any, *made: type[Integration], **settings: Any) -> None:
    """Play on a pool with a collector, connected to these: `play(pool, collector, *integrations)`."""

    async def main(loop: SimulatedLoop) -> None:
        config = ConnectionPoolConfig(**{**CALM, "metrics_interval": 10.0, **settings})
        integrations = [each() for each in made]
        async with pool_of(SimulatedX(loop), 2, config) as pool, PoolCollector(pool) as collector:
            connected = Integrations(pool, integrations, collector)
            await settle()
            try:
                await play(pool, collector, *integrations)
            finally:
                await connected.aclose()

    simulate(main, order="fifo")


def test_a_sink_gets_each_interval_once_when_it_ends(caplog: LogCaptureFixture) -> None:
    async def play(pool: TwikitConnectionPool, collector: PoolCollector, sink: Sink) -> None:
        await take(pool)
        await asyncio.sleep(25)
        assert [(each.pool_id, each.active_connections, each.acquired) for each in sink.taken] == [
            ("default", 1, 1),
            ("default", 1, 0),
        ]
        assert [round(each.interval) for each in sink.taken] == [10, 10]
        assert sink.taken[-1] is collector.metrics["default"]
        sink.fails = True
        await asyncio.sleep(10)
        sink.fails = False
        await asyncio.sleep(10)
        assert len(sink.taken) == 3

    with caplog.at_level(logging.WARNING):
        measured(play, Sink)
    assert "Sink failed: ValueError; the pool goes on" in caplog.text


def test_a_sink_gets_intervals_of_less_than_a_second() -> None:
    async def play(pool: TwikitConnectionPool, collector: PoolCollector, sink: Sink) -> None:
        await asyncio.sleep(1.05)
        assert len(sink.taken) == 10

    measured(play, Sink, metrics_interval=0.1)


def test_a_sink_that_is_slow_gets_the_latest_next() -> None:
    async def play(pool: TwikitConnectionPool, collector: PoolCollector, sink: Sink) -> None:
        sink.hangs = True
        await asyncio.sleep(4.5)
        sink.hangs = False
        await asyncio.sleep(PATIENCE)
        assert [each.timestamp.second for each in sink.taken] == [10, 11, 12, 13, 14]

    measured(play, Sink, metrics_interval=1.0)


def test_a_sink_gets_nothing_where_metrics_are_off_or_nobody_collects() -> None:
    async def off(pool: TwikitConnectionPool, collector: PoolCollector, sink: Sink) -> None:
        await asyncio.sleep(50)
        assert sink.taken == []

    async def nobody(pool: TwikitConnectionPool, x: SimulatedX, sink: Sink) -> None:
        uncollected = Integrations(pool, [sink])
        await asyncio.sleep(50)
        await uncollected.aclose()

    measured(off, Sink, enable_metrics=False)
    connected(lambda pool, x: nobody(pool, x, Sink()))


def test_one_object_may_be_all_of_them() -> None:
    class Everything(Hub, Campaigns, Sink):
        def __init__(self) -> None:
            Hub.__init__(self)
            Campaigns.__init__(self)
            Sink.__init__(self)

    async def play(pool: TwikitConnectionPool, collector: PoolCollector, everything: Everything) -> None:
        everything.events.put_nowait(CampaignStarted(campaign_id="spring", accounts=("a0",)))
        await asyncio.sleep(11)
        assert everything.taken
        assert "reservation_made" in everything.types()
        assert len(pool.reservations("spring")) == 1

    measured(play, Everything)
