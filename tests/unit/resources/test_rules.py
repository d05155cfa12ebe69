"""What the optimizer's rules advise, and what they leave alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.resources.result import OptimizationAction
from twikit_pool.resources.rules import Seen, advise, quality_of, wants_collection

CONFIG = ConnectionPoolConfig(min_connections=0)
MB = 1_000_000


def seen(number: int, **what: Any) -> Seen:
    return Seen(**{"id": f"a{number}#1", "account_id": f"a{number}", **what})


def advised(*connections: Seen, floor: int = 0, **settings: Any) -> list[tuple[str, str, str]]:
    actions = advise(connections, CONFIG.changed(**settings), floor)
    return [(each.kind, each.cause, each.what) for each in actions]


def test_nothing_is_advised_about_connections_that_cost_little() -> None:
    assert advised(seen(1), seen(2, idle_for=1700.0, cpu=0.8, memory=50 * MB, latency=1.9)) == []


def test_a_large_one_is_closed_once_it_has_been_idle() -> None:
    large = seen(1, memory=51 * MB, idle_for=60.0)
    assert advised(large, floor=10) == [("close", "memory", "a1#1")], "its account's next is small"
    assert advised(replace(large, idle_for=59.0)) == []
    assert advised(replace(large, idle_for=None)) == []
    assert advised(large, optimize_memory=52 * MB) == []
    [action] = advise([large], CONFIG, 10)
    assert action.memory == 51 * MB
    assert action.reason == "it holds an estimated 51 MB, and it has been idle for 60 s"


def test_one_that_takes_much_cpu_is_taken_last_and_one_that_takes_all_pauses() -> None:
    assert advised(seen(1, cpu=0.81), seen(2)) == [("lower", "cpu", "a1#1")]
    assert advised(seen(1, cpu=0.96), seen(2)) == [("pause", "cpu", "a1#1")]
    assert advised(seen(1, cpu=0.96, paused=True), seen(2)) == [("lower", "cpu", "a1#1")]
    assert advised(seen(1, cpu=0.96, kept=True), seen(2)) == [("lower", "cpu", "a1#1")]


def test_the_last_one_that_could_be_had_does_not_pause() -> None:
    assert advised(seen(1, cpu=0.96)) == [("lower", "cpu", "a1#1")]
    assert advised(seen(1, cpu=0.96), seen(2, paused=True)) == [("lower", "cpu", "a1#1")]
    assert advised(seen(1, cpu=0.96), seen(2, kept=True)) == [("lower", "cpu", "a1#1")]


def test_a_slow_one_is_taken_last_and_a_very_slow_one_goes_when_idle() -> None:
    quick = seen(1, latency=0.3)
    assert advised(quick, seen(2, latency=2.1)) == [("lower", "network", "a2#1")]
    assert advised(quick, seen(2, latency=5.1)) == [("lower", "network", "a2#1")]
    assert advised(quick, seen(2, latency=5.1, idle_for=0.0)) == [("close", "network", "a2#1")]
    assert advised(quick, seen(2, latency=5.1, idle_for=0.0, replaceable=False)) == [
        ("lower", "network", "a2#1")
    ]


def test_while_all_are_as_slow_nothing_is_advised() -> None:
    assert advised(*(seen(number, latency=9.0, idle_for=1.0) for number in range(5))) == []
    assert advised(seen(1, latency=9.0, idle_for=1.0)) == [], "nobody knows what is usual"


def test_what_was_lowered_is_restored_when_it_is_clearly_over() -> None:
    quick = seen(1, latency=0.3)
    assert advised(quick, seen(2, lowered=True, cpu=0.75)) == [], "not yet well below"
    assert advised(quick, seen(2, lowered=True, cpu=0.7)) == [("restore", "relief", "a2#1")]
    assert advised(quick, seen(2, lowered=True, latency=1.9)) == []
    assert advised(quick, seen(2, lowered=True, latency=1.7)) == [("restore", "relief", "a2#1")]
    assert advised(quick, seen(2, lowered=True, latency=None)) == [("restore", "relief", "a2#1")]


def test_an_account_keeps_one_and_the_pool_its_floor() -> None:
    several = [replace(seen(1, idle_for=61.0 + number), id=f"a1#{number}") for number in range(3)]
    assert advised(*several) == [("close", "surplus", "a1#2"), ("close", "surplus", "a1#1")]
    assert advised(*several, floor=2) == [("close", "surplus", "a1#2")]
    assert advised(*several, floor=3) == []


def test_those_idle_for_long_go_down_to_the_floor_the_longest_first() -> None:
    idle = [seen(number, idle_for=1800.0 + number) for number in range(3)]
    assert advised(*idle, floor=1) == [("close", "idle", "a2#1"), ("close", "idle", "a1#1")]
    assert advised(seen(1, idle_for=None), floor=0) == []


def test_garbage_is_collected_for_a_large_one_or_a_full_process() -> None:
    assert wants_collection([seen(1, memory=100 * MB)], CONFIG, 10, 100) == ""
    assert wants_collection([seen(1, memory=101 * MB)], CONFIG, None, None) == (
        "a1#1 holds an estimated 101 MB"
    )
    assert wants_collection([], CONFIG, 90 * MB, 100 * MB) == ""
    told = wants_collection([], CONFIG, 91 * MB, 100 * MB)
    assert told == "the process has 91 of the 100 MB that it may have"
    assert wants_collection([], CONFIG, None, 100) == wants_collection([], CONFIG, 100, None) == ""


def test_the_quality_of_a_network_halves_at_the_threshold() -> None:
    assert quality_of(0.0, CONFIG) == 1.0
    assert quality_of(2.0, CONFIG) == 0.5
    assert quality_of(5.0, CONFIG) < 0.3


numbers = st.one_of(st.none(), st.floats(0, 10_000))
every = st.builds(
    Seen,
    id=st.just(""),
    account_id=st.sampled_from(["a", "b", "c"]),
    idle_for=numbers,
    cpu=st.floats(0, 2),
    memory=st.one_of(st.none(), st.integers(0, 10**9)),
    latency=numbers,
    lowered=st.booleans(),
    paused=st.booleans(),
    kept=st.booleans(),
    replaceable=st.booleans(),
)


@given(st.lists(every, max_size=8), st.integers(0, 8))
def test_each_is_acted_on_once_and_only_what_is_idle_is_closed(anyone: list[Seen], floor: int) -> None:
    connections = [replace(each, id=str(number)) for number, each in enumerate(anyone)]
    actions: list[OptimizationAction] = list(advise(connections, CONFIG, floor))
    assert len({each.what for each in actions}) == len(actions)
    by_id = {each.id: each for each in connections}
    closed = [each for each in actions if each.kind == "close"]
    for each in closed:
        assert by_id[each.what].idle_for is not None
    spared = [each for each in closed if each.cause in ("surplus", "idle")]
    assert len(spared) <= max(len(connections) - floor, 0)
    paused = {each.what for each in actions if each.kind == "pause"}
    left = [each for each in connections if each.id not in {one.what for one in closed}]
    assert not paused or any(each.id not in paused and not each.paused and not each.kept for each in left)
