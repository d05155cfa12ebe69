from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import pytest
from _pytest.logging import LogCaptureFixture

from tests.simulation.simulated_loop import (
    CancelRandomly,
    SimulatedLoop,
    cancel_at_every_step,
    every_seed,
    grid,
    simulate,
)
from tests.simulation.simulated_x import SimulatedX, account
from tests.unit.pool.scene import CALM, settle
from twikit_pool.accounts import MemoryAccounts
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import ConfigError, PoolError
from twikit_pool.events import (
    AccountQuarantined,
    CallFinished,
    ConnectionLeased,
    ConnectionReleased,
    EmergencyStop,
    MetricsCollected,
    PoolResized,
)
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.manager.automation import Automation
from twikit_pool.pool import PoolStatus
from twikit_pool.service.hub import EVENTS, FREQUENT, RETURNING, Hub
from twikit_pool.service.reader import TOPICS, Reader
from twikit_pool.sessions.manager import TwikitSessionManager

Play = Callable[[Hub, TwikitConnectionPoolManager], Coroutine[Any, Any, None]]


def a_manager(loop: SimulatedLoop, automation: Automation | None = None) -> TwikitConnectionPoolManager:
    sessions = TwikitSessionManager(
        MemoryAccounts([account(f"{pool}{number}") for pool in "ab" for number in range(3)]),
        backend=SimulatedX(loop),
        clock=loop.clock,
        rng=loop.rng,
    )
    return TwikitConnectionPoolManager(sessions, automation=automation)


@asynccontextmanager
async def told(
    loop: SimulatedLoop, automation: Automation | None = None, **how: Any
) -> AsyncIterator[tuple[Hub, TwikitConnectionPoolManager]]:
    async with (
        a_manager(loop, automation) as manager,
        Hub(manager, clock=loop.clock, **how) as hub,
    ):
        yield hub, manager
        assert hub.readers == 0, "a reader was left behind"


def play(scene: Play, **how: Any) -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with told(loop, **how) as (hub, manager):
            await scene(hub, manager)

    simulate(main)


def resized(size: int, pool_id: str = "a") -> PoolResized:
    return PoolResized(
        pool_id=pool_id, at=datetime.fromisoformat("2026-01-01T00:00:00Z"), size=size, before=0
    )


def leased(number: int = 0, pool_id: str = "a") -> ConnectionLeased:
    at = datetime.fromisoformat("2026-01-01T00:00:00Z")
    return ConnectionLeased(
        pool_id=pool_id, at=at, account_id=f"a{number}", priority=2, action=None, waited=float(number)
    )


def unread(reader: Reader) -> list[dict[str, Any]]:
    texts: list[str] = []
    while (text := reader.take_now()) is not None:
        texts.append(text)
    return [json.loads(each) for each in texts]


def types(messages: list[dict[str, Any]]) -> list[str]:
    return [each["type"] for each in messages]


def a_pool(accounts: str = "a", **settings: Any) -> dict[str, Any]:
    return {
        "config": ConnectionPoolConfig(
            **{**CALM, "min_connections": 1, "initial_connections": 1, **settings}
        ),
        "accept": lambda each: each.id[0] in accounts,
    }


# ---------------------------------------------------------------- messages


def test_events_are_numbered_one_by_one_over_all_topics_and_come_in_order() -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        with hub.subscribe(TOPICS) as reader:
            [snapshot] = unread(reader)
            assert snapshot == {"type": "snapshot", "seq": hub.seq, "pools": []}
            at = datetime.fromisoformat("2026-01-01T00:00:00Z")
            stop = EmergencyStop(pool_id="a", at=at, reason="r", seconds=1.0, paused=0, refused=0)
            ill = AccountQuarantined(pool_id="a", at=at, account_id="a0", seconds=1.0, reason="r")
            for event in (resized(3), stop, leased(), ill):
                manager.events.publish(event)
            await settle()
            hub.publish("jobs", {"type": "job_done", "pool_id": "a", "job": 7, "seq": 1, "topic": "x"})
            messages = unread(reader)
        first = snapshot["seq"] + 1
        assert [each["seq"] for each in messages] == list(range(first, first + 5))
        assert [each["topic"] for each in messages] == [
            "pool_updates",
            "alerts",
            "connection_events",
            "connection_events",
            "jobs",
        ]
        assert types(messages)[-1] == "job_done"
        assert all({"seq", "topic", "type", "pool_id", "at"} <= each.keys() for each in messages)
        assert messages[0] == {
            "seq": first,
            "topic": "pool_updates",
            "type": "pool_resized",
            "pool_id": "a",
            "at": "2026-01-01T00:00:00+00:00",
            "size": 3,
            "before": 0,
        }

    play(scene)


