from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from math import inf
from time import perf_counter
from typing import Any

import pytest

from tests.simulation.simulated_x import SimulatedX
from tests.unit.pool.scene import scene, settle, take
from twikit_pool.events import ConnectionClosed
from twikit_pool.pool import ConnectionRequest, PooledTwikitConnection, TwikitConnectionPool
from twikit_pool.pool.health import (
    ACTIONS,
    ENOUGH,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    MOST_SLOW,
    RECENT,
    Health,
    Pace,
    Replacements,
    outdone,
)
from twikit_pool.sessions.outcomes import CallFailed, Outcome

BAD = (Outcome.TRANSIENT, Outcome.UNKNOWN)
GOOD = (Outcome.OK, Outcome.CALLER_FAULT)


def calls(health: Health, outcome: Outcome, times: int, *, action: str = "like", **span: float) -> Health:
    """So many calls, each of which took from `began` to `ended`."""
    for _ in range(times):
        health.called(action, outcome, span.get("began", 0.0), span.get("ended", 1.0))
    return health


# ---------------------------------------------------------------- the score


def test_it_begins_with_a_good_name() -> None:
    health = Health(Pace())
    assert (health.score, health.quality, health.success_rate, health.counted, health.errors) == (
        1,
        1,
        1,
        0,
        0,
    )
    assert (health.average, health.percentiles(50, 95)) == (None, (None, None))
    assert (health.served_well_at, health.failing_since) == (-inf, None)


@pytest.mark.parametrize("outcome", Outcome)
def test_only_what_a_connection_can_be_blamed_for_counts(outcome: Outcome) -> None:
    health = Health(Pace())
    calls(health, Outcome.TRANSIENT, 5)
    before = health.score
    calls(health, outcome, 1)
    if outcome in GOOD:
        assert health.score > before
    elif outcome in BAD:
        assert health.score < before
    else:
        assert health.score == before
    counts = outcome in (*GOOD, *BAD)
    assert health.counted == 5 + counts
    assert health.errors == 5 + (outcome in BAD)


def test_failures_bring_it_down_and_good_answers_up_again() -> None:
    health = Health(Pace())
    calls(health, Outcome.TRANSIENT, 20)
    assert health.score == pytest.approx(0.9**20)
    assert health.score < 0.2
    calls(health, Outcome.OK, 20)
    assert health.score > 0.85


def test_slow_means_slower_than_the_pool_for_the_same_action() -> None:
    pace = Pace()
    usual, slow, searching = (Health(pace) for _ in range(3))
    for _ in range(200):
        usual.called("like", Outcome.OK, 0.0, 0.1)
        usual.called("like", Outcome.OK, 0.0, 0.1)
        slow.called("like", Outcome.OK, 0.0, 0.4)
        searching.called("search", Outcome.OK, 0.0, 3.0)
    assert searching.score == pytest.approx(1)
    assert 0.35 < slow.score < 0.55
    assert slow.success_rate == 1
    assert usual.quality > usual.score == 1 > slow.score


def test_all_being_slow_makes_nobody_bad() -> None:
    pace = Pace()
    every = [Health(pace) for _ in range(5)]
    for seconds in (0.1, 0.5):
        for _ in range(60):
            for each in every:
                each.called("like", Outcome.OK, 0.0, seconds)
    assert all(each.score > 0.9 for each in every)


def test_how_long_a_failure_took_says_nothing_about_speed() -> None:
    pace = Pace()
    broken, usual = Health(pace), Health(pace)
    calls(usual, Outcome.OK, 30, ended=0.1)
    calls(broken, Outcome.TRANSIENT, 3, ended=30.0)
    calls(broken, Outcome.OK, 1, ended=0.1)
    assert broken.quality == pytest.approx(broken.success_rate)
    assert pace.compare("like", 0.1) == pytest.approx(1)


def test_one_call_that_hung_does_not_decide() -> None:
    health = Health(Pace())
    calls(health, Outcome.OK, 50, ended=0.1)
    calls(health, Outcome.OK, 1, ended=1e6)
    assert health.score == pytest.approx(1 / (0.9 + 0.1 * MOST_SLOW))
    assert health.average == pytest.approx((50 * 0.1 + 1e6) / 51)


def test_a_failed_check_halves_it_until_one_goes_well() -> None:
    health = Health(Pace())
    health.checked(well=False)
    health.checked(well=False)
    assert (health.score, health.failed_checks) == (0.25, 2)
    health.checked(well=True)
    assert (health.score, health.failed_checks) == (1, 0)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_it_stays_between_0_and_1(seed: int) -> None:
    rng, pace = random.Random(seed), Pace()
    every = [Health(pace) for _ in range(3)]
    for _ in range(500):
        health = rng.choice(every)
        health.called(
            rng.choice("ab"), rng.choice(list(Outcome)), 0.0, rng.choice((0.0, 1e-9, 0.1, 30.0, 1e9))
        )
        health.checked(well=rng.random() < 0.7)
        assert 0 <= health.score <= 1
        assert 0 <= health.quality < inf


