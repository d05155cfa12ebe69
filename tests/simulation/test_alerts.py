"""Alerts in virtual time: what a healthy day tells, what planted faults do, what is left behind."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.simulation.simulated_loop import SimulatedLoop, cancel_at_every_step, simulate
from tests.simulation.simulated_x import SimulatedX, account
from tests.unit.resources.stand_in import MB, StandInProcess
from twikit_pool.accounts import Account, MemoryAccounts
from twikit_pool.alerts import Alert, Alerting, AlertState, AlertWatch, Kept, Notice, Rule, Silence
from twikit_pool.alerts.outbox import MOST_WAITING
from twikit_pool.alerts.rules import BUILT_IN
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import AccountUnavailable, DeliveryFailed, PoolError, StoreError
from twikit_pool.events import (
    AlertAcknowledged,
    AlertEvent,
    AlertFired,
    AlertResolved,
    HistoryFailed,
    HistoryResumed,
)
from twikit_pool.manager import Automation, TwikitConnectionPoolManager
from twikit_pool.metrics import PoolCollector
from twikit_pool.pool import ConnectionRequest, TwikitConnectionPool
from twikit_pool.scaling import AutoScaler
from twikit_pool.sessions.manager import TwikitSessionManager
from twikit_pool.sessions.outcomes import CallFailed

DAY = 86_400.0
CALM: dict[str, Any] = {
    "acquire_timeout": None,
    "max_lifetime": None,
    "leak_warning": None,
    "enable_health_checks": False,
    "enable_resource_optimization": False,
    "min_connections": 4,
    "initial_connections": 4,
    "max_connections": 8,
}


def manager_of(
    loop: SimulatedLoop, x: SimulatedX, accounts: int = 6, automation: Automation | None = None
) -> TwikitConnectionPoolManager:
    source = MemoryAccounts([account(f"a{number}") for number in range(accounts)])
    sessions = TwikitSessionManager(source, backend=x, clock=loop.clock, rng=loop.rng)
    return TwikitConnectionPoolManager(sessions, rng=loop.rng, automation=automation)


def settings(**changes: Any) -> ConnectionPoolConfig:
    return ConnectionPoolConfig(**{**CALM, **changes})


@dataclass
class Chat:
    """A destination that fails as it is told to."""

    loop: SimulatedLoop
    failures: list[Exception | None] = field(default_factory=list[Exception | None])
    hangs: bool = False
    name: str = "chat"
    took: list[Notice] = field(default_factory=list[Notice])
    attempts: int = 0
    closed: bool = False

    async def send(self, notice: Notice) -> None:
        self.attempts += 1
        await asyncio.sleep(0.1)
        if self.hangs:
            await self.loop.create_future()
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        self.took.append(notice)

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.closed = True


@dataclass
class Memory:
    """A store that outlives a program."""

    alerts: dict[str, Alert] = field(default_factory=dict[str, Alert])
    silences: Sequence[Silence] = ()
    fails: bool = False

    async def load(self) -> Kept:
        await asyncio.sleep(0.01)
        if self.fails:
            raise StoreError("the disk is gone")
        return Kept(alerts=tuple(self.alerts.values()), silences=tuple(self.silences))

    async def save(self, changed: Sequence[Alert], silences: Sequence[Silence]) -> None:
        await asyncio.sleep(0.01)
        if self.fails:
            raise StoreError("the disk is full")
        self.alerts |= {each.id: each for each in changed}
        self.silences = silences


def watch_of(manager: TwikitConnectionPoolManager) -> AlertWatch:
    watch = manager.attendants.alerts
    assert watch is not None
    return watch


def rules_of(alerts: Sequence[Alert]) -> list[str]:
    return [each.rule for each in alerts]


# ---------------------------------------------------------------- a healthy day


@pytest.mark.timeout(400)
def test_a_healthy_day_yields_at_most_one_alert() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = SimulatedX(loop)
        async with manager_of(loop, x, accounts=40) as manager:
            pool = await manager.create_pool("news", settings(max_connections=40, scaling_interval=5.0))
            watch = AlertWatch(manager, Alerting(), clock=loop.clock)
            async with PoolCollector(manager), AutoScaler(manager), watch:
                work: set[asyncio.Task[None]] = set()
                while loop.time() < DAY:
                    load = 4 + 3 * math.sin(loop.time() / DAY * 2 * math.pi)  # in erlangs, over the day
                    await asyncio.sleep(loop.rng.expovariate(load / 60))
                    task = loop.create_task(use(pool, loop.rng.expovariate(1 / 60)))
                    work.add(task)
                    task.add_done_callback(work.discard)
                await asyncio.wait(work)
                assert len(watch.engine.alerts()) <= 1, watch.engine.alerts()

    simulate(main, max_steps=10_000_000)


async def use(pool: TwikitConnectionPool, seconds: float) -> None:
    async with pool.acquire() as lease:
        await lease.execute("like_tweet", tweet_id="1")
        await asyncio.sleep(seconds)


# ---------------------------------------------------------------- faults


@dataclass
class Stage:
    """A manager with one pool, and what its process takes."""

    loop: SimulatedLoop
    x: SimulatedX
    manager: TwikitConnectionPoolManager
    pool: TwikitConnectionPool
    process: StandInProcess
    holders: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    def hold(self, callers: int, seconds: float) -> None:
        async def held() -> None:
            async with self.pool.acquire(ConnectionRequest(timeout=None)):
                await asyncio.sleep(seconds)

        self.holders += [self.loop.create_task(held()) for _ in range(callers)]


Fault = Callable[[Stage], Awaitable[None]]


async def all_are_in_use(stage: Stage) -> None:
    stage.hold(6, 400)
    await asyncio.sleep(380)


async def many_wait(stage: Stage) -> None:
    stage.hold(20, 150)
    await asyncio.sleep(110)


async def many_are_unhealthy(stage: Stage) -> None:
    for each in list(stage.pool.connections())[:3]:
        each.health.checked(well=False)
    await asyncio.sleep(200)


async def the_size_swings(stage: Stage) -> None:
    stage.pool.reconfigure(
        enable_auto_scaling=False, min_connections=1, initial_connections=1, max_idle_time=2.0
    )
    for size in (6, 1) * 10:
        stage.pool.resize(size)
        await asyncio.sleep(20)


async def memory_is_full(stage: Stage) -> None:
    stage.process.costs["memory"] = 950 * MB
    await asyncio.sleep(90)


async def the_loop_is_busy(stage: Stage) -> None:
    for _ in range(160):
        stage.process.work(0.98)
        await asyncio.sleep(1)


async def most_calls_fail(stage: Stage) -> None:
    stage.pool.reconfigure(enable_circuits=False)
    stage.x.broken = lambda _account, _endpoint: 503
    await calls(stage, 200)


async def calls(stage: Stage, seconds: float) -> None:
    ends = stage.loop.time() + seconds
    number = 0
    while stage.loop.time() < ends:
        number += 1
        with suppress(CallFailed, PoolError):
            await stage.pool.execute("get_timeline", account=f"a{number % 6}", deadline=20)
        await asyncio.sleep(1)


async def too_little_is_allowed(stage: Stage) -> None:
    stage.pool.reconfigure(max_connections=4)
    stage.hold(30, 900)
    await asyncio.sleep(880)


async def windows_are_spent(stage: Stage) -> None:
    stage.x.limit = 1
    for _ in range(6):
        await stage.pool.execute("like_tweet", tweet_id="1")
    await asyncio.sleep(90)


async def x_is_down(stage: Stage) -> None:
    stage.x.broken = lambda _account, _endpoint: 503
    await calls(stage, 300)


async def accounts_are_suspended(stage: Stage) -> None:
    stage.x.codes = {f"a{number}": [64] for number in range(3)}
    for number in range(3):
        with suppress(CallFailed):
            await stage.pool.execute("like_tweet", account=f"a{number}", tweet_id="1")
    await asyncio.sleep(30)


async def somebody_stops_it(stage: Stage) -> None:
    stage.pool.emergency_stop("a wrong link went out", pause=60)
    await asyncio.sleep(5)


async def a_store_fails(stage: Stage) -> None:
    stage.manager.events.publish(
        HistoryFailed(pool_id="news", at=stage.loop.clock.now(), reason="the disk is full", lost=0)
    )
    await asyncio.sleep(40)


FAULTS: dict[str, Fault] = {
    "pool_busy": all_are_in_use,
    "queue_long": many_wait,
    "connections_unhealthy": many_are_unhealthy,
    "scaling_restless": the_size_swings,
    "memory_high": memory_is_full,
    "cpu_high": the_loop_is_busy,
    "calls_failing": most_calls_fail,
    "retries_spent": most_calls_fail,
    "above_ceiling": too_little_is_allowed,
    "endpoint_spent": windows_are_spent,
    "circuit_open": x_is_down,
    "account_lost": accounts_are_suspended,
    "emergency_stop": somebody_stops_it,
    "component_degraded": a_store_fails,
}


def test_every_rule_has_a_fault() -> None:
    assert set(FAULTS) == set(BUILT_IN)


@pytest.mark.parametrize("name", FAULTS)
def test_each_rule_fires_on_its_fault_and_not_before(name: str) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, process = SimulatedX(loop), StandInProcess()
        automation = Automation(own_process=process)
        async with manager_of(loop, x, 6, automation) as manager:
            pool = await manager.create_pool("news", settings())
            await asyncio.sleep(60)
            watch = watch_of(manager)
            assert watch.engine.alerts() == []
            stage = Stage(loop, x, manager, pool, process)
            with manager.events.subscribe(AlertFired) as fired:
                await FAULTS[name](stage)
            [alert] = [each for each in watch.engine.alerts() if each.rule == name]
            assert any(isinstance(each, AlertFired) and each.alert["id"] == alert.id for each in fired.take())
            assert alert.message
            assert alert.why
            assert alert.advice
            for each in stage.holders:
                each.cancel()
            if stage.holders:
                await asyncio.wait(stage.holders)

    simulate(main, max_steps=3_000_000)


def test_accounts_that_are_suspended_are_one_alert_with_their_names() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, chat = SimulatedX(loop), Chat(loop)
        automation = Automation(own_process=StandInProcess(), alerts=Alerting(destinations=[chat]))
        async with manager_of(loop, x, 6, automation) as manager:
            pool = await manager.create_pool("news", settings())
            await accounts_are_suspended(Stage(loop, x, manager, pool, StandInProcess()))
            [notice] = chat.took
            assert notice.title == "[critical] pool news: accounts are suspended or locked (3)"
            assert notice.alert["names"] == ("a0", "a1", "a2")
            assert "suspended" in notice.alert["why"]

    simulate(main)


def test_an_emergency_stop_tells_its_reason_and_is_over_when_it_is() -> None:
    async def main(loop: SimulatedLoop) -> None:
        chat = Chat(loop)
        automation = Automation(own_process=StandInProcess(), alerts=Alerting(destinations=[chat]))
        async with manager_of(loop, SimulatedX(loop), 2, automation) as manager:
            pool = await manager.create_pool("news", settings())
            with manager.events.subscribe(AlertEvent) as events:
                pool.emergency_stop("a wrong link went out", pause=600)
                await asyncio.sleep(3)
                [alert] = watch_of(manager).engine.alerts()
                watch_of(manager).acknowledge(alert.id, by="me")
                pool.resume()
                await asyncio.sleep(3)
                assert [type(each) for each in events.take()] == [
                    AlertFired,
                    AlertAcknowledged,
                    AlertResolved,
                ]
            assert [each.kind for each in chat.took] == ["firing", "resolved"]
            assert "a wrong link went out; until 2026-01-01 00:10:00 UTC" in chat.took[0].text

    simulate(main)


def test_a_component_that_recovers_ends_its_alert() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async with manager_of(loop, SimulatedX(loop), 2, Automation(own_process=StandInProcess())) as manager:
            pool = await manager.create_pool("news", settings())
            await a_store_fails(Stage(loop, SimulatedX(loop), manager, pool, StandInProcess()))
            [alert] = watch_of(manager).engine.alerts()
            assert (alert.pool_id, alert.names, alert.why) == (
                "news",
                ("history",),
                "history: the disk is full",
            )
            manager.events.publish(HistoryResumed(pool_id="news", at=loop.clock.now(), seconds=40, lost=0))
            await asyncio.sleep(2)
            assert watch_of(manager).engine.alerts()[0].state is AlertState.RESOLVED

    simulate(main)


class FailingAccounts(MemoryAccounts):
    """A source that cannot be read while it is told so."""

    fails = False

    async def accounts(self) -> list[Account]:
        if self.fails:
            raise StoreError("the disk is gone")
        return list(await super().accounts())

    async def revision(self) -> None:
        return None


def test_an_account_source_that_fails_is_told_until_it_works_again() -> None:
    async def main(loop: SimulatedLoop) -> None:
        source = FailingAccounts([account("a0")])
        sessions = TwikitSessionManager(source, backend=SimulatedX(loop), clock=loop.clock, rng=loop.rng)
        automation = Automation(own_process=StandInProcess())
        async with TwikitConnectionPoolManager(sessions, rng=loop.rng, automation=automation) as manager:
            await manager.create_pool("news", settings(refresh_interval=5.0))
            source.fails = True
            await asyncio.sleep(60)
            [alert] = watch_of(manager).engine.alerts()
            assert alert.names == ("account source",)
            assert alert.why == "account source: the disk is gone"
            source.fails = False
            await asyncio.sleep(10)
            assert watch_of(manager).engine.alerts()[0].state is AlertState.RESOLVED

    simulate(main)


# ---------------------------------------------------------------- sending

NOW = Rule(name="now", metric="total_connections", above=0, lasting=0, cooldown=0, message="there is one")


def sending(play: Callable[[SimulatedLoop, Chat, AlertWatch], Awaitable[None]], **of: Any) -> Chat:
    """A watch with one destination, whose only rule fires at once."""
    chats: list[Chat] = []

    async def main(loop: SimulatedLoop) -> None:
        chat = Chat(loop, **of)
        chats.append(chat)
        alerting = Alerting(rules={"now": NOW}, destinations=[chat])
        async with manager_of(loop, SimulatedX(loop)) as manager:
            await manager.create_pool("news", settings())
            async with AlertWatch(manager, alerting, clock=loop.clock, rng=loop.rng) as watch:
                watch.engine.measured("news", {"total_connections": 1})
                await play(loop, chat, watch)
            assert chat.closed

    simulate(main)
    return chats[0]


def test_what_fails_is_tried_again_with_the_same_key() -> None:
    async def play(loop: SimulatedLoop, chat: Chat, watch: AlertWatch) -> None:
        await asyncio.sleep(60)
        assert watch.engine.alerts()[0].delivery == "sent"
        [status] = watch.destinations
        assert (status.sent, status.failed, status.waiting, status.problem) == (1, 0, 0, "")

    again = DeliveryFailed("it answered 500", again=True)
    chat = sending(play, failures=[again, again, ValueError("canary"), None])
    assert chat.attempts == 4
    assert len(chat.took) == 1


def test_what_is_refused_for_good_is_given_up_at_once(caplog: pytest.LogCaptureFixture) -> None:
    async def play(loop: SimulatedLoop, chat: Chat, watch: AlertWatch) -> None:
        await asyncio.sleep(60)
        assert watch.engine.alerts()[0].delivery == "failed"
        [status] = watch.destinations
        assert (status.sent, status.failed, status.problem) == (0, 1, "it answered 404")

    chat = sending(play, failures=[DeliveryFailed("it answered 404", again=False)])
    assert chat.attempts == 1
    assert "chat: a message about an alert is given up: it answered 404" in caplog.text


def test_a_destination_that_asks_for_time_is_given_it() -> None:
    async def play(loop: SimulatedLoop, chat: Chat, watch: AlertWatch) -> None:
        await asyncio.sleep(100)
        assert chat.attempts == 1
        await asyncio.sleep(30)
        assert len(chat.took) == 1

    sending(play, failures=[DeliveryFailed("it answered 429", again=True, after=120.0)])


def test_a_destination_that_hangs_is_bounded_delays_nobody_and_loses_the_oldest() -> None:
    async def play(loop: SimulatedLoop, chat: Chat, watch: AlertWatch) -> None:
        for _ in range(MOST_WAITING + 20):
            watch.engine.measured("news", {"total_connections": 0})
            watch.look()
            watch.engine.measured("news", {"total_connections": 1})
            began = loop.time()
            watch.look()
            assert loop.time() == began
        await asyncio.sleep(1)
        [status] = watch.destinations
        assert status.waiting == MOST_WAITING
        assert status.dropped > 20
        await asyncio.sleep(800)
        assert watch.destinations[0].failed >= 1
        assert watch.destinations[0].problem == "it did not take the message within 15 s"

    assert sending(play, hangs=True).took == []


def test_a_test_is_tried_once_and_tells_of_each_destination() -> None:
    async def play(loop: SimulatedLoop, chat: Chat, watch: AlertWatch) -> None:
        await asyncio.sleep(2)
        chat.failures = [DeliveryFailed("it answered 500", again=True)]
        [failed] = await watch.test()
        assert (failed.arrived, failed.problem) == (False, "it answered 500")
        [well] = await watch.test()
        assert (well.name, well.arrived) == ("chat", True)

    assert [each.kind for each in sending(play).took] == ["firing", "test"]


# ---------------------------------------------------------------- a restart


def test_a_restart_tells_nothing_again_and_sends_what_was_left() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, store = SimulatedX(loop), Memory()
        source = MemoryAccounts([account(f"a{number}") for number in range(4)])

        async def run(chat: Chat, seconds: float) -> None:
            x.codes = {"a0": [64], "a1": [64]}
            sessions = TwikitSessionManager(source, backend=x, clock=loop.clock, rng=loop.rng)
            automation = Automation(
                own_process=StandInProcess(), alerts=Alerting(destinations=[chat], store=store)
            )
            async with TwikitConnectionPoolManager(sessions, rng=loop.rng, automation=automation) as manager:
                pool = await manager.create_pool("news", settings())
                for each in ("a0", "a1"):
                    with suppress(CallFailed, AccountUnavailable):
                        await pool.execute("like_tweet", account=each, tweet_id="1")
                await asyncio.sleep(seconds)

        hanging, second, third = Chat(loop, hangs=True), Chat(loop), Chat(loop)
        await run(hanging, 60)
        [alert] = store.alerts.values()
        assert (alert.names, alert.delivery) == (("a0", "a1"), "waiting")
        await run(second, 300)
        [notice] = second.took
        assert notice.key == f"{alert.id}-1"
        await run(third, 600)
        assert third.took == []
        [alert] = store.alerts.values()
        assert alert.open

    simulate(main)


def test_a_store_that_fails_stops_nothing_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def main(loop: SimulatedLoop) -> None:
        store = Memory(fails=True)
        alerting = Alerting(rules={"now": NOW, **BUILT_IN}, store=store)
        async with manager_of(loop, SimulatedX(loop)) as manager:
            await manager.create_pool("news", settings())
            async with AlertWatch(manager, alerting, clock=loop.clock) as watch:
                watch.engine.measured("news", {"total_connections": 1})
                await asyncio.sleep(60)
                assert set(rules_of(watch.engine.alerts())) == {"now", "component_degraded"}
                store.fails = False
                await asyncio.sleep(10)
                assert {each.rule for each in watch.engine.alerts() if each.open} == {"now"}
            assert set(rules_of(list(store.alerts.values()))) == {"now", "component_degraded"}

    simulate(main)
    assert "alerts cannot be read, and are kept in memory: the disk is gone" in caplog.text


def test_i4_cancelled_at_any_step_no_task_is_left() -> None:
    async def scene(loop: SimulatedLoop) -> None:
        chat, store = Chat(loop, failures=[DeliveryFailed("it answered 500", again=True)]), Memory()
        alerting = Alerting(rules={"now": NOW}, destinations=[chat], store=store)
        async with manager_of(loop, SimulatedX(loop)) as manager:
            await manager.create_pool("news", settings())

            async def watched() -> None:
                async with AlertWatch(manager, alerting, clock=loop.clock, rng=loop.rng) as watch:
                    watch.engine.measured("news", {"total_connections": 1})
                    await asyncio.sleep(1.5)
                    await watch.test()

            before = asyncio.all_tasks()
            victim = loop.create_task(watched(), name="victim")
            await asyncio.wait([victim])
            if not victim.cancelled() and (error := victim.exception()) is not None:
                raise error
            await asyncio.sleep(1)
            assert asyncio.all_tasks() <= before

    assert cancel_at_every_step(scene) >= 5


@pytest.mark.parametrize("victim", ["alert watch", "alerts to chat", "alert store"])
def test_i14_its_own_tasks_are_cancelled_at_any_step_and_the_pool_goes_on(victim: str) -> None:
    async def scene(loop: SimulatedLoop) -> None:
        alerting = Alerting(rules={"now": NOW}, destinations=[Chat(loop)], store=Memory())
        async with manager_of(loop, SimulatedX(loop)) as manager:
            pool = await manager.create_pool("news", settings())
            async with AlertWatch(manager, alerting, clock=loop.clock, rng=loop.rng) as watch:
                watch.engine.measured("news", {"total_connections": 1})
                await asyncio.sleep(1.5)
                await pool.execute("like_tweet", tweet_id="1")
            assert asyncio.all_tasks() >= {asyncio.current_task()}

    assert cancel_at_every_step(scene, victim) >= 1