def test_an_event_is_encoded_once_however_many_read_it() -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        readers = [hub.subscribe(["pool_updates"]) for _ in range(3)]
        for reader in readers:
            unread(reader)
        manager.events.publish(resized(1))
        await settle()
        one, two, three = [reader.take_now() for reader in readers]
        assert one is two is three is not None
        for reader in readers:
            reader.close()

    play(scene)


def test_readers_get_the_topics_and_pools_that_they_asked_for() -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        with (
            hub.subscribe(["pool_updates"], ["b"]) as of_b,
            hub.subscribe(["jobs"]) as jobs,
            hub.subscribe(["jobs"], ["a"]) as jobs_of_a,
        ):
            for reader in (of_b, jobs, jobs_of_a):
                unread(reader)
            manager.events.publish(resized(1, "a"))
            manager.events.publish(resized(2, "b"))
            await settle()
            hub.publish("jobs", {"type": "of_none"})
            hub.publish("jobs", {"type": "of_b", "pool_id": "b"})
            assert [each["size"] for each in unread(of_b)] == [2]
            assert types(unread(jobs)) == ["of_none", "of_b"]
            assert types(unread(jobs_of_a)) == ["of_none"]

    play(scene)


def test_a_reader_can_want_more_and_less_and_keeps_what_it_has_not_read() -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        with hub.subscribe(["jobs"]) as reader:
            unread(reader)
            hub.publish("jobs", {"type": "first"})
            reader.want(["jobs", "alerts"])
            hub.publish("alerts", {"type": "second"})
            hub.publish("jobs", {"type": "third"})
            assert types(unread(reader)) == ["snapshot", "first", "second", "third"]
            hub.publish("alerts", {"type": "fourth"})
            hub.publish("jobs", {"type": "fifth"})
            reader.leave(["jobs"])
            hub.publish("jobs", {"type": "sixth"})
            assert types(unread(reader)) == ["fourth"]
            assert reader.topics == {"alerts"}

    play(scene)


def test_what_cannot_be_asked_for_or_told_is_refused() -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        with pytest.raises(ConfigError, match="no topic is called 'everything'; there are pool_updates"):
            hub.subscribe(["everything"])
        with pytest.raises(ConfigError, match="no topic is called"):
            hub.publish("everything", {"type": "x"})
        with pytest.raises(ConfigError, match="needs a `type`"):
            hub.publish("jobs", {})
        before = hub.seq
        with pytest.raises(TypeError):
            hub.publish("jobs", {"type": "x", "what": object()})
        assert hub.seq == before, "no number is used up by what was not told"
        with pytest.raises(PoolError, match="make another"):
            await hub.__aenter__()

    play(scene)
    for wrong in ({"kept": 0}, {"queue": 0}, {"interval": 0.0}):
        with pytest.raises(ConfigError):
            play(scene, **wrong)


def test_a_hub_that_is_not_entered_has_no_readers() -> None:
    async def main(loop: SimulatedLoop) -> None:
        hub = Hub(a_manager(loop), clock=loop.clock)
        with pytest.raises(PoolError, match="enter it"):
            hub.subscribe(["jobs"])

    simulate(main)


def test_an_event_that_cannot_be_told_stops_no_other(caplog: LogCaptureFixture) -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        with hub.subscribe(["pool_updates"]) as reader:
            unread(reader)
            at = datetime.fromisoformat("2026-01-01T00:00:00Z")
            manager.events.publish(MetricsCollected(pool_id="a", at=at, metrics={"x": object()}))
            manager.events.publish(resized(1))
            await settle()
            assert types(unread(reader)) == ["pool_resized"]

    play(scene)
    assert "metrics_collected cannot be told as JSON: TypeError" in caplog.text


