"""Accounts that get well: asked about sparingly, and at every step at which somebody may be cancelled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.simulation.invariants import Watch
from tests.simulation.simulated_loop import Order, SimulatedLoop, cancel_at_every_step, every_seed, simulate
from tests.simulation.simulated_x import SimulatedX, account, pool_of
from twikit_pool.accounts import AccountState, Credentials, MemoryAccounts, Standing
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import StoreError
from twikit_pool.events import AccountStateChanged, Event
from twikit_pool.manager import TwikitConnectionPoolManager
from twikit_pool.pool import PoolHooks, TwikitConnectionPool
from twikit_pool.pool.healing import AT_ONCE, LONGEST
from twikit_pool.redaction import Cookies
from twikit_pool.sessions.responses import RawResponse

LOCKED, DEAD, DOWN = 326, 32, 131
ORDERS: tuple[Order, ...] = ("fifo", "tasks", "all", "pct")


@dataclass
class Clinic(SimulatedX):
    """X, which refuses accounts with a code until that is lifted, and knows when it was asked about whom."""

    ill: dict[str, int] = field(default_factory=dict[str, int])
    asked: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])

    def answer(self, account_id: str, endpoint: str) -> RawResponse:
        if account_id in self.ill:
            self.asked.append((account_id, self.loop.time()))
            self.codes[account_id] = [self.ill[account_id]]
        return super().answer(account_id, endpoint)

    def times(self, account_id: str) -> list[float]:
        return [when for who, when in self.asked if who == account_id]


def settings(**changes: Any) -> ConnectionPoolConfig:
    return ConnectionPoolConfig(**{"acquire_timeout": None, "enable_health_checks": False, **changes})


async def like(pool: TwikitConnectionPool, account_id: str | None = None) -> None:
    await pool.execute("like_tweet", tweet_id="1", account=account_id)


async def falls_ill(pool: TwikitConnectionPool, x: Clinic, code: int, *ids: str) -> None:
    for each in ids:
        x.ill[each] = code
        with pytest.raises(Exception, match=each):
            await like(pool, each)
        assert pool.matching.members[each].bars


def test_a_locked_account_is_asked_about_ever_more_rarely_and_comes_back_by_itself() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = Clinic(loop)
        async with pool_of(x, 2, settings()) as pool:
            await falls_ill(pool, x, LOCKED, "a0")
            with pool.events.subscribe(AccountStateChanged) as told:
                await asyncio.sleep(5 * 86400)
                first, *others = [when - x.times("a0")[0] for when in x.times("a0")[1:]]
                assert 300 * 0.75 <= first <= 300 * 1.25 + 2
                gaps = [later - earlier for earlier, later in zip([first, *others], others, strict=False)]
                for n, gap in enumerate(gaps):
                    wait = min(300 * 2 ** (n + 1), LONGEST)
                    assert wait * 0.75 <= gap <= wait * 1.25 + 2
                assert 11 <= len(gaps) <= 14
                assert told.take() == [], "it is as it was: nothing to tell"
                del x.ill["a0"]
                await asyncio.sleep(LONGEST * 1.25 + 2)
                (back,) = told.take()
            assert isinstance(back, AccountStateChanged)
            assert (back.before, back.state) == ("locked", "active")
            await like(pool, "a0")
            assert (await pool.sessions.source.account("a0")).standing.state is AccountState.ACTIVE

    simulate(main)


def test_few_are_asked_about_at_a_time_and_all_are() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = Clinic(loop, slowest=5.0)
        ids = [f"a{n}" for n in range(40)]
        ill = [account(each, standing=Standing(state=AccountState.SUSPENDED)) for each in ids]
        async with pool_of(x, ill, settings(ill_check_interval=4.0)):
            at_once: list[int] = []
            loop.watch = lambda: at_once.append(sum(link._busy for link in x.links))
            await asyncio.sleep(120)
            loop.watch = None
            assert max(at_once) == AT_ONCE
            assert set(x.sent) == set(ids)

    simulate(main)


@pytest.mark.parametrize("halt", ["suspend", "emergency_stop", "drain", "shutdown"])
def test_nobody_is_asked_about_while_the_pool_does_not_serve(halt: str) -> None:
    """I8: also when the stop comes while a check is about to be sent."""

    async def main(loop: SimulatedLoop) -> None:
        x = Clinic(loop)
        ill = [account(f"a{n}", standing=Standing(state=AccountState.LOCKED)) for n in range(8)]
        pool = pool_of(x, ill, settings(ill_check_interval=10.0))
        await pool.open()
        await asyncio.sleep(loop.rng.uniform(7, 13))
        sent = len(x.sent)
        match halt:
            case "suspend":
                pool.suspend()
            case "emergency_stop":
                pool.emergency_stop("drill", pause=500)
            case "drain":
                await pool.drain(0)
            case _:
                await pool.shutdown(0)
        sent = len(x.sent)
        await asyncio.sleep(400)
        assert len(x.sent) == sent
        if halt != "shutdown":
            pool.resume()
            await asyncio.sleep(400)
            assert not pool.ill_accounts()
        await pool.shutdown()
        assert all(link.closed for link in x.links)

    every_seed(main, range(10))


def test_who_is_disabled_or_only_resting_is_left_alone_and_so_is_x_when_it_is_down() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = Clinic(loop)
        people = [
            account("off", standing=Standing(state=AccountState.DISABLED, by="ann")),
            account("ill", standing=Standing(state=AccountState.LOCKED)),
        ]
        async with pool_of(x, people, settings(ill_check_interval=100.0)) as pool:
            x.ill["ill"] = DOWN
            await asyncio.sleep(1000)
            assert 8 <= len(x.times("ill")) <= 13, "an answer that says nothing doubles nothing"
            assert "off" not in x.sent
            pool.reconfigure(ill_check_interval=None)
            asked = len(x.sent)
            await asyncio.sleep(86400)
            assert len(x.sent) == asked
            del x.ill["ill"]
            pool.reconfigure(ill_check_interval=50.0)
            await asyncio.sleep(70)
            assert pool.ill_accounts().keys() == {"off"}

    simulate(main)


def test_an_incident_in_which_x_refuses_everyone_passes_by_itself() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = Clinic(loop)
        ids = [f"a{n}" for n in range(20)]
        async with pool_of(x, 20, settings()) as pool:
            await falls_ill(pool, x, DEAD, *ids)
            x.ill.clear()
            await asyncio.sleep(600)
            assert not pool.ill_accounts()
            assert all(len(x.times(each)) <= 2 for each in ids)

    simulate(main)


# ---------------------------------------------------------------- fresh cookies


def logins_of(pool: TwikitConnectionPool) -> dict[str, str]:
    """The log-in that each connection's session has."""
    return {
        each.account_id: each.session.account.credentials.cookies["auth_token"]
        for each in pool.connections()
        if each.session is not None
    }


