from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.simulation.simulated_x import SimulatedX
from tests.unit.pool.scene import ask, ended, gone, settle, take
from tests.unit.pool.scene import scene as calm_scene
from twikit_pool.errors import AcquireTimeoutError, LibraryOutOfDate
from twikit_pool.events import (
    CallFinished,
    CircuitClosed,
    CircuitEvent,
    CircuitHalfOpened,
    CircuitOpened,
    ManyTurnedStale,
)
from twikit_pool.pool import ConnectionRequest, Lease, TwikitConnectionPool
from twikit_pool.pool.circuits import PATIENCE
from twikit_pool.pool.evidence import BURST, Evidence, Fault, Kind
from twikit_pool.sessions.outcomes import CallFailed, Outcome, Taken, Verdict

BROKEN = Verdict(outcome=Outcome.TRANSIENT, reason="X answered 503", status=503)
LOST = Verdict(outcome=Outcome.TRANSIENT, reason="no connection to X (ProxyError)", connected=False)
UNKNOWN = Verdict(outcome=Outcome.LIBRARY_STALE, status=404, endpoint="Likes", taken=Taken.NO)


# ---------------------------------------------------------------- whose fault it is


class Case:
    """Evidence in a time of its own: each call takes a second."""

    def __init__(self, accounts: int = 10) -> None:
        self.now = 0.0
        self.accounts = accounts
        self.evidence = Evidence(lambda: self.now, lambda most: min(most, self.accounts))

    def fail(self, *calls: str, verdict: Verdict = BROKEN, began: float | None = None) -> Fault | None:
        """Calls such as `a1 Likes` fail one after the other; what the last one tells."""
        fault = None
        for call in calls:
            assert fault is None, f"told before {call}"
            account_id, endpoint = call.split()
            start, self.now = self.now, self.now + 1
            fault = self.evidence.failed(account_id, endpoint, verdict, start if began is None else began)
        return fault

    def work(self, call: str, *, works: bool = True) -> None:
        account_id, endpoint = call.split()
        self.now += 1
        self.evidence.answered(account_id, endpoint, works=works)


def told(fault: Fault | None) -> tuple[str, str] | None:
    return None if fault is None else (fault.kind.value, fault.name)


def test_failures_of_three_accounts_on_two_endpoints_are_x() -> None:
    assert told(Case().fail("a1 Likes", "a2 Likes", "a3 Follow")) == ("x", "X")
    assert told(Case().fail("a1 Likes", "a1 Follow", "a1 Likes", "a2 Follow")) is None


def test_three_accounts_without_a_connection_are_x_whatever_they_called() -> None:
    fault = Case().fail("a1 Likes", "a2 Likes", "a3 Likes", verdict=LOST)
    assert fault is not None
    assert told(fault) == ("x", "X")
    assert (fault.row.failures, fault.row.reason) == (3, LOST.reason)
    assert told(Case().fail(*["a1 Likes"] * 9, verdict=LOST)) is None


@pytest.mark.parametrize("works", [True, False])
def test_any_answer_says_that_x_is_up(works: bool) -> None:
    case = Case()
    case.fail("a1 Likes", "a2 Likes")
    case.work("a4 Follow", works=works)
    assert told(case.fail("a3 Follow", "a1 Likes")) is None


def test_five_failures_of_three_accounts_on_one_endpoint_are_that_endpoint() -> None:
    calls = ["a1 Likes", "a2 Likes", "a3 Likes", "a1 Likes", "a2 Likes"]
    assert told(Case().fail(*calls[:4])) is None
    assert told(Case().fail(*calls)) == ("endpoint", "Likes")
    assert told(Case().fail(*["a1 Likes", "a2 Likes"] * 4)) is None


def test_only_a_good_answer_of_an_endpoint_says_that_it_works() -> None:
    case = Case()
    case.fail("a1 Likes", "a2 Likes", "a3 Likes", "a1 Likes")
    case.work("a4 Follow")
    case.work("a4 Likes", works=False)
    assert told(case.fail("a2 Likes")) == ("endpoint", "Likes")
    case.fail("a1 Likes", "a2 Likes", "a3 Likes", "a1 Likes")
    case.work("a4 Likes")
    assert told(case.fail("a2 Likes")) is None


