from __future__ import annotations

import asyncio
import logging
import ssl
import sys
from types import SimpleNamespace
from typing import Any, cast

import pytest

from twikit_pool.pool.connection import PooledTwikitConnection
from twikit_pool.resources import memory
from twikit_pool.resources.memory import MOST_LINKS, MOST_OBJECTS, MemoryEstimates, sizes_within


class Link:
    """A link that holds what it is given."""

    def __init__(self, **held: Any) -> None:
        self.held = held


class Connection:
    """What is looked at of a connection."""

    def __init__(self, number: int, link: object | None) -> None:
        self.id = f"a{number}#1"
        self.session = None if link is None else SimpleNamespace(link=link)
        self.memory: int | None = None


def connection(number: int, link: object | None) -> PooledTwikitConnection:
    return cast("PooledTwikitConnection", Connection(number, link))


def size_of(link: object) -> int:
    return sum(sizes_within(cast("Any", link)).values())


def looked_at(*links: object, rounds: int = 1) -> MemoryEstimates:
    estimates = MemoryEstimates()
    every = [connection(number, link) for number, link in enumerate(links)]
    for now in range(rounds):
        estimates.look(every, float(now))
    return estimates


# ---------------------------------------------------------------- one link


@pytest.mark.parametrize("size", [1, 10_000, 1_000_000])
def test_what_a_link_holds_is_counted_however_deep_it_lies(size: int) -> None:
    deep: Any = bytes(size)
    for _ in range(50):
        deep = {"within": [deep]}
    held = size_of(Link(held=deep))
    least = sys.getsizeof(bytes(size)) + 50 * (sys.getsizeof({"within": 0}) + sys.getsizeof([0]))
    assert least <= held <= least * 1.2 + 1000


def test_what_is_held_twice_is_counted_once_and_circles_end() -> None:
    held = bytes(100_000)
    circle: list[Any] = [held]
    circle.append(circle)
    assert size_of(Link(one=held, other=held, circle=circle)) < 102_000


def test_attributes_count_also_where_python_keeps_them_apart() -> None:
    class Full:
        def __init__(self) -> None:
            for number in range(20):
                setattr(self, f"field_{number}", None)

    assert size_of(Full()) >= size_of(Link()) + 20 * 8 - sys.getsizeof({})


async def test_what_belongs_to_the_program_is_not_counted() -> None:
    loop = asyncio.get_running_loop()
    small = size_of(Link())
    program = [sys, dict, size_of, print, ssl.create_default_context(), loop, logging.getLogger("x")]
    program += [asyncio.current_task(), loop.create_future(), sys._getframe(), size_of.__code__]
    assert size_of(Link(program=program)) < small + 500


def test_a_link_that_holds_too_much_is_looked_at_for_a_while_only() -> None:
    many = [[number] for number in range(MOST_OBJECTS * 3)]
    assert len(sizes_within(cast("Any", Link(many=many)))) == MOST_OBJECTS
    assert size_of(Link(many=many)) >= MOST_OBJECTS * sys.getsizeof([0]) * 0.9


def test_objects_that_lie_about_themselves_do_no_harm() -> None:
    class Liar:
        def __sizeof__(self) -> Any:
            return "large"

        def __eq__(self, _: object) -> bool:
            raise RuntimeError

        def __hash__(self) -> int:
            raise RuntimeError

    held = bytes(5000)
    liar = Liar()
    liar.held = held  # type: ignore[attr-defined]
    assert size_of(Link(liar=liar)) > 5000


# ---------------------------------------------------------------- the connections of a pool


def test_what_two_links_hold_is_neithers() -> None:
    shared = bytes(100_000)
    estimates = looked_at(Link(own=bytes(3000), shared=shared), Link(own=bytes(5000), shared=shared))
    assert 3000 < estimates.found["a0#1"].size < 4500
    assert 5000 < estimates.found["a1#1"].size < 6500
    assert estimates.mean == sum(each.size for each in estimates.found.values()) / 2


@pytest.mark.parametrize("links", [2, 3, MOST_LINKS + 1, 2 * MOST_LINKS + 1])
@pytest.mark.parametrize("patience", [0.0, 100.0])
def test_what_is_shared_is_nobodys_in_any_round(
    links: int, patience: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "PATIENCE", patience)
    shared = bytes(100_000)
    every = [connection(number, Link(shared=shared, own=bytes(1000))) for number in range(links)]
    every.insert(1, connection(1000, None))
    every.append(connection(1001, None))
    estimates = MemoryEstimates()
    for now in range(links):
        estimates.look(every, float(now))
        assert all(1000 < each.size < 3000 for each in estimates.found.values())
    assert len(estimates.found) == links, "each had its turn"
    assert {each.memory is None for each in every if each.session} == {False}
    assert min(each.at for each in estimates.found.values()) >= 0


def test_connections_that_are_gone_are_forgotten() -> None:
    estimates = MemoryEstimates()
    first, second, third = (connection(number, Link(own=bytes(1000 * number))) for number in range(3))
    estimates.look([first, second], 0.0)
    estimates.look([second, third], 1.0)
    assert set(estimates.found) == {second.id, third.id}
    estimates.look([], 2.0)
    assert (estimates.found, estimates.mean) == ({}, None)


def test_a_connection_that_is_being_opened_has_no_estimate() -> None:
    estimates = looked_at(None, None)
    assert (estimates.found, estimates.mean) == ({}, None)


def test_an_estimate_tells_nothing_of_what_it_found() -> None:
    assert "canary" not in repr(looked_at(Link(secret="canary" * 100), Link()).found)
