from __future__ import annotations

import asyncio

import pytest

from tests.simulation.simulated_x import SimulatedX, account
from tests.unit.pool.scene import ask, hooked, scene, settle, take
from twikit_pool.pool import (
    ConnectionPriority,
    ConnectionRequest,
    Explanation,
    PooledTwikitConnection,
    TwikitConnectionPool,
)
from twikit_pool.pool.explanation import COUNTED, SHOWN

LOW, NORMAL, HIGH, CRITICAL, EMERGENCY = ConnectionPriority
CAPABLE = frozenset({"long_posts"})


def why(pool: TwikitConnectionPool, priority: ConnectionPriority = NORMAL, **wish: object) -> Explanation:
    return pool.explain(ConnectionRequest(priority=priority, **wish))  # type: ignore[arg-type]


@scene(4, opened=False, min_connections=0, initial_connections=0, max_connections=4)
async def test_it_says_what_the_accounts_are_doing(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    async def slow(connection: PooledTwikitConnection) -> None:
        if connection.account_id == "a3":
            await asyncio.sleep(100)

    async with hooked(pool, after_open=slow) as pool:
        await take(pool, account_id="a0")
        (await take(pool, account_id="a1")).release()
        ask(pool, account_id="a3", timeout=2)
        await settle()
        told = why(pool)
        assert dict(told.doing) == {"leased": 1, "idle": 1, "not open": 1, "opening": 1}
        assert (told.accounts, told.in_all, told.opens_in, told.ahead, told.wanted) == (
            4,
            4,
            None,
            None,
            "nothing special",
        )
        pool.quarantine("a1", "a rest", 100)
        pool.reserve("a2", "spring")
        await settle()
        told = why(pool)
        assert dict(told.doing) == {"leased": 1, "quarantined (a rest)": 1, "reserved": 1, "opening": 1}
        assert str(told).startswith("of 4 accounts 1 leased, 1 quarantined (a rest), 1 reserved, 1 opening")


@scene(3)
async def test_it_says_when_the_first_window_opens(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    for account_id, seconds in (("a0", 50.0), ("a1", 20.0)):
        pool.sessions.windows(account_id).rest("Likes", seconds)
    await take(pool, account_id="a2")
    told = why(pool, endpoint="Likes")
    assert dict(told.doing) == {"out of Likes calls": 2, "leased": 1}
    assert told.opens_in == pytest.approx(20)
    assert str(told) == "of 3 accounts 2 out of Likes calls, 1 leased; the next window opens in 20 s"
    assert why(pool, endpoint="Search").opens_in is None
    pool.sessions.windows("a0").rest("Posts", 80_000.0)
    assert str(why(pool, account_id="a0", endpoint="Posts")).endswith("the next window opens in 22 h 13 min")
    assert dict(why(pool).doing) == {"idle": 2, "leased": 1}
    pool.quarantine("a0", "a rest", 100)
    assert dict(why(pool, endpoint="Likes").doing) == {
        "quarantined (a rest)": 1,
        "out of Likes calls": 1,
        "leased": 1,
    }
    assert why(pool, endpoint="Likes", account_id="a0").opens_in == pytest.approx(50)


@scene(2)
async def test_it_speaks_of_the_named_account_alone(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    await take(pool, account_id="a0")
    assert str(why(pool, account_id="a0")) == "of 1 accounts 1 leased"
    assert str(why(pool, account_id="a1")) == "of 1 accounts 1 idle"
    assert (
        str(why(pool, account_id="nobody")) == "none of 0 accounts fits (it must be able to: nothing special)"
    )


@scene([account("a0", capabilities=CAPABLE), account("a1")])
async def test_it_counts_only_accounts_that_are_able(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    assert why(pool, capabilities=CAPABLE).accounts == 1
    told = why(pool, capabilities=frozenset({"b", "a"}))
    assert (told.accounts, told.in_all) == (0, 2)
    assert str(told) == "none of 2 accounts fits (it must be able to: a, b)"


@scene(1)
async def test_it_says_who_comes_first(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    await take(pool)
    assert why(pool).ahead in (None, 0)
    for priority in (LOW, NORMAL, EMERGENCY):
        ask(pool, priority=priority)
    ask(pool, account_id="a0")
    await settle()
    assert [why(pool, priority).ahead for priority in (LOW, NORMAL, HIGH, EMERGENCY)] == [3, 2, 1, 1]
    assert why(pool, NORMAL, account_id="a0").ahead == 1
    assert str(why(pool)) == "of 1 accounts 1 leased; 2 wait before it"
    for _ in range(COUNTED):
        ask(pool, priority=EMERGENCY)
    await settle()
    assert str(why(pool)) == "of 1 accounts 1 leased; 100 or more wait before it"


@scene(1)
async def test_it_says_who_comes_first_in_an_owners_name(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    await take(pool)
    ask(pool, reserved_for="spring")
    await settle()
    assert why(pool, reserved_for="spring").ahead == 1


@scene(1)
async def test_a_timeout_says_where_one_stood(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    await take(pool)
    ask(pool, priority=HIGH)
    late = ask(pool, timeout=2)
    ask(pool, priority=LOW)
    await asyncio.sleep(3)
    assert str(late.exception()) == "no connection within 2 s: of 1 accounts 1 leased; 1 wait before it"
    cut = ask(pool, timeout=0.99999)  # what is left of a call's deadline, say
    await asyncio.sleep(3)
    assert str(cut.exception()).startswith("no connection within 1 s: ")


@scene(1, max_connections=2, max_connections_per_account=2)
async def test_an_account_with_several_connections_is_as_busy_as_the_busiest(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    pool.reserve("a0", "spring")
    assert dict(why(pool).doing) == {"idle": 1}
    await take(pool)
    assert dict(why(pool).doing) == {"leased": 1}


def test_it_names_what_most_accounts_do_and_counts_the_rest() -> None:
    doing = {f"state {n}": 100 - n for n in range(SHOWN + 2)}
    told = Explanation(
        accounts=sum(doing.values()),
        in_all=1000,
        doing=doing,
        opens_in=None,
        ahead=None,
        wanted="nothing special",
    )
    assert f"{101 - SHOWN} state {SHOWN - 1} and {100 - SHOWN + 99 - SHOWN} others" in str(told)
    assert f"state {SHOWN}," not in str(told)