def test_callers_that_name_their_calls_as_they_like_do_not_fill_the_memory() -> None:
    pace = Pace()
    for number in range(3 * ACTIONS):
        pace.compare(f"call {number}", 1.0)
        assert pace.compare("call 0", 1.0) == 1.0
    assert len(pace._usual) <= ACTIONS


def test_a_call_costs_no_more_than_a_few_microseconds() -> None:
    health = Health(Pace())
    best = inf
    for _ in range(20):
        began = perf_counter()
        calls(health, Outcome.OK, 1000)
        best = min(best, (perf_counter() - began) / 1000)
    assert best < 10e-6  # 1 us as measured; this leaves room for slow machines


# ---------------------------------------------------------------- who is worse than the others


def a_good_one(pace: Pace, at: float) -> Health:
    return calls(Health(pace), Outcome.OK, ENOUGH, began=at - 1, ended=at)


def a_bad_one(pace: Pace, since: float) -> Health:
    return calls(a_good_one(pace, since), Outcome.TRANSIENT, ENOUGH, ended=since + 1)


def test_who_fails_while_others_serve_is_outdone() -> None:
    pace = Pace()
    bad, good = a_bad_one(pace, 100), a_good_one(pace, 120)
    assert outdone(bad, [bad, good, a_good_one(pace, 121)], 130) == pytest.approx(1)
    assert outdone(good, [bad, good], 130) is None


def test_nobody_is_outdone_when_nobody_serves_well_since() -> None:
    pace = Pace()
    bad = a_bad_one(pace, 100)
    idle_since_before = a_good_one(pace, 100.5)
    assert outdone(bad, [bad], 130) is None
    assert outdone(bad, [bad, idle_since_before], 130) is None
    assert outdone(bad, [bad, a_good_one(pace, 102)], 103 + RECENT) is None, "it may be down for all since"


def test_while_nobody_serves_well_nobody_is_looked_at() -> None:
    """X is down: ten thousand connections that are ill do not each look at all the others."""
    pace = Pace()
    bad = a_bad_one(pace, 100)
    others = iter([bad] * 10)
    assert outdone(bad, others, 130) is None
    assert len(list(others)) == 10


def test_nobody_is_outdone_by_few_calls_or_because_of_few() -> None:
    pace = Pace()
    fresh = calls(Health(pace), Outcome.TRANSIENT, ENOUGH - 1)
    assert outdone(fresh, [fresh, a_good_one(pace, 120)], 130) is None
    untried = calls(Health(pace), Outcome.OK, ENOUGH - 1, ended=120)
    bad = a_bad_one(pace, 100)
    assert outdone(bad, [bad, untried], 130) is None


def test_nobody_is_outdone_by_others_that_are_hardly_better() -> None:
    pace = Pace()
    bad = a_bad_one(pace, 100)
    poor = [calls(a_bad_one(pace, 100), Outcome.OK, 2, began=119, ended=120) for _ in range(5)]
    assert all(each.score > bad.score for each in poor)
    assert outdone(bad, [bad, *poor, a_good_one(pace, 120)], 130) is None


def test_who_is_much_slower_is_outdone_though_it_never_fails() -> None:
    pace = Pace()
    slow, good = Health(pace), Health(pace)
    for number in range(200):
        good.called("like", Outcome.OK, number, number + 0.1)
        good.called("like", Outcome.OK, number, number + 0.1)
        if number % 10 == 0:
            slow.called("like", Outcome.OK, number, number + 1.0)
    assert slow.score < 0.3
    assert outdone(slow, [slow, good], 200) == 1


# ---------------------------------------------------------------- again and again


def test_replacing_again_waits_longer_each_time() -> None:
    replacements, now = Replacements(), 0.0
    pauses: list[float] = []
    for _ in range(12):
        assert replacements.may_go_on(now)
        replacements.note(now)
        pause = next(each for each in range(0, 100_000, 100) if replacements.may_go_on(now + each))
        pauses.append(pause)
        now += pause
    assert pauses[:4] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, 8 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE
    assert not replacements.may_go_on(now - 1)


def test_thousands_of_replacements_in_a_row_wait_no_longer_than_the_longest() -> None:
    replacements, now = Replacements(), 0.0
    for number in range(1100):
        replacements.note(now)
        now += min(FIRST_PAUSE * 2.0 ** min(number, 10), LONGEST_PAUSE)
        assert replacements.may_go_on(now)


