from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from twikit_pool.events import (
    AcquireTimedOut,
    ConnectionEvent,
    ConnectionLeased,
    ConnectionReleased,
    EventBus,
    PoolShutDown,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def released(account_id: str = "a") -> ConnectionReleased:
    return ConnectionReleased(pool_id="p", at=NOW, account_id=account_id, priority=2, action=None, held=1.0)


def test_an_event_is_named_as_on_the_wire() -> None:
    assert ConnectionReleased.type == "connection_released"
    assert AcquireTimedOut.type == "acquire_timed_out"
    assert released().type == "connection_released"


def test_a_subscriber_gets_the_types_it_asked_for() -> None:
    bus = EventBus()
    with bus.subscribe(ConnectionLeased) as leases, bus.subscribe(ConnectionEvent) as all_of_them:
        bus.publish(released())
        bus.publish(PoolShutDown(pool_id="p", at=NOW))
        assert leases.take() == []
        assert [event.type for event in all_of_them.take()] == ["connection_released"]


def test_a_slow_subscriber_loses_the_oldest_and_is_told() -> None:
    bus = EventBus()
    with bus.subscribe(maxlen=2) as slow:
        for name in "abc":
            bus.publish(released(name))
        assert slow.dropped == 1
        assert [getattr(event, "account_id", None) for event in slow.take()] == ["b", "c"]


async def test_iteration_waits_for_events_and_ends_when_closed() -> None:
    bus = EventBus()
    subscription = bus.subscribe()
    seen: list[str] = []

    async def read() -> None:
        async for event in subscription:
            seen.append(event.type)  # noqa: PERF401 - the loop is what is tested

    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    bus.publish(released())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert seen == ["connection_released"]
    subscription.close()
    await reader
    assert not bus.heard


async def test_a_cancelled_reader_loses_no_event() -> None:
    bus = EventBus()
    with bus.subscribe() as subscription:
        reader = asyncio.ensure_future(subscription.__anext__())
        await asyncio.sleep(0)
        bus.publish(released())
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert len(subscription.take()) == 1