def test_what_was_under_way_at_the_last_good_answer_says_nothing() -> None:
    case = Case()
    case.work("a4 Likes")
    calls = ["a1 Likes", "a2 Likes", "a3 Likes", "a1 Follow", "a2 Likes", "a3 Likes"]
    assert told(case.fail(*calls, began=0.5)) is None
    assert told(case.fail(*calls[:4])) == ("x", "X")


@pytest.mark.parametrize(("accounts", "needed"), [(1, 5), (2, 5)])
def test_a_fleet_of_fewer_accounts_needs_all_of_them(accounts: int, needed: int) -> None:
    calls = [f"a{number % accounts} Likes" for number in range(needed)]
    assert told(Case(accounts).fail(*calls[:-1])) is None
    assert told(Case(accounts).fail(*calls)) == ("endpoint", "Likes")
    assert told(Case(1).fail("a0 Likes", "a0 Follow", "a0 Likes")) == ("x", "X")
    assert told(Case(2).fail(*["a0 Likes"] * 9)) is None


@pytest.mark.parametrize("verdict", [BROKEN, LOST])
def test_an_account_that_fails_where_another_does_well_is_ill(verdict: Verdict) -> None:
    case = Case()
    assert told(case.fail("a1 Likes", "a1 Likes", verdict=verdict)) is None
    case.work("a2 Likes")
    assert told(case.fail("a1 Likes", verdict=verdict)) == ("account", "a1")
    assert (
        told(case.fail("a1 Likes", "a1 Likes", "a1 Likes", verdict=verdict)) is None
    )  # nobody did well since


def test_an_account_is_not_ill_because_its_endpoint_is_broken_for_all() -> None:
    case = Case()
    for _ in range(20):
        case.work("a2 Follow")
        assert told(case.fail("a1 Likes")) is None


def test_no_connection_is_no_matter_of_the_endpoint() -> None:
    case = Case()
    case.fail("a1 Likes", "a1 Likes", verdict=LOST)
    case.work("a2 Follow")
    assert told(case.fail("a1 Likes", verdict=LOST)) == ("account", "a1")


def test_calls_that_failed_side_by_side_count_as_one() -> None:
    case = Case()
    case.fail("a1 Likes")
    case.work("a2 Likes")
    assert told(case.fail(*["a1 Likes"] * 9, began=0.0)) is None
    assert told(case.fail("a1 Likes", "a1 Likes")) == ("account", "a1")


def test_while_all_fail_now_and_then_a_row_must_be_longer() -> None:
    case = Case()
    for _ in range(50):
        case.fail("a2 Likes")
        case.work("a2 Likes")
    rows = 0
    while told(case.fail("a1 Likes")) is None:
        case.work("a2 Likes")
        rows += 1
    assert 3 < rows < 40


def test_x_and_an_endpoint_take_the_blame_for_all_that_failed_with_them() -> None:
    case = Case()
    case.fail("a1 Likes", "a1 Likes")
    assert told(case.fail("a2 Likes", "a3 Follow")) == ("x", "X")
    case.work("a2 Likes")
    assert told(case.fail("a1 Likes")) is None
    case.fail("a2 Likes", "a1 Likes", "a3 Likes")
    assert told(case.fail("a2 Likes")) == ("endpoint", "Likes")
    case.work("a2 Likes")
    assert told(case.fail("a1 Likes")) is None


def test_two_accounts_that_x_refuses_to_know_an_operation_to_are_the_library() -> None:
    case = Case()
    assert case.evidence.refused("a1", "Likes", UNKNOWN, 1) is None
    assert case.evidence.refused("a1", "Likes", UNKNOWN, 1) is None
    assert told(case.evidence.refused("a2", "Likes", UNKNOWN, 2)) == ("library", "Likes")
    case.accounts = 1
    assert case.evidence.refused("a1", "Likes", UNKNOWN, 1) is None
    case.work("a1 Likes")
    assert case.evidence.refused("a1", "Likes", UNKNOWN, 1) is None
    assert told(case.evidence.refused("a1", "Likes", UNKNOWN, 1)) == ("library", "Likes")


def test_many_that_turn_stale_at_once_are_one_incident() -> None:
    case = Case()
    assert case.evidence.turned_stale("a1") == ()
    case.now += BURST + 1
    assert case.evidence.turned_stale("a2") == ()
    assert case.evidence.turned_stale("a3") == ()
    assert case.evidence.turned_stale("a4") == ("a2", "a3", "a4")
    assert case.evidence.turned_stale("a5") == ()
    case.work("a6 Likes")
    assert [case.evidence.turned_stale(f"a{number}") for number in (7, 8, 9)][-1] == ("a7", "a8", "a9")