def test_nothing_that_was_told_is_in_a_repr() -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        with hub.subscribe(["jobs"]) as reader:
            hub.publish("jobs", {"type": "x", "text": "canary"})
            _, [message] = hub.replay(["jobs"], None, 0)
            assert "canary" in message.text
            assert "canary" not in repr(message) + repr(reader) + repr(hub)

    play(scene)


# ---------------------------------------------------------------- frequent events


def test_frequent_events_are_not_even_made_while_nobody_wants_them() -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        made = 0

        def make(*_: object) -> ConnectionLeased:
            nonlocal made
            made += 1
            return leased()

        taps = [manager.events.tap(kind) for kind in FREQUENT]
        with hub.subscribe([each for each in TOPICS if each != "connection_events"]):
            assert not any(tap.subscriptions for tap in taps)
            taps[0].send((make, None, None, None, None))
            await asyncio.sleep(1)
            assert made == 0
            with hub.subscribe(["connection_events"]) as reader:
                assert all(tap.subscriptions for tap in taps)
                unread(reader)
                taps[0].send((make, None, None, None, None))
                await settle()
                assert types(unread(reader)) == ["connection_leased"]
                assert made == 1
            await asyncio.sleep(RETURNING / 2)
            assert all(tap.subscriptions for tap in taps), "it may only have lost its connection"
            await asyncio.sleep(RETURNING)
            assert not any(tap.subscriptions for tap in taps)

    play(scene)


def test_events_keep_their_order_when_frequent_ones_begin_to_be_heard() -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        with hub.subscribe(["pool_updates"]) as first:
            unread(first)
            for size in range(5):
                manager.events.publish(resized(size))
            with hub.subscribe(["connection_events", "pool_updates"]) as second:
                unread(second)
                manager.events.publish(leased())
                manager.events.publish(resized(5))
                await settle()
                assert [each["size"] for each in unread(first)] == [0, 1, 2, 3, 4, 5]
                assert types(unread(second)) == ["connection_leased", "pool_resized"]

    play(scene)


def test_who_wants_connection_events_is_told_that_nobody_noted_them_meanwhile() -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        since = hub.seq
        with hub.subscribe(["jobs"], since=since) as reader:
            assert unread(reader) == []
        hub.publish("jobs", {"type": "x"})
        with hub.subscribe(["connection_events"], since=since) as reader:
            assert types(unread(reader)) == ["gap", "snapshot"]
            since = hub.seq
            manager.events.publish(leased(1))
            await settle()
        await asyncio.sleep(RETURNING / 2)
        manager.events.publish(leased(2))
        await settle()
        with hub.subscribe(["connection_events"], since=since) as reader:
            assert [each["account_id"] for each in unread(reader)] == ["a1", "a2"]

    play(scene)


# ---------------------------------------------------------------- replay


def test_since_replays_exactly_what_came_after_it() -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        first = hub.seq
        for number in range(9):
            hub.publish(TOPICS[2 + number % 3], {"type": f"m{number}", "pool_id": "ab"[number % 2]})
        with hub.subscribe(["jobs", "alerts"], since=first + 2) as reader:
            assert [each["seq"] - first for each in unread(reader)] == [3, 5, 6, 8, 9]
        with hub.subscribe(["jobs", "alerts"], ["a"], since=first + 2) as reader:
            assert [each["seq"] - first for each in unread(reader)] == [3, 5, 9]
        with hub.subscribe(TOPICS[2:], since=hub.seq) as reader:
            assert unread(reader) == []
            hub.publish("jobs", {"type": "next"})
            assert types(unread(reader)) == ["next"]

    play(scene)


def test_a_replay_may_be_longer_than_the_queue() -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        since = hub.seq
        for number in range(50):
            hub.publish("jobs", {"type": f"m{number}"})
        with hub.subscribe(["jobs"], since=since) as reader:
            assert len(unread(reader)) == 50
            assert reader.lost == 0

    play(scene, queue=4)


