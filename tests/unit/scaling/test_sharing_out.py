"""What holds of every sharing out, whatever pools ask for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from math import exp, inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import ConfigError
from twikit_pool.events import EventBus
from twikit_pool.pool import ConnectionPriority, TwikitConnectionPool
from twikit_pool.pool.control import Mode
from twikit_pool.scaling import Ceiling, Load, PoolNeed, SharedCeiling, connections_for
from twikit_pool.scaling.sharing_out import Claim, share_out

SERVICE = 0.4
TARGET = 0.1

weird = st.one_of(st.none(), st.floats(), st.floats(0, 500), st.sampled_from([nan, inf, 0.0, 5e-324, 1e9]))
rates = st.one_of(st.none(), st.just(0.0), st.floats(0.01, 300), st.sampled_from([5e-324, 1e9]))
counts = st.integers(0, 60)


def claim(name: str, wanted: int, **fields: Any) -> Claim:
    """A pool that needs so many; by its load, half of them are in use."""
    usual: dict[str, Any] = {
        "priority": 2,
        "guaranteed": 0,
        "least": 0,
        "most": 100,
        "size": 0,
        "arrivals": None,
        "service": SERVICE,
        "target": TARGET,
    }
    return Claim(name=name, wanted=wanted, **usual | fields)


def loaded(name: str, erlangs: float, **fields: Any) -> Claim:
    """A pool with this load, which wants what Erlang-C says."""
    service = fields.get("service", SERVICE)
    return claim(name, connections_for(erlangs, service, TARGET), arrivals=erlangs / service, **fields)


@st.composite
def claims(draw: st.DrawFn, *, sizes: st.SearchStrategy[int] = counts) -> list[Claim]:
    return [
        claim(
            f"p{number}",
            draw(st.integers(-5, 120)),
            priority=draw(st.integers(1, 3)),
            guaranteed=draw(st.integers(0, 10)),
            least=draw(st.integers(0, 10)),
            most=draw(st.integers(1, 100)),
            size=draw(sizes),
            arrivals=draw(rates),
            service=draw(st.one_of(st.none(), st.floats(0.001, 10), st.sampled_from([5e-324, 1e9]))),
            target=draw(st.floats(0.001, 100)),
            aside=draw(st.integers(0, 5)),
        )
        for number in range(draw(st.integers(1, 6)))
    ]


rooms = st.integers(0, 250)


def sized(claims: Sequence[Claim], sizes: Mapping[str, int]) -> list[Claim]:
    return [replace(each, size=sizes[each.name]) for each in claims]


def settled(room: int, claims: Sequence[Claim]) -> dict[str, int]:
    """What each has in the end, when leases end and everyone grows to what he wants and may have."""
    shares = share_out(room, claims)
    for _ in range(3):
        sizes = {each.name: min(shares[each.name], max(each.size, each.wanted)) for each in claims}
        claims = sized(claims, sizes)
        shares = share_out(room, claims)
    return shares


def need(each: Claim) -> int:
    return min(max(each.wanted, each.guaranteed, each.least), each.most)


# ---------------------------------------------------------------- whatever is asked for


@given(rooms, claims())
def test_together_they_never_have_more_than_there_is(room: int, claims: list[Claim]) -> None:
    shares = share_out(room, claims)
    assert shares.keys() == {each.name for each in claims}
    assert sum(shares.values()) <= room
    for each in claims:
        assert 0 <= shares[each.name] <= max(each.most, each.size)
    if sum(each.size for each in claims) <= room:
        assert sum(max(each.size, shares[each.name]) for each in claims) <= room, "nor will they"


@given(rooms, claims(), st.randoms(use_true_random=False))
def test_the_order_in_which_they_are_named_does_not_matter(room: int, claims: list[Claim], rng: Any) -> None:
    shares = share_out(room, claims)
    rng.shuffle(claims)
    assert share_out(room, claims) == shares


@given(rooms, claims())
def test_what_is_guaranteed_may_be_had_at_once(room: int, claims: list[Claim]) -> None:
    room += sum(max(each.guaranteed, each.size) for each in claims)  # as it is once it has been kept to
    shares = share_out(room, claims)
    for each in claims:
        assert shares[each.name] >= min(each.guaranteed, each.most)


@given(rooms, claims())
def test_the_higher_priority_has_its_whole_need_before_a_lower_one_has_more_than_its_guarantee(
    room: int, claims: list[Claim]
) -> None:
    shares = settled(room, claims)
    for one in claims:
        for other in claims:
            if one.priority > other.priority and shares[other.name] > max(other.guaranteed, other.least):
                assert shares[one.name] >= need(one)


@given(rooms, claims())
def test_nothing_is_left_over_that_somebody_needs(room: int, claims: list[Claim]) -> None:
    shares = settled(room, claims)
    if any(shares[each.name] < need(each) for each in claims):
        assert sum(shares.values()) == room
        for each in claims:
            assert shares[each.name] <= need(each), "it has what it does not need"
    if any(shares[each.name] < each.most for each in claims):
        assert sum(shares.values()) == room, "what nobody needs is there for a sudden step"


@given(rooms, claims(), st.integers(1, 40), st.data())
def test_who_needs_more_never_gets_less_for_it(
    room: int, claims: list[Claim], more: int, data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, len(claims) - 1))
    who = claims[number]
    before = share_out(room, claims)[who.name]
    claims[number] = replace(who, wanted=who.wanted + more)
    assert share_out(room, claims)[who.name] >= before


@given(rooms, claims())
def test_constant_needs_settle_and_stay(room: int, claims: list[Claim]) -> None:
    seen: list[dict[str, int]] = []
    for _ in range(8):
        shares = share_out(room, claims)
        seen.append(shares)
        sizes = {
            each.name: max(min(each.size, shares[each.name]), min(each.wanted, shares[each.name]))
            for each in claims
        }
        claims = sized(claims, sizes)
    assert all(one == other for one, other in pairwise(seen[3:])), seen


@given(rooms, claims(sizes=st.just(0)))
def test_leases_that_end_late_change_nothing_in_the_end(room: int, claims: list[Claim]) -> None:
    """One that holds on to what it has keeps the others waiting, and they have it afterwards."""
    holder = replace(claims[0], size=room)
    waiting = share_out(room, [holder, *claims[1:]])
    assert sum(waiting[each.name] for each in claims[1:]) == 0 or waiting[holder.name] >= room
    free = replace(holder, size=waiting[holder.name])
    later = share_out(room, [free, *claims[1:]])
    assert later[holder.name] == waiting[holder.name]
    assert sum(later.values()) == min(room, sum(max(each.most, each.size) for each in [free, *claims[1:]]))


@given(st.integers(0, 300), claims())
def test_a_pool_alone_has_everything(room: int, claims: list[Claim]) -> None:
    alone = claims[0]
    assert share_out(room, [alone]) == {alone.name: min(room, alone.most)}


# ---------------------------------------------------------------- who has what


def late(erlangs: float, connections: int) -> float:
    """Erlang-C by its recursion: the share of the callers that wait too long."""
    blocked = 1.0
    for each in range(1, connections + 1):
        blocked = erlangs * blocked / (each + erlangs * blocked)
    if connections <= erlangs:
        return 1.0
    waits = blocked / (1 - erlangs / connections * (1 - blocked))
    return waits * exp(-(connections - erlangs) * TARGET / SERVICE)


@pytest.mark.parametrize("erlangs", [(5.0, 20.0), (3.0, 3.0), (10.0, 11.0, 30.0), (1.0, 80.0)])
@pytest.mark.parametrize("short", [1, 3, 6])
def test_each_next_one_goes_where_it_spares_most_callers(erlangs: tuple[float, ...], short: int) -> None:
    pools = {f"p{number}": each for number, each in enumerate(erlangs)}
    asked = [loaded(name, each) for name, each in pools.items()]
    wanted = {each.name: each.wanted for each in asked}
    room = max(
        sum(each.wanted for each in asked) - short,
        sum(int(each) + 1 for each in erlangs),
    )
    shares = share_out(room, asked)
    assert sum(shares.values()) == room

    def callers(shares: Mapping[str, int]) -> float:
        return sum(each / SERVICE * late(each, shares[name]) for name, each in pools.items())

    for giver in pools:
        for taker in pools:
            if giver != taker and shares[giver] > int(pools[giver]) + 1 and shares[taker] < wanted[taker]:
                other = shares | {giver: shares[giver] - 1, taker: shares[taker] + 1}
                assert callers(shares) <= callers(other) * (1 + 1e-9), (shares, other)


@pytest.mark.parametrize("erlangs", [0.5, 5.0, 20.0, 200.0])
def test_each_further_connection_spares_fewer(erlangs: float) -> None:
    first = int(erlangs) + 1
    lates = [late(erlangs, each) for each in range(first, first + 40)]
    gains = [one - other for one, other in pairwise(lates)]
    assert all(one >= other - 1e-15 for one, other in pairwise(gains))


def test_where_there_is_too_little_for_the_calls_all_have_the_same_share() -> None:
    shares = share_out(21, [loaded("large", 40.0), loaded("small", 20.0)])
    assert shares == {"large": 14, "small": 7}


def test_where_nothing_is_measured_all_have_the_same_share_of_what_they_want() -> None:
    assert share_out(30, [claim("a", 40), claim("b", 20)]) == {"a": 20, "b": 10}
    assert share_out(30, [claim("a", 20), claim("b", 20, arrivals=nan)]) == {"a": 15, "b": 15}


def test_beyond_what_callers_notice_all_have_the_same_share_of_what_they_want() -> None:
    """As when rate windows ask for accounts, not for connections."""
    idle = {"arrivals": 1.0, "service": 0.1}
    shares = share_out(60, [claim("a", 90, **idle), claim("b", 30, **idle)])
    assert shares == {"a": 45, "b": 15}


def test_what_is_reserved_or_ill_serves_nobody() -> None:
    one, other = loaded("one", 10.0), loaded("other", 10.0)
    one = replace(one, aside=5, wanted=one.wanted + 5)
    assert share_out(35, [one, other]) == {"one": 20, "other": 15}


def test_what_nobody_needs_stays_with_those_who_have_it_and_is_else_shared_evenly() -> None:
    assert share_out(52, [claim("a", 10), claim("b", 10, size=18), claim("c", 0)]) == {
        "a": 18,
        "b": 26,
        "c": 8,
    }
    assert share_out(25, [claim("a", 10), claim("b", 10, size=18), claim("c", 0)]) == {
        "a": 7,
        "b": 15,
        "c": 0,
    }


def test_what_others_still_hold_is_not_given_away_twice() -> None:
    busy, coming = claim("busy", 0, size=28), claim("coming", 30)
    assert share_out(30, [busy, coming]) == {"busy": 0, "coming": 2}
    assert share_out(30, [replace(busy, size=9), coming]) == {"busy": 0, "coming": 21}


def test_a_little_more_load_moves_no_connection() -> None:
    a, b = loaded("a", 20.0, size=24), loaded("b", 20.0, size=24)
    for shift in (0.0, 0.3, -0.3):
        moved = replace(b, arrivals=(20.0 + shift) / SERVICE)
        assert share_out(48, [a, moved]) == {"a": 24, "b": 24}


def test_a_hundred_pools_are_shared_out_to_quickly() -> None:
    hundred = [
        loaded(f"p{number:02}", 80.0 + number % 20, most=200, size=90, guaranteed=2) for number in range(100)
    ]
    took: list[float] = []
    for room in (5_000, 9_500, 10_000, 30_000):
        began = time.perf_counter()
        shares = share_out(room, hundred)
        took.append(time.perf_counter() - began)
        assert sum(shares.values()) <= room
    assert max(took) < 0.1, "some 4 ms, but for a machine that is busy"


# ---------------------------------------------------------------- the source of ceilings


class StandInPool:
    """As much of a pool as a shared ceiling looks at."""

    def __init__(self, pool_id: str, size: int = 0, mode: Mode = Mode.OPEN, **settings: Any) -> None:
        self.pool_id = pool_id
        self.config = ConnectionPoolConfig(**{"min_connections": 0, "max_connections": 100, **settings})
        self.size = size
        self.mode = mode
        self.waiting = 0


class StandInPools:
    """A manager's pools."""

    def __init__(self, *pools: StandInPool) -> None:
        self.events = EventBus()
        self.on_pool: list[Callable[[TwikitConnectionPool], None]] = []
        self.pools: Any = {each.pool_id: each for each in pools}


