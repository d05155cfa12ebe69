from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest

from twikit_pool.errors import PoolOverloadedError
from twikit_pool.pool import ConnectionPriority, ConnectionRequest
from twikit_pool.pool.reservations import Owner
from twikit_pool.pool.shelf import Shelf
from twikit_pool.pool.waiting import TOMBSTONES, Heads, Line, Waiter, Waiting

LOW, NORMAL, HIGH = ConnectionPriority.LOW, ConnectionPriority.NORMAL, ConnectionPriority.HIGH
LIKES, SEARCH = 2, 4


class Hall:
    """Where waiters come to, in lines made by hand."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.timed_out: list[Waiter] = []
        self.waiting = Waiting(self.timed_out.append)
        self.arrivals = 0

    def come(self, line: Line, rank: float, priority: ConnectionPriority = NORMAL) -> Waiter:
        self.arrivals += 1
        waiter = Waiter(loop=self.loop)
        waiter.request = ConnectionRequest(priority=priority)
        waiter.line, waiter.waiting = line, self.waiting
        waiter.came, waiter.rank, waiter.arrival = rank, rank, self.arrivals
        waiter.timeout, waiter.slot = None, None
        self.waiting.joined(waiter)
        line.join(waiter)
        return waiter

    def serve(self, line: Line) -> Waiter | None:
        if line.head() is None:
            return None
        waiter = line.take()
        self.waiting.left(waiter)
        connection: Any = object()
        waiter.set_result(connection)
        return waiter


@pytest.fixture
def hall() -> Iterator[Hall]:
    loop = asyncio.new_event_loop()
    yield Hall(loop)
    loop.close()


def line_at(*heads: Heads, need: int = 0, owner: Owner | None = None) -> Line:
    line = Line(need, None, owner)
    line.heads = list(heads)
    return line


def best_of(
    heads: Heads, lacks: int = 0, only: Owner | None = None, *, to_open: bool = False
) -> Waiter | None:
    place = heads.best(lacks, only, to_open=to_open)
    return None if place is None else place[2]


# ---------------------------------------------------------------- one who waits


def test_who_is_cancelled_is_gone_in_that_moment(hall: Hall) -> None:
    line = Line(0)
    first, second = hall.come(line, 1), hall.come(line, 2)
    slot: dict[object, None] = {first: None}
    first.slot = slot
    assert first.cancel()
    assert (line.waiting, hall.waiting.total, slot) == (1, 1, {})
    assert not first.cancel()
    assert (line.waiting, hall.waiting.total) == (1, 1)
    assert hall.serve(line) is second


def test_who_was_served_cannot_be_cancelled_or_refused(hall: Hall) -> None:
    line = Line(0)
    waiter = hall.come(line, 1)
    assert hall.serve(line) is waiter
    assert not waiter.cancel()
    waiter.refuse(PoolOverloadedError("too late"))
    waiter.due()
    assert waiter.exception() is None
    assert (line.waiting, hall.waiting.total, hall.timed_out) == (0, 0, [])


def test_who_is_refused_is_gone_in_that_moment_and_told_why(hall: Hall) -> None:
    line = Line(0)
    waiter = hall.come(line, 1)
    waiter.refuse(error := PoolOverloadedError("too many"))
    assert (line.waiting, hall.waiting.total) == (0, 0)
    assert waiter.exception() is error
    waiter.refuse(PoolOverloadedError("again"))
    assert hall.waiting.total == 0


def test_whose_time_is_up_is_reported_once_it_still_waits(hall: Hall) -> None:
    waiter = hall.come(Line(0), 1)
    waiter.due()
    assert hall.timed_out == [waiter]
    waiter.cancel()
    waiter.due()
    assert hall.timed_out == [waiter]


# ---------------------------------------------------------------- everyone


def test_who_waits_is_counted_by_priority(hall: Hall) -> None:
    line = Line(0)
    low, high = hall.come(line, 1, LOW), hall.come(line, 2, HIGH)
    another = hall.come(line, 3, LOW)
    waiting = hall.waiting
    assert [waiting.of_priority(each) for each in range(1, 6)] == [2, 0, 1, 0, 0]
    assert waiting.everyone() == [low, another, high]
    assert waiting.everyone(below=HIGH) == [low, another]
    low.cancel()
    assert waiting.of_priority(LOW) == 1
    assert waiting.total == 2


def test_the_last_to_send_away_is_the_latest_of_the_lowest(hall: Hall) -> None:
    line, waiting = Line(0), hall.waiting
    assert waiting.last(below=6) is None
    hall.come(line, 1, LOW)
    latest = hall.come(line, 2, LOW)
    normal = hall.come(line, 3, NORMAL)
    assert waiting.last(below=HIGH) is latest
    assert waiting.last(below=LOW) is None
    for each in waiting.everyone(below=NORMAL):
        each.cancel()
    assert waiting.last(below=NORMAL) is None
    assert waiting.last(below=HIGH) is normal


def test_the_longest_wait_is_that_of_who_came_first(hall: Hall) -> None:
    line, waiting = Line(0), hall.waiting
    assert waiting.longest(10) == 0
    hall.come(line, 6, LOW)
    hall.come(line, 7, LOW)
    first = hall.come(line, 4, HIGH)
    assert waiting.longest(10) == 6
    first.cancel()
    assert waiting.longest(10) == 4


# ---------------------------------------------------------------- a line


def test_a_line_serves_by_rank_and_equals_by_arrival(hall: Hall) -> None:
    line = Line(0)
    waiters = [hall.come(line, rank) for rank in (5, 3, 5, 1)]
    served = [hall.serve(line) for _ in range(5)]
    assert served == [waiters[3], waiters[1], waiters[0], waiters[2], None]
    assert line.waiting == 0


def test_a_line_forgets_most_of_the_dead(hall: Hall) -> None:
    line = Line(0)
    waiters = [hall.come(line, rank) for rank in range(1000)]
    for waiter in waiters[:-3]:
        waiter.cancel()
    assert line.waiting == 3
    assert len(line._heap) <= 2 * line.waiting + TOMBSTONES
    assert [hall.serve(line) for _ in range(4)] == [*waiters[-3:], None]


def test_forgetting_the_dead_keeps_the_order(hall: Hall) -> None:
    line, rng = Line(0), random.Random(1)
    waiters = [hall.come(line, rng.random()) for _ in range(1000)]
    rng.shuffle(waiters)
    for waiter in waiters[100:]:
        waiter.cancel()
    served = [hall.serve(line) for _ in range(100)]
    assert served == sorted(waiters[:100], key=lambda each: each.rank)


def test_a_few_dead_are_left_lying(hall: Hall) -> None:
    """So that cancelling costs nothing to speak of."""
    line = Line(0)
    waiters = [hall.come(line, rank) for rank in range(2 * TOMBSTONES)]
    for waiter in waiters[1 : TOMBSTONES + 1]:
        waiter.cancel()
    assert len(line._heap) == 2 * TOMBSTONES


def test_who_is_ahead_is_counted_without_the_dead_and_up_to_a_limit(hall: Hall) -> None:
    line = Line(0)
    waiters = [hall.come(line, rank) for rank in (1, 2, 2, 3)]
    assert line.ahead((waiters[2].rank, waiters[2].arrival), 10) == 2
    assert line.ahead((9.0, 99), 10) == 4
    assert line.ahead((9.0, 99), 3) == 3
    waiters[0].cancel()
    assert line.ahead((waiters[2].rank, waiters[2].arrival), 10) == 1
    assert line.ahead((0.0, 0), 10) == 0


def test_ranking_anew_moves_everyone_by_his_priority(hall: Hall) -> None:
    heads = Heads()
    line = line_at(heads)
    other = line_at(heads)
    low, gone, high = hall.come(line, 10, LOW), hall.come(line, 1, LOW), hall.come(line, 8, HIGH)
    rival = hall.come(other, 7, HIGH)
    gone.cancel()
    assert best_of(heads) is rival
    line.rank_anew(lambda priority: 5.0 if priority == LOW else 0.0)
    assert (low.rank, high.rank) == (5.0, 8)
    assert best_of(heads) is low
    line.rank_anew(lambda _: -10.0)
    assert best_of(heads) is rival
    hall.serve(other)
    assert [best_of(heads), hall.serve(line), hall.serve(line), hall.serve(line)] == [low, low, high, None]


def test_an_empty_line_can_be_ranked_anew(hall: Hall) -> None:
    heads = Heads()
    line = line_at(heads)
    line.rank_anew(lambda _: 5.0)
    assert heads.best(0) is None


def test_there_is_hope_as_long_as_one_may_serve() -> None:
    class Server:
        hopeful = 0

    line, one, other = Line(0), Server(), Server()
    assert not line.hopeful
    line.servers = [one, other]
    assert not line.hopeful
    other.hopeful = 1
    assert line.hopeful


# ---------------------------------------------------------------- the best of many lines


def test_the_best_of_several_lines_is_found(hall: Hall) -> None:
    heads = Heads()
    lines = [line_at(heads) for _ in range(3)]
    waiters = [hall.come(line, rank) for line, rank in zip(lines, (5, 2, 7), strict=True)]
    assert best_of(heads) is waiters[1]
    assert best_of(heads) is waiters[1], "looking must change nothing"
    better = hall.come(lines[2], 1)
    assert best_of(heads) is better
    better.cancel()
    assert best_of(heads) is waiters[1]


def test_a_line_that_cannot_be_served_now_is_stepped_over_and_not_lost(hall: Hall) -> None:
    heads = Heads()
    likes, search = line_at(heads, need=LIKES), line_at(heads, need=SEARCH)
    first, second = hall.come(likes, 1), hall.come(search, 2)
    assert best_of(heads, lacks=LIKES) is second
    assert best_of(heads, lacks=LIKES | SEARCH) is None
    assert best_of(heads) is first


def test_only_the_lines_of_an_owner_count_for_a_kept_connection(hall: Hall) -> None:
    heads = Heads()
    owner, stranger = Owner("spring", Shelf()), Owner("autumn", Shelf())
    hall.come(line_at(heads), 1)
    hall.come(line_at(heads, owner=stranger), 2)
    his = hall.come(line_at(heads, owner=owner), 3)
    assert best_of(heads, only=owner) is his
    assert best_of(heads) is not his


def test_lines_for_which_enough_is_being_opened_are_left_out_when_asked(hall: Hall) -> None:
    heads = Heads()
    busy, other = line_at(heads), line_at(heads)
    first, second = hall.come(busy, 1), hall.come(other, 2)
    busy.opening = 1
    assert best_of(heads, to_open=True) is second
    assert best_of(heads) is first
    hall.come(busy, 3)
    assert best_of(heads, to_open=True) is first


def test_a_dropped_line_is_heard_of_again_when_it_is_named(hall: Hall) -> None:
    heads = Heads()
    line, other = line_at(heads), line_at(heads)
    waiter, second = hall.come(line, 1), hall.come(other, 2)
    heads.drop(line)
    heads.drop(line)
    assert best_of(heads) is second
    heads.lower(line, (waiter.rank, waiter.arrival, waiter))
    assert best_of(heads) is waiter


def test_a_line_is_heard_of_again_after_it_was_empty(hall: Hall) -> None:
    heads = Heads()
    line = line_at(heads)
    hall.come(line, 1)
    hall.serve(line)
    assert heads.best(0) is None
    again = hall.come(line, 2)
    assert best_of(heads) is again


@pytest.mark.parametrize("seed", range(20))
def test_heads_agree_with_a_sorted_list(hall: Hall, seed: int) -> None:
    rng = random.Random(seed)
    owner = Owner("spring", Shelf())
    heads = Heads()
    lines = [line_at(heads, need=need, owner=each) for need in (1, 3, 5) for each in (None, owner)]
    living: list[Waiter] = []
    for _ in range(400):
        step = rng.random()
        if step < 0.5 or not living:
            living.append(hall.come(rng.choice(lines), rng.randrange(20)))
        elif step < 0.6:
            living.pop(rng.randrange(len(living))).cancel()
        elif step < 0.65:
            earlier = rng.choice([-3.0, 3.0])
            rng.choice(lines).rank_anew(lambda _, earlier=earlier: earlier)
        else:
            lacks, only = rng.choice([0, 2, 4, 6]), rng.choice([None, owner])
            fitting = [
                each for each in living if not each.line.need & lacks and only in (None, each.line.owner)
            ]
            expected = min(fitting, key=lambda each: (each.rank, each.arrival), default=None)
            assert best_of(heads, lacks, only) is expected
            if expected is not None:
                assert hall.serve(expected.line) is expected
                living.remove(expected)
    assert sum(line.waiting for line in lines) == hall.waiting.total == len(living)
    assert len(heads._bounds) <= 400


def test_a_line_that_was_dropped_can_be_listed_again(hall: Hall) -> None:
    heads = Heads()
    line, empty = line_at(heads), line_at(heads)
    waiter = hall.come(line, 1)
    assert list(heads) == [line]
    for _ in range(3):
        heads.enlist(line)
        heads.enlist(empty)
    assert len(heads._bounds) == 1
    heads.drop(line)
    assert list(heads) == []
    heads.enlist(line)
    assert list(heads) == [line]
    assert best_of(heads) is waiter
