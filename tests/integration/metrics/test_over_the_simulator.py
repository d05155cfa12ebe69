"""The numbers of a real pool, with the real twikit, against what was done and what the simulator served."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.house import house
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import AcquireTimeoutError
from twikit_pool.events import MetricsCollected
from twikit_pool.metrics import PoolCollector
from twikit_pool.metrics.prometheus import PrometheusExporter
from twikit_pool.pool import ConnectionRequest
from twikit_pool.sessions.outcomes import CallFailed


async def test_the_numbers_agree_with_what_was_done() -> None:
    async with (
        house(ConnectionPoolConfig(max_connections=2, acquire_timeout=5), accounts=3) as home,
        PoolCollector(home.pool, interval=3600) as collector,
    ):
        posted = await asyncio.gather(*[home.do("post_tweet", content=f"number {n}") for n in range(6)])
        for tweet in posted:
            await home.do("like_tweet", tweet_id=tweet.id)
        with pytest.raises(CallFailed):
            await home.do("like_tweet", tweet_id="1")
        leases = [await home.pool.acquire() for _ in range(2)]
        with pytest.raises(AcquireTimeoutError):
            await home.pool.acquire(ConnectionRequest(timeout=0.05))
        for lease in leases:
            lease.release()
        found = collector.collect()["default"]
        totals = collector.latest["default"].totals
        served = sum(1 for _ in posted) * 2

        assert found.calls == served + 1
        assert found.calls_by_outcome["ok"] == served
        assert found.calls == sum(totals.calls.values()) == found.response_times.count
        assert totals.calls["post_tweet", "ok"] == totals.calls["like_tweet", "ok"] == 6
        assert found.acquired == served + 1 + 2
        assert found.timed_out == 1
        assert found.queue_times.count >= 4 + 1, "six posts shared two connections, and one waited in vain"
        assert found.total_connections == found.idle_connections == 2
        assert 0 < found.busy_time <= 2 * found.interval
        assert found.p50_response_time is not None
        assert found.p50_response_time <= (found.p95_response_time or 0) <= (found.p99_response_time or 0)

        text = (await PrometheusExporter(collector).render()).decode()
        assert 'twikit_pool_calls_total{action="post_tweet",outcome="ok",pool_id="default"} 6.0' in text
        for each in home.x.accounts:
            assert each.id not in text


async def test_intervals_of_less_than_a_second_end_by_themselves() -> None:
    async with house(ConnectionPoolConfig(metrics_interval=0.02), accounts=1) as home:
        with home.pool.events.subscribe(MetricsCollected) as told:
            async with PoolCollector(home.pool):
                await home.do("post_tweet", content="hello")
                await asyncio.sleep(0.1)
            heard = [each for each in told.take() if isinstance(each, MetricsCollected)]
    assert len(heard) >= 3
    assert sum(each.metrics["calls"] for each in heard) == 1