def asks(pool: StandInPool, wanted: int, **load: Any) -> PoolNeed:
    return PoolNeed(
        load=Load(moment=0.0, epoch=0.0, **load), config=pool.config, size=pool.size, queue=0, wanted=wanted
    )


def sizes(ceilings: Mapping[str, Ceiling]) -> dict[str, int]:
    assert all(each.kind == "shared" for each in ceilings.values())
    return {pool_id: each.size for pool_id, each in ceilings.items()}


def test_the_pool_that_is_more_urgent_is_served_first_and_told_why() -> None:
    a, b = StandInPool("a"), StandInPool("b")
    shared = SharedCeiling(StandInPools(a, b), 50, priorities={"b": ConnectionPriority.HIGH})
    told = shared.ceilings({"a": asks(a, 40), "b": asks(b, 40)})
    assert sizes(told) == {"a": 10, "b": 40}
    assert told["a"].reason == "40 of the 50 connections that pools share are for others"


def test_pools_that_are_left_alone_need_what_they_have_and_one_for_each_who_waits() -> None:
    a, resting = StandInPool("a"), StandInPool("resting", 12, Mode.SUSPENDED)
    by_hand = StandInPool("by hand", 5)
    by_hand.waiting = resting.waiting = 2
    pools = StandInPools(a, resting, by_hand)
    shared = SharedCeiling(pools, 50, priorities={"a": ConnectionPriority.LOW})
    assert sizes(shared.ceilings({"a": asks(a, 60)})) == {"a": 31, "resting": 12, "by hand": 7}
    resting.size, resting.mode = 0, Mode.CLOSED
    assert sizes(shared.ceilings({"a": asks(a, 60)})) == {"a": 43, "resting": 0, "by hand": 7}