@pytest.mark.parametrize("since", ["old", "yesterday", "future", "never"])
def test_a_gap_is_told_with_a_snapshot_and_what_is_left(since: str) -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        first = hub.seq
        for number in range(6):
            hub.publish("jobs", {"type": f"m{number}"})
        asked = {"old": first + 1, "yesterday": first - 86_400_000_000, "future": hub.seq + 1, "never": 0}
        with hub.subscribe(["jobs"], since=asked[since]) as reader:
            gap, snapshot, *rest = unread(reader)
        assert gap == {"type": "gap", "since": asked[since], "seq": hub.seq}
        assert snapshot["type"] == "snapshot"
        assert types(rest) == ([] if since == "future" else ["m2", "m3", "m4", "m5"])
        with hub.subscribe(["jobs"], since=first + 2) as reader:
            assert types(unread(reader)) == ["m2", "m3", "m4", "m5"], "just not lost"

    play(scene, kept=4)


def test_a_flood_of_one_topic_drives_no_other_out() -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        since = hub.seq
        hub.publish("alerts", {"type": "rare"})
        for _ in range(5000):
            hub.publish("jobs", {"type": "often"})
        with hub.subscribe(["alerts"], since=since) as reader:
            assert types(unread(reader)) == ["rare"]

    play(scene)


# ---------------------------------------------------------------- losing


def test_what_was_told_lately_has_what_leases_and_calls_have_driven_out() -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        moment = datetime.fromisoformat("2026-01-01T00:00:00Z")
        with hub.subscribe(["connection_events"]):
            told = AccountQuarantined(pool_id="a", at=moment, account_id="a0", seconds=60, reason="a rest")
            manager.events.publish(told)
            for _ in range(10):
                call = CallFinished(
                    pool_id="a",
                    at=moment,
                    account_id="a0",
                    action="like_tweet",
                    outcome="ok",
                    latency=0.1,
                    status=200,
                    code=None,
                )
                manager.events.publish(call)
            manager.events.publish(resized(1, "b"))
            await settle()
        latest = [json.loads(each.text) for each in hub.latest("a")]
        assert [each["type"] for each in latest] == ["call_finished"] * 4 + ["account_quarantined"]
        numbers = [each["seq"] for each in latest]
        assert numbers == sorted(numbers, reverse=True)
        assert [json.loads(each.text)["type"] for each in hub.latest("b")] == ["pool_resized"]

    play(scene, kept=4)


def test_a_slow_reader_loses_its_oldest_and_is_told_how_many_before_it_goes_on() -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        with hub.subscribe(["jobs"]) as slow, hub.subscribe(["jobs"]) as quick:
            unread(slow)
            unread(quick)
            first = hub.seq
            for number in range(10):
                hub.publish("jobs", {"type": f"m{number}"})
                assert types(unread(quick)) == [f"m{number}"]
            lost, *rest = unread(slow)
            assert lost == {"type": "lost", "count": 6, "seq": first + 6}
            assert types(rest) == ["m6", "m7", "m8", "m9"]
            assert (slow.lost, quick.lost) == (6, 0)
            hub.publish("jobs", {"type": "m10"})
            assert types(unread(slow)) == ["m10"], "told once"

    play(scene, queue=4)


def test_who_has_lost_a_change_of_status_is_shown_a_snapshot() -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        await manager.create_pool("a", **a_pool())
        await asyncio.sleep(5)
        with hub.subscribe(["pool_updates"]) as reader:
            seen = Seen()
            seen.read(reader)
            async with manager.acquire():
                await asyncio.sleep(2)
            await asyncio.sleep(2)
            for size in range(8):
                manager.events.publish(resized(size))
            await settle()
            messages = unread(reader)
            assert types(messages) == ["lost", "snapshot"] + ["pool_resized"] * 4
            seen.hear(messages)
            assert seen.statuses == hub_told(hub)

    play(scene, queue=4)