# ---------------------------------------------------------------- in a pool


def scene(accounts: int, **settings: Any) -> Callable[[Any], Callable[[], None]]:
    return calm_scene(accounts, enable_circuits=True, **settings)


async def call(lease: Lease, endpoint: str = "Likes", timeout: float | None = None) -> None:
    await lease.call("mine", lambda client: client.request(endpoint, "7"), endpoint=endpoint, timeout=timeout)


async def fail(pool: TwikitConnectionPool, *calls: str) -> None:
    """Calls such as `a1 Likes` fail one after the other."""
    for each in calls:
        account_id, endpoint = each.split()
        async with pool.acquire(ConnectionRequest(account_id=account_id)) as lease:
            with pytest.raises(CallFailed):
                await call(lease, endpoint)


async def bring_x_down(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    x.broken = lambda *_: 503
    await fail(pool, "a0 Likes", "a1 Likes", "a2 Follow")


@scene(3)
async def test_who_waits_for_x_is_told_why_and_served_when_a_try_succeeds(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    with pool.events.subscribe(CircuitEvent) as heard:
        await bring_x_down(pool, x)
        with pytest.raises(
            AcquireTimeoutError,
            match=r"X is down: 3 failures in a row on 3 accounts in the last \d s, X answered 503; the next",
        ):
            await take(pool, timeout=0)
        assert "X is down" in str(pool.explain(ConnectionRequest()))
        (info,) = pool.circuits()
        assert (info.kind, info.name, info.state, info.failures) == ("x", "X", "open", 3)
        assert 0.7 < info.retry_in <= 1.0
        assert info.since == pool.clock.now()
        waiting = [ask(pool, action="like_tweet"), ask(pool)]
        x.broken = None
        await asyncio.sleep(1.1)
        tried = await gone(waiting[0])
        assert not waiting[1].done()
        (info,) = pool.circuits()
        assert (info.state, info.retry_in) == ("on trial", 0.0)
        await tried.execute("like_tweet", tweet_id="1")
        await gone(waiting[1])
        assert pool.circuits() == ()
        events = heard.take()
    assert [type(each) for each in events] == [CircuitOpened, CircuitHalfOpened, CircuitClosed]
    assert all((each.kind, each.name) == ("x", "X") for each in events if isinstance(each, CircuitEvent))


@scene(3)
async def test_a_call_on_a_held_lease_is_not_sent_while_x_is_down(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    held = await take(pool, account_id="a0")
    x.broken = lambda *_: httpx.ConnectError("no route")
    await fail(pool, "a1 Likes", "a2 Likes")
    with pytest.raises(CallFailed):
        await call(held)
    sent = len(x.sent)
    with pool.events.subscribe(CallFinished) as heard:
        with pytest.raises(
            CallFailed, match=r"X is down.*the next try is in 1 s; nothing was sent"
        ) as failed:
            await call(held)
        assert heard.take() == []
    verdict = failed.value.verdict
    assert (verdict.outcome, verdict.taken, verdict.held_back) == (Outcome.TRANSIENT, Taken.NO, True)
    assert len(x.sent) == sent
    x.broken = None
    await asyncio.sleep(1.1)
    await call(held)  # it is the one that tries
    assert pool.circuits() == ()


@scene(3)
async def test_each_try_that_fails_doubles_the_pause(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    with pool.events.subscribe(CircuitOpened) as heard:
        await bring_x_down(pool, x)
        for pause in (1, 2, 4, 8, 16, 30, 30):
            (opened,) = heard.take()
            assert isinstance(opened, CircuitOpened)
            assert 0.8 * pause <= opened.seconds <= pause
            await asyncio.sleep(opened.seconds + 0.05)
            await fail(pool, "a0 Likes")


@scene(3)
async def test_the_tries_go_from_account_to_account(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    await bring_x_down(pool, x)
    tried: set[str] = set()
    for pause in (1, 2, 4):
        waiting = ask(pool)
        await asyncio.sleep(pause + 0.1)
        lease = await gone(waiting)
        tried.add(lease.account_id)
        with pytest.raises(CallFailed):
            await call(lease)
        lease.release()
    assert tried == {"a0", "a1", "a2"}


@scene(3)
async def test_a_lease_on_trial_that_makes_no_call_leaves_the_try_to_the_next(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    await bring_x_down(pool, x)
    x.broken = None
    await asyncio.sleep(1.1)
    idle = await take(pool)
    waiting = ask(pool)
    await asyncio.sleep(PATIENCE / 2)
    assert not waiting.done()
    await asyncio.sleep(PATIENCE / 2 + 0.1)
    tried = await gone(waiting)
    with pytest.raises(CallFailed, match="a call is trying it now"):
        await call(idle)
    tried.release()
    await call(idle)
    assert pool.circuits() == ()


@scene(3)
async def test_a_lease_on_trial_that_is_released_leaves_the_try_to_the_next(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    await bring_x_down(pool, x)
    await asyncio.sleep(1.1)
    idle = await take(pool)
    waiting = ask(pool)
    await settle()
    assert not waiting.done()
    idle.release()
    await gone(waiting)


@scene(3)
async def test_a_call_that_its_caller_cuts_short_says_nothing(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    async def hang(_: object) -> None:
        await asyncio.sleep(1e6)

    for seconds, down in ((9.0, 0), (10.0, 1), (None, 1)):
        for account_id, endpoint in (("a0", "Likes"), ("a1", "Likes"), ("a2", "Follow")):
            async with pool.acquire(ConnectionRequest(account_id=account_id)) as lease:
                with pytest.raises(CallFailed, match="no complete answer"):
                    await lease.call("mine", hang, endpoint=endpoint, timeout=seconds)
        assert len(pool.circuits()) == down
        await asyncio.sleep(2)
        async with pool.acquire(ConnectionRequest()) as lease:
            await call(lease)


@scene(3)
async def test_an_endpoint_that_is_broken_stops_only_those_who_need_it(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    x.broken = lambda _, endpoint: 503 if endpoint == "FavoriteTweet" else None
    await fail(pool, *["a0 FavoriteTweet", "a1 FavoriteTweet", "a2 FavoriteTweet"] * 2)
    (info,) = pool.circuits()
    assert (info.kind, info.name) == ("endpoint", "FavoriteTweet")
    assert info.reason.startswith("FavoriteTweet is broken for every account: 5 failures in a row")
    waiting = ask(pool, action="like_tweet")
    async with pool.acquire(ConnectionRequest(action="get_user_by_id")) as lease:
        await call(lease, "UserByRestId")
        with pytest.raises(CallFailed, match="FavoriteTweet is broken for every account"):
            await call(lease, "FavoriteTweet")
    assert not waiting.done()
    assert not pool.ill_accounts()
    await asyncio.sleep(1.1)
    (await gone(waiting)).release()


@scene(2)
async def test_an_account_that_fails_alone_is_barred_until_a_try_succeeds(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    x.broken = lambda account_id, _: httpx.ProxyError("gone") if account_id == "a0" else None
    await fail(pool, "a0 Likes", "a0 Likes")
    async with pool.acquire(ConnectionRequest(account_id="a1")) as lease:
        await call(lease)
    await fail(pool, "a0 Likes")
    (why,) = pool.ill_accounts().values()
    assert why.startswith("failing: calls of a0 fail while others' succeed: 3 failures in a row on 1 account")
    assert why.endswith("no connection to X (ProxyError)")
    assert not any(each.account_id == "a0" for each in pool.connections())
    assert pool.status().accounts_by_state == {"failing": 1, "active": 1}
    waiting = ask(pool, account_id="a0")
    await asyncio.sleep(20)
    assert not waiting.done()
    x.broken = None
    await asyncio.sleep(11)
    await call(await gone(waiting))
    assert pool.ill_accounts() == {}


@scene(2, max_connections_per_account=3)
async def test_of_several_connections_of_an_account_one_tries_at_a_time(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    x.broken = lambda account_id, _: 503 if account_id == "a0" else None
    await fail(pool, "a0 Likes", "a0 Likes")
    async with pool.acquire(ConnectionRequest(account_id="a1")) as lease:
        await call(lease)
    await fail(pool, "a0 Likes")
    waiting = [ask(pool, account_id="a0") for _ in range(4)]
    await asyncio.sleep(31)
    assert pool.status().by_account["a0"] == 3
    for tried in waiting[:3]:
        lease = await gone(tried)
        assert sum(each.done() for each in waiting) == waiting.index(tried) + 1
        lease.release()
    x.broken = None
    await call(await gone(waiting[3]))
    assert pool.circuits() == ()


@scene(2)
async def test_an_account_that_is_let_go_takes_its_circuit_along(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    x.broken = lambda account_id, _: 503 if account_id == "a0" else None
    await fail(pool, "a0 Likes", "a0 Likes")
    async with pool.acquire(ConnectionRequest(account_id="a1")) as lease:
        await call(lease)
    await fail(pool, "a0 Likes")
    source: Any = pool.sessions.source
    account = source._accounts.pop("a0")
    await pool.refresh()
    assert pool.circuits() == ()
    source._accounts["a0"] = account
    await pool.refresh()
    (await take(pool, account_id="a0")).release()


@scene(2)
async def test_what_x_does_not_know_is_refused_at_once_to_who_comes_and_who_waits(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    x.broken = lambda _, endpoint: 404 if endpoint == "FavoriteTweet" else None
    held = await take(pool, account_id="a0")
    other = await take(pool, account_id="a1")
    waiting = ask(pool, action="like_tweet")
    with pytest.raises(CallFailed, match="does not know"):
        await call(held, "FavoriteTweet")
    await settle()
    assert not waiting.done()
    with pytest.raises(CallFailed, match="does not know"):
        await call(other, "FavoriteTweet")
    words = (
        r"X does not know FavoriteTweet as this library sends it \(HTTP 404, FavoriteTweet, on 2 accounts\): "
        "update twifork; the next try is in "
    )
    assert isinstance(await ended(waiting), LibraryOutOfDate)
    with pytest.raises(LibraryOutOfDate, match=words):
        await take(pool, action="like_tweet")
    with pytest.raises(LibraryOutOfDate, match=words):
        await call(held, "FavoriteTweet")
    await call(held, "Likes")
    (info,) = pool.circuits()
    assert (info.kind, info.name) == ("library", "FavoriteTweet")
    await asyncio.sleep(601)
    with pytest.raises(CallFailed, match="does not know"):
        await call(held, "FavoriteTweet")
    (again,) = pool.circuits()
    assert (again.kind, again.since, again.failures) == ("library", info.since, 3)
    await asyncio.sleep(601)
    x.broken = None
    await call(held, "FavoriteTweet")
    assert pool.circuits() == ()
    assert not pool.sessions.out_of_date()


@scene(2)
async def test_one_answer_that_twikit_cannot_read_is_no_outdated_library(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    unreadable = replace(UNKNOWN, status=200, taken=Taken.YES)
    for account_id in ("a0", "a1"):
        await pool.calls.settle(account_id, unreadable, "Likes")
    assert pool.circuits() == ()


@scene(3)
async def test_without_circuits_everything_is_sent(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    await bring_x_down(pool, x)
    waiting = ask(pool)
    await settle()
    assert not waiting.done()
    pool.reconfigure(enable_circuits=False)
    (await gone(waiting)).release()
    assert pool.circuits() == ()
    await fail(pool, "a0 Likes", "a1 Likes", "a2 Follow", "a0 Likes")
    assert pool.circuits() == ()


@scene(3, enable_health_checks=True, health_check_interval=20.0)
async def test_health_checks_are_evidence_and_the_first_to_try(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    x.broken = lambda *_: httpx.ConnectError("no route")
    await asyncio.sleep(60)
    (info,) = pool.circuits()
    assert info.kind == "x"
    assert len(x.sent) <= 6
    assert pool.size == 3
    x.broken = None
    await asyncio.sleep(60)
    assert pool.circuits() == ()


@scene(4)
async def test_many_accounts_that_turn_stale_at_once_are_told(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    x.codes = {f"a{number}": [32] for number in range(3)}
    with pool.events.subscribe(ManyTurnedStale) as heard:
        await fail(pool, "a0 Likes", "a1 Likes")
        assert heard.take() == []
        await fail(pool, "a2 Likes")
        (event,) = heard.take()
    assert isinstance(event, ManyTurnedStale)
    assert event.account_ids == ("a0", "a1", "a2")
    assert pool.circuits() == ()


def test_the_kinds_are_told_by_their_names() -> None:
    assert [each.value for each in Kind] == ["x", "endpoint", "account", "library"]