def test_a_guarantee_is_kept_for_a_pool_that_rests_or_is_not_made_yet() -> None:
    a, resting = StandInPool("a"), StandInPool("resting", 0, Mode.SUSPENDED)
    shared = SharedCeiling(StandInPools(a, resting), 50, guarantees={"resting": 10, "to come": 15})
    assert sizes(shared.ceilings({"a": asks(a, 60)})) == {"a": 25, "resting": 10}


def test_a_new_pool_gets_what_is_left() -> None:
    a, new = StandInPool("a", 46), StandInPool("new", 0, Mode.NEW, min_connections=10, initial_connections=20)
    pools = StandInPools(a)
    shared = SharedCeiling(pools, 50)
    pools.pools = {"a": a, "new": new}
    assert sizes(shared.ceilings({"a": asks(a, 46)})) == {"a": 36, "new": 4}, (
        "what it still holds is not free"
    )
    a.size = 36
    assert sizes(shared.ceilings({"a": asks(a, 46)})) == {"a": 36, "new": 14}


@pytest.mark.parametrize(
    ("load", "expected"),
    [({"accounts_usable": 7}, 7), ({"error_rate": 0.5}, 4), ({"limited_rate": 0.5}, 4), ({}, 40)],
)
def test_what_a_pool_cannot_use_is_left_to_others(load: dict[str, Any], expected: int) -> None:
    a, b = StandInPool("a", 4), StandInPool("b", 4)
    shared = SharedCeiling(StandInPools(a, b), 50, priorities={"a": ConnectionPriority.HIGH})
    found = sizes(shared.ceilings({"a": asks(a, 40, **load), "b": asks(b, 90)}))
    assert found == {"a": expected, "b": 50 - expected}