def test_ten_thousand_events_at_once_are_told_in_order_and_nothing_else_waits_for_it() -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        heard: list[int] = []

        async def read(reader: Reader) -> None:
            async for text in reader:
                message = json.loads(text)
                if message["type"] == "connection_leased":
                    heard.append(int(message["waited"]))

        with hub.subscribe(["connection_events"]) as quick, hub.subscribe(["connection_events"]) as never:
            reading = asyncio.create_task(read(quick))
            for number in range(10_000):
                manager.events.publish(leased(number))
            turns = 0
            while heard[-1:] != [9_999]:
                await asyncio.sleep(0)
                turns += 1
            assert turns > 4, "others have had their turns"
            assert heard == sorted(heard)
            assert len(heard) + quick.lost == 10_000
            lost, *rest = unread(never)[1:]  # after the snapshot, which nobody can lose
            assert (lost["count"], len(rest)) == (10_000 - 256, 256)
            assert rest[-1]["waited"] == 9_999
            quick.end()
            await reading

    play(scene)


def test_events_that_come_too_fast_for_the_hub_are_told_as_lost(caplog: LogCaptureFixture) -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        with hub.subscribe(["alerts"]) as reader:
            unread(reader)
            for number in range(EVENTS + 7):
                manager.events.publish(resized(number))
            await asyncio.sleep(3)
            [lost] = unread(reader)
            assert (lost["type"], lost["count"]) == ("events_lost", 7)

    play(scene)
    assert "7 events came too fast" in caplog.text


# ---------------------------------------------------------------- snapshots and changes