@pytest.mark.parametrize("order", ORDERS)
def test_another_log_in_in_the_source_replaces_sessions_between_leases(order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, source = Clinic(loop), MemoryAccounts([account("a0"), account("a1")])
        pool = pool_of(x, source=source, config=settings(refresh_interval=5.0))
        watch = Watch(x, [pool])
        loop.watch = watch.look
        async with pool:
            await like(pool)
            held = await pool.acquire()
            free = ({"a0", "a1"} - {held.account_id}).pop()
            for each in ("a0", "a1"):
                await source.save_cookies(each, Cookies(auth_token="new"))
            await asyncio.sleep(6)
            assert logins_of(pool) == {held.account_id: "canary", free: "new"}
            await held.execute("like_tweet", tweet_id="1")
            held.release()
            await asyncio.sleep(1)
            assert logins_of(pool) == {"a0": "new", "a1": "new"}
            links = len(x.links)
            await source.save_cookies("a0", Cookies(auth_token="new", ct0="newer"))
            await asyncio.sleep(60)
            assert len(x.links) == links, "the same log-in changes nothing"
            loop.watch = None
        watch.after_shutdown()

    every_seed(main, range(5), order=order)


def test_a_call_that_ends_after_the_log_in_was_replaced_makes_nobody_stale() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, source = Clinic(loop, slowest=2.0), MemoryAccounts([account("a0")])
        async with pool_of(x, source=source, config=settings(refresh_interval=0.1)) as pool:
            call = loop.create_task(like(pool))
            await asyncio.sleep(0.01)
            await source.save_cookies("a0", Cookies(auth_token="new"))
            await asyncio.sleep(0.2)
            x.codes["a0"] = [DEAD]
            await call
            assert not pool.ill_accounts()
            met.append(not x.codes["a0"])

    met: list[bool] = []
    every_seed(main, range(10))
    assert any(met)


class Revised(MemoryAccounts):
    """Says when it has changed, counts how often it is read, and fails when told to."""

    def __init__(self, *ids: str) -> None:
        super().__init__(map(account, ids))
        self.at = 0
        self.reads = 0
        self.fails = False

    async def revision(self) -> int:
        await asyncio.sleep(0.01)
        if self.fails:
            raise StoreError("no disk")
        return self.at

    async def accounts(self) -> Any:
        await asyncio.sleep(0.01)
        self.reads += 1
        return await super().accounts()


def test_a_source_is_read_only_when_it_has_changed_and_one_that_fails_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main(loop: SimulatedLoop) -> None:
        source = Revised("a0")
        pool = pool_of(Clinic(loop), source=source, config=settings(refresh_interval=10.0))
        async with pool:
            await asyncio.sleep(100)
            assert source.reads == 2  # at the opening, and once to know where it stands
            source._accounts["a1"] = account("a1")
            source.at, source.fails = 1, True
            await asyncio.sleep(100)
            assert pool.account_ids == {"a0"}
            await like(pool)
            source.fails = False
            await asyncio.sleep(11)
            assert pool.account_ids == {"a0", "a1"}
            pool.reconfigure(refresh_interval=None)
            source.at = 2
            await asyncio.sleep(100)
            assert source.reads == 3

    with caplog.at_level(logging.WARNING):
        simulate(main)
    assert len([each for each in caplog.records if "read anew" in each.message]) == 1


Given = Credentials | Mapping[str, str] | None
HOOKS: dict[str, tuple[Callable[[Any], Any], bool]] = {
    "mapping": (lambda _: {"auth_token": "new"}, True),
    "credentials": (lambda _: Credentials(cookies=Cookies(auth_token="new")), True),
    "nothing": (lambda _: None, False),
    "the same": (lambda _: {"auth_token": "canary"}, False),
    "no log-in": (lambda _: {"ct0": "canary"}, False),
    "junk": (lambda _: [1, 2], False),
    "raises": (lambda _: {}["canary"], False),
    "hangs": (lambda _: asyncio.sleep(1e6), False),
}


@pytest.mark.parametrize("kind", HOOKS)
def test_the_operator_may_fetch_fresh_cookies(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    hook, heals = HOOKS[kind]
    calls: list[str] = []

    def on_stale(ill: Any) -> Any:
        calls.append(ill.id)
        return hook(ill)

    async def main(loop: SimulatedLoop) -> None:
        x, source = Clinic(loop), MemoryAccounts([account("a0"), account("a1")])
        config = settings(ill_check_interval=None)
        async with pool_of(x, source=source, config=config, hooks=PoolHooks(on_stale=on_stale)) as pool:
            await falls_ill(pool, x, DEAD, "a0")
            x.ill.clear()
            await asyncio.sleep(100)
            kept = await source.account("a0")
            assert kept.credentials.cookies["auth_token"] == ("new" if heals else "canary")
            assert (kept.standing.state is AccountState.ACTIVE) == heals
            if heals:
                await like(pool, "a0")

    with caplog.at_level(logging.WARNING):
        simulate(main)
    assert calls == ["a0"], "once each time that it turns stale"
    assert "canary" not in caplog.text


# ---------------------------------------------------------------- cancelled at every step


Act = Callable[[TwikitConnectionPool, SimulatedLoop], Coroutine[Any, Any, object]]


def _ask(pool: TwikitConnectionPool, _: SimulatedLoop) -> Coroutine[Any, Any, object]:
    return pool.healing._ask(pool.healing._patients["a0"])


def _operator(pool: TwikitConnectionPool, _: SimulatedLoop) -> Coroutine[Any, Any, object]:
    return pool.healing._ask_operator(pool.matching.members["a0"])


VICTIMS: dict[str, Act] = {
    "ask": _ask,
    "operator": _operator,
    "source": lambda pool, _: pool.roster._look_at_source(),
    "give": lambda pool, _: pool.sessions.give_cookies("a0", {"auth_token": "new"}),
    "accounts": lambda pool, _: pool.sessions.accounts(),
    "check": lambda pool, _: pool.sessions.check("a0"),
}


class Slow(Revised):
    async def save_cookies(self, account_id: str, cookies: Cookies) -> None:
        await asyncio.sleep(0.01)
        await super().save_cookies(account_id, cookies)
        await asyncio.sleep(0.01)

    async def set_standing(self, account_id: str, standing: Standing) -> None:
        await asyncio.sleep(0.01)
        await super().set_standing(account_id, standing)
        await asyncio.sleep(0.01)


async def _fresh(_: object) -> dict[str, str]:
    await asyncio.sleep(0.01)
    return {"auth_token": "fetched"}


@pytest.mark.parametrize("name", VICTIMS)
def test_i4_cancelled_at_any_step_the_account_gets_well_all_the_same(name: str) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, source = Clinic(loop), Slow("a0", "a1")
        source._accounts["a0"] = account("a0", standing=Standing(state=AccountState.STALE))
        pool = pool_of(x, source=source, config=settings(refresh_interval=5.0, ill_check_interval=5.0))
        pool.healing._hooks = PoolHooks()  # the hook is called by hand
        await pool.open()
        pool.healing._hooks = PoolHooks(on_stale=_fresh)
        watch = Watch(x, [pool])
        loop.watch = watch.look
        victim = loop.create_task(VICTIMS[name](pool, loop), name="victim")
        behind = loop.create_task(like(pool, "a1"))
        await asyncio.wait({victim, behind})
        if not victim.cancelled() and victim.exception() is not None:
            raise victim.exception() or AssertionError
        assert behind.exception() is None
        await asyncio.sleep(30)
        assert not pool.ill_accounts()
        await like(pool, "a0")
        assert not loop.time() < 30
        kept = await source.account("a0")
        known = pool.sessions.known("a0")
        assert known is not None
        assert known.standing.state is AccountState.ACTIVE
        loop.watch = None
        await pool.shutdown()
        await pool.sessions.aclose()
        assert (await source.account("a0")).standing.state is AccountState.ACTIVE, kept
        watch.after_shutdown()

    assert cancel_at_every_step(main) >= 2


@pytest.mark.parametrize("after", [0.0, 4.9, 5.0, 5.05, 5.2, 5.5])
def test_a_shutdown_ends_what_is_under_way(after: float) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, source = Clinic(loop, slowest=50.0), Slow("a0")
        source._accounts["a0"] = account("a0", standing=Standing(state=AccountState.STALE))
        hooks = PoolHooks(on_stale=lambda _: asyncio.sleep(1e6))
        config = settings(refresh_interval=5.0, ill_check_interval=5.0)
        pool = pool_of(x, source=source, config=config, hooks=hooks)
        await pool.open()
        await asyncio.sleep(after)
        began = loop.time()
        await pool.shutdown()
        assert loop.time() - began < 1
        assert all(link.closed for link in x.links)

    every_seed(main, range(10))


def heard(events: list[Event]) -> list[AccountStateChanged]:
    return [each for each in events if isinstance(each, AccountStateChanged)]


def test_a_change_of_state_is_told_with_its_evidence() -> None:
    async def main(loop: SimulatedLoop) -> None:
        x = Clinic(loop)
        async with pool_of(x, 2, settings()) as pool:
            with pool.events.subscribe(AccountStateChanged) as told:
                await falls_ill(pool, x, LOCKED, "a0")
                await falls_ill(pool, x, 226, "a1")
                ill, resting = heard(told.take())
            assert (ill.before, ill.state, ill.until) == ("active", "locked", None)
            assert (ill.status, ill.code, ill.endpoint) == (403, LOCKED, "FavoriteTweet")
            assert ill.evidence == "HTTP 403, code 326, FavoriteTweet"
            assert ill.evidence in pool.ill_accounts()["a0"]
            assert resting.until is not None

    simulate(main)


@pytest.mark.parametrize("shared", [True, False])
def test_pools_of_one_manager_keep_their_accounts_and_take_in_new_ones(shared: bool) -> None:
    async def main(loop: SimulatedLoop) -> None:
        source = MemoryAccounts([account("a0"), account("a1")])
        sessions = pool_of(Clinic(loop), source=source).sessions
        async with TwikitConnectionPoolManager(sessions, automation=None) as manager:
            one = await manager.create_pool(
                "one", settings(), accept=lambda each: each.id != "a1", shared=shared
            )
            two = await manager.create_pool("two", settings(), shared=shared)
            await asyncio.sleep(40)
            assert one.account_ids == {"a0"}
            assert two.account_ids == ({"a0", "a1"} if shared else {"a1"})
            source._accounts["a2"] = account("a2")
            await asyncio.sleep(40)
            assert ("a2" in one.account_ids) + ("a2" in two.account_ids) == 1 + shared

    every_seed(main, range(5))