def test_what_is_nearly_right_stays() -> None:
    a, b = StandInPool("a", 20), StandInPool("b", 10)
    shared = SharedCeiling(StandInPools(a, b), 30, priorities={"a": ConnectionPriority.HIGH})
    assert sizes(shared.ceilings({"a": asks(a, 18), "b": asks(b, 90)})) == {"a": 20, "b": 10}
    assert sizes(shared.ceilings({"a": asks(a, 17), "b": asks(b, 90)}))["a"] == 17


@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(0, 200), weird, weird, weird), min_size=1, max_size=5)
)
def test_anything_measured_gives_a_sum_that_fits(
    measured: list[tuple[int, int, float | None, float | None, float | None]],
) -> None:
    pools = [StandInPool(f"p{number}", each[0]) for number, each in enumerate(measured)]
    shared = SharedCeiling(StandInPools(*pools), 60)
    needs = {
        pool.pool_id: asks(pool, wanted, arrivals=arrivals, service=service, error_rate=errors)
        for pool, (_, wanted, arrivals, service, errors) in zip(pools, measured, strict=True)
    }
    assert sum(sizes(shared.ceilings(needs)).values()) <= 60


def test_what_cannot_be_guaranteed_is_refused_by_name() -> None:
    pools = StandInPools(StandInPool("brand", min_connections=30), StandInPool("other", min_connections=5))
    with pytest.raises(ConfigError, match=r"40 shared .* the 55 .*\('brand' 30, 'later' 20, 'other' 5\)"):
        SharedCeiling(pools, 40, guarantees={"brand": 10, "later": 20})
    SharedCeiling(pools, 55, guarantees={"brand": 10, "later": 20})
    with pytest.raises(ConfigError, match="0 connections or more, not -1"):
        SharedCeiling(pools, 40, guarantees={"brand": -1})
    with pytest.raises(ConfigError, match="1 connection or more, not 0"):
        SharedCeiling(pools, 0)
    with pytest.raises(ConfigError, match="a priority is"):
        SharedCeiling(pools, 40, priorities={"brand": 9})