class Seen:
    """A client: what it knows of each pool."""

    def __init__(self) -> None:
        self.statuses: dict[str, dict[str, Any]] = {}
        self.updates = 0

    def read(self, reader: Reader) -> None:
        self.hear(unread(reader))

    def hear(self, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            match message["type"]:
                case "snapshot":
                    self.statuses = {each["pool_id"]: each["status"] for each in message["pools"]}
                case "pool_status_update":
                    self.updates += 1
                    self.statuses.setdefault(message["pool_id"], {}).update(message["status"])
                case "pool_removed":
                    # It may be unknown: where the latest snapshot is newer than `since`, it is told again.
                    self.statuses.pop(message["pool_id"], None)


def hub_told(hub: Hub) -> dict[str, dict[str, Any]]:
    """What a reader that comes now is shown."""
    seen = Seen()
    with hub.subscribe(["pool_updates"]) as reader:
        seen.read(reader)
    return seen.statuses


def test_a_snapshot_has_each_pool_with_its_status_metrics_and_decision() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with told(loop, Automation(own_process=None)) as (hub, manager):
            pool = await manager.create_pool("a", **a_pool(metrics_interval=1.0))
            await manager.create_pool("b", **a_pool("b", enable_metrics=False, enable_auto_scaling=False))
            await asyncio.sleep(5)
            with hub.subscribe(["pool_updates"]) as reader:
                a, b = unread(reader)[0]["pools"]
            assert (a["pool_id"], b["pool_id"]) == ("a", "b")
            status = msgspec.convert(a["status"], PoolStatus, strict=False)
            assert msgspec.structs.replace(status, at=pool.status().at) == pool.status()
            assert a["metrics"]["total_connections"] == pool.size
            assert a["decision"]["target_size"] == manager.attendants.scaler.decisions["a"].target_size
            assert (b["metrics"], b["decision"]) == (None, None)
            with hub.subscribe(["pool_updates"], ["b"]) as reader:
                assert [each["pool_id"] for each in unread(reader)[0]["pools"]] == ["b"]

    simulate(main)


def test_a_change_of_status_has_only_what_changed() -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        await manager.create_pool("a", **a_pool(min_connections=3, initial_connections=3))
        await asyncio.sleep(5)
        with hub.subscribe(["pool_updates"]) as reader:
            unread(reader)
            await asyncio.sleep(5)
            assert unread(reader) == [], "nothing has changed"
            async with manager.acquire():
                await asyncio.sleep(1.5)
                [update] = unread(reader)
        assert update["status"].keys() == {
            "pool_id",
            "at",
            "available",
            "active",
            "active_by_priority",
            "by_state",
        }

    play(scene)


def test_statuses_are_not_even_made_while_nobody_wants_them() -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        await manager.create_pool("a", **a_pool())
        with hub.subscribe(["jobs"]):
            before = hub.seq
            async with manager.acquire():
                await asyncio.sleep(5)
            with hub.subscribe(["pool_updates"], since=before) as reader:
                assert types(unread(reader)).count("pool_status_update") == 1, "the one that it is shown"

    play(scene)


@dataclass(frozen=True)
class Reading:
    """Clients of every kind read on while pools come and go; in the end all know what is true."""

    kept: int = 1024
    queue: int = 256

    async def __call__(self, loop: SimulatedLoop) -> None:
        async with told(loop, kept=self.kept, queue=self.queue, interval=0.5) as (hub, manager):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._live(loop, manager), name="life")
                clients = [
                    group.create_task(self._read(loop, hub), name=f"reader-{number}") for number in range(4)
                ]
            await asyncio.sleep(1)
            found = {each: status_as_json(pool.status()) for each, pool in manager.pools.items()}
            for client in clients:
                seen, reader = client.result()
                seen.read(reader)
                reader.close()
                for status in seen.statuses.values():
                    assert status.pop("at")
                assert seen.statuses == found

    async def _read(self, loop: SimulatedLoop, hub: Hub) -> tuple[Seen, Reader]:
        """Reads a while, leaves, comes again with `since` or without; ends with everything."""
        seen, since = Seen(), None
        for _ in range(loop.rng.randint(1, 4)):
            with hub.subscribe(loop.rng.choice([["pool_updates"], TOPICS]), since=since) as reader:
                for _ in range(loop.rng.randint(0, 6)):
                    await asyncio.sleep(grid(loop.rng, 1.5))
                    for _ in range(loop.rng.randint(0, 12)):
                        if (text := reader.take_now()) is not None:
                            message = json.loads(text)
                            seen.hear([message])
                            if "topic" in message or since is None:
                                since = message["seq"]
                    if loop.rng.random() < 0.1:
                        reader.want(reader.topics)
            await asyncio.sleep(grid(loop.rng, 2.0))
        reader = hub.subscribe(["pool_updates"], since=since)
        await asyncio.sleep(10)
        return seen, reader

    async def _live(self, loop: SimulatedLoop, manager: TwikitConnectionPoolManager) -> None:
        await manager.create_pool("a", **a_pool())
        for _ in range(8):
            await asyncio.sleep(grid(loop.rng, 1.0))
            if "b" not in manager.pools:
                await manager.create_pool("b", **a_pool("b"))
            elif loop.rng.random() < 0.3:
                await manager.shutdown_pool("b", grace=0)
            async with asyncio.timeout(5), manager.acquire(pool="a"):
                manager.pool("a").resize(loop.rng.randint(1, 3))
                await asyncio.sleep(grid(loop.rng, 1.0))


def status_as_json(status: PoolStatus) -> dict[str, Any]:
    plain = json.loads(msgspec.json.encode(status))
    del plain["at"]
    return plain


@pytest.mark.parametrize(("kept", "queue"), [(1024, 256), (3, 256), (1024, 3), (3, 3)])
def test_changes_applied_to_a_snapshot_are_the_status(kept: int, queue: int) -> None:
    every_seed(Reading(kept, queue), range(25))


# ---------------------------------------------------------------- leaving


def test_a_reader_that_waits_is_woken_and_one_that_is_ended_reads_what_it_has() -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        with hub.subscribe(["jobs"]) as reader:
            unread(reader)
            taking = asyncio.create_task(reader.take())
            await settle()
            hub.publish("jobs", {"type": "one"})
            hub.publish("jobs", {"type": "two"})
            assert '"one"' in (await taking or "")
            reader.end()
            assert hub.readers == 0
            hub.publish("jobs", {"type": "three"})
            assert '"two"' in (await reader.take() or "")
            assert await reader.take() is None
            reader.want(["jobs"])
            assert hub.readers == 0, "it does not come to life again"

    play(scene)