def test_one_that_served_for_long_begins_anew() -> None:
    replacements = Replacements()
    for now in (0.0, FIRST_PAUSE):
        replacements.note(now)
    later = FIRST_PAUSE + 4 * FIRST_PAUSE
    replacements.note(later)
    assert replacements.may_go_on(later + FIRST_PAUSE)


# ---------------------------------------------------------------- in a pool

LOOKED_AT: dict[str, Any] = {"leak_warning": 0.5, "enable_circuits": False}
"""Every connection is looked at as often, and an account that fails is not left alone before."""


async def use(pool: TwikitConnectionPool, account_id: str, times: int) -> None:
    for _ in range(times):
        request = ConnectionRequest(account_id=account_id, timeout=10.0)
        async with pool.acquire(request) as lease:
            with suppress(CallFailed):
                await lease.execute("like_tweet", tweet_id="1")


def connection_of(pool: TwikitConnectionPool, account_id: str) -> PooledTwikitConnection:
    return next(each for each in pool.connections() if each.account_id == account_id)


@scene(3, **LOOKED_AT)
async def test_a_connection_that_serves_badly_is_replaced(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    x.codes["a0"] = [131] * 1000
    with pool.events.subscribe(ConnectionClosed) as heard:
        await asyncio.gather(use(pool, "a0", 30), use(pool, "a1", 60), use(pool, "a2", 60))
        await settle()
        (closed,) = heard.take()
    assert isinstance(closed, ConnectionClosed)
    assert closed.connection_id == "a0#1"
    assert closed.reason.startswith("its health is 0.")
    assert closed.reason.endswith("of others 1.00 (replace_below)")
    assert connection_of(pool, "a0").id == "a0#2"
    assert connection_of(pool, "a1").info.health == pytest.approx(1, abs=0.2)


@scene(3, **LOOKED_AT)
async def test_the_next_of_the_same_account_is_not_replaced_soon(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    x.codes["a0"] = [131] * 10_000
    with pool.events.subscribe(ConnectionClosed) as heard:
        began = x.loop.time()
        while x.loop.time() < began + FIRST_PAUSE:
            await asyncio.gather(use(pool, "a0", 10), use(pool, "a1", 10))
        assert len(heard.take()) == 1
        while x.loop.time() < began + FIRST_PAUSE + 60:
            await asyncio.gather(use(pool, "a0", 10), use(pool, "a1", 10))
        assert len(heard.take()) == 1
    assert connection_of(pool, "a0").id == "a0#3"


@scene(3, **LOOKED_AT)
async def test_x_being_down_for_all_replaces_nobody(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    await asyncio.gather(*(use(pool, each, 30) for each in ("a0", "a1", "a2")))
    for each in ("a0", "a1"):
        x.codes[each] = [131] * 1000
    with pool.events.subscribe(ConnectionClosed) as heard:
        await asyncio.gather(use(pool, "a0", 40), use(pool, "a1", 30))
        await asyncio.sleep(100)
        assert not heard.take()
    assert connection_of(pool, "a0").health.score < 0.1


@scene(2, **LOOKED_AT, replace_below=0.0)
async def test_replacing_can_be_switched_off(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    x.codes["a0"] = [131] * 1000
    await asyncio.gather(use(pool, "a0", 40), use(pool, "a1", 60))
    assert connection_of(pool, "a0").id == "a0#1"


@scene(2, **LOOKED_AT)
async def test_a_lease_is_left_alone_and_its_connection_replaced_after_it(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    x.codes["a0"] = [131] * 1000
    others = x.loop.create_task(use(pool, "a1", 100))
    lease = await take(pool, account_id="a0")
    for _ in range(40):
        with pytest.raises(CallFailed, match="transient"):
            await lease.execute("like_tweet", tweet_id="1")
    assert lease.held
    assert (lease.connection.spent or "").startswith("its health is")
    lease.release()
    assert connection_of(pool, "a0").id == "a0#2"
    await others


@scene(3, leak_warning=0.5)
async def test_a_connection_that_is_slow_is_replaced(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    perform = x.links[0].perform

    async def slowly(action: Any, files: Any) -> Any:
        await asyncio.sleep(5)
        return await perform(action, files)

    x.links[0].perform = slowly  # type: ignore[method-assign]
    assert x.links[0]._account_id == "a0"
    with pool.events.subscribe(ConnectionClosed) as heard:
        await asyncio.gather(use(pool, "a0", 25), use(pool, "a1", 400), use(pool, "a2", 400))
        (closed,) = heard.take()
    assert isinstance(closed, ConnectionClosed)
    assert closed.connection_id == "a0#1"
    assert connection_of(pool, "a0").id == "a0#2"