def test_when_the_hub_ends_its_readers_do_and_the_bus_forgets_it() -> None:
    async def main(loop: SimulatedLoop) -> None:
        manager = a_manager(loop)
        async with manager, Hub(manager, clock=loop.clock) as hub:
            with hub.subscribe(TOPICS) as reader:
                read = asyncio.create_task(collect(reader))
                await settle()
                manager.events.publish(leased())
                await hub.__aexit__(None, None, None)
                assert types(await read) == ["snapshot", "connection_leased"]
            assert not manager.events.heard

    async def collect(reader: Reader) -> list[dict[str, Any]]:
        return [json.loads(text) async for text in reader]

    simulate(main)


def test_a_reader_cancelled_at_any_step_leaves_nothing() -> None:
    async def main(loop: SimulatedLoop) -> None:
        manager = a_manager(loop)
        async with manager, Hub(manager, clock=loop.clock, queue=3) as hub:
            got: list[str] = []

            async def read() -> None:
                with hub.subscribe(TOPICS) as reader:
                    async for text in reader:
                        got.append(text)
                        await asyncio.sleep(0.1)

            victim = asyncio.create_task(read(), name="victim")
            with hub.subscribe(["jobs"]) as other:
                unread(other)
                for number in range(6):
                    hub.publish("jobs", {"type": f"m{number}"})
                    assert types(unread(other)) == [f"m{number}"]
                    await asyncio.sleep(0.05)
            await asyncio.sleep(1)
            victim.cancel()
            await asyncio.wait([victim])
            assert victim.cancelled()
            assert hub.readers == 0
            assert not any(hub.replay([each], None, hub.seq)[1] for each in TOPICS)
            since = hub.seq
            hub.publish("jobs", {"type": "later"})
            with hub.subscribe(["jobs"], since=since) as again:
                assert types(unread(again)) == ["later"]
        assert not manager.events.heard

    assert cancel_at_every_step(main) > 5


def test_readers_cancelled_at_random_lose_no_message_of_others() -> None:
    async def main(loop: SimulatedLoop) -> None:
        manager = a_manager(loop)
        async with manager, Hub(manager, clock=loop.clock) as hub:

            async def read() -> None:
                with hub.subscribe(["connection_events"]) as reader:
                    async for _ in reader:
                        await asyncio.sleep(grid(loop.rng, 0.02))

            victims = [asyncio.create_task(read(), name=f"victim-{number}") for number in range(5)]
            await asyncio.sleep(0)
            with hub.subscribe(["connection_events"]) as steady:
                unread(steady)
                for number in range(60):
                    manager.events.publish(leased(number))
                    await asyncio.sleep(grid(loop.rng, 0.02))
                await asyncio.sleep(0.1)
                assert [each["waited"] for each in unread(steady)] == list(range(60))
            for victim in victims:
                victim.cancel()
            await asyncio.wait(victims)
            assert hub.readers == 0
        assert not manager.events.heard

    every_seed(main, range(30), cancel=CancelRandomly("victim"))


def test_whoever_enters_the_hub_and_is_cancelled_at_any_step_leaves_nothing() -> None:
    async def main(loop: SimulatedLoop) -> None:
        manager = a_manager(loop)

        async def serve() -> None:
            async with Hub(manager, clock=loop.clock) as hub:
                with hub.subscribe(TOPICS) as reader:
                    manager.events.publish(leased())
                    await reader.take()
                    await reader.take()
                    await asyncio.sleep(2.5)

        async with manager:
            victim = asyncio.create_task(serve(), name="victim")
            await asyncio.wait([victim])
        assert not manager.events.heard

    assert cancel_at_every_step(main) > 2


def test_calls_and_returns_are_told_as_they_are() -> None:
    async def scene(hub: Hub, manager: TwikitConnectionPoolManager) -> None:
        await manager.create_pool("a", **a_pool())
        with hub.subscribe(["connection_events"]) as reader:
            await manager.execute("like_tweet", tweet_id=str(random.Random(0).randint(1, 9)))
            await asyncio.sleep(1)
            heard = types(unread(reader))
        assert [ConnectionLeased.type, CallFinished.type, ConnectionReleased.type] == [
            each for each in heard if each in {kind.type for kind in FREQUENT}
        ]

    play(scene)
