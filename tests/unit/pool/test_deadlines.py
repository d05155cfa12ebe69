from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.simulation.simulated_loop import SimulatedLoop, simulate
from twikit_pool.pool.deadlines import AT_A_TIME, SLOT, Deadline, Deadlines

Play = Callable[[Deadlines, SimulatedLoop], Coroutine[Any, Any, None]]


def in_virtual_time(play: Play) -> Callable[[], None]:
    async def main(loop: SimulatedLoop) -> None:
        await play(Deadlines(loop), loop)

    def test() -> None:
        simulate(main, order="fifo")

    return test


@pytest.mark.parametrize("when", [0.0, 0.005, 0.02, 0.03, 1.0, 1.019, 3600.0])
def test_a_deadline_is_never_early_and_late_by_a_slot_at_most(when: float) -> None:
    async def main(loop: SimulatedLoop) -> None:
        met: list[float] = []
        await asyncio.sleep(0.0075)
        Deadlines(loop).add(when, lambda: met.append(loop.time()))
        await asyncio.sleep(when + 1)
        due = max(when, 0.0075)
        assert len(met) == 1
        assert due <= met[0] <= due + SLOT + 1e-9

    simulate(main, order="fifo")


@in_virtual_time
async def test_deadlines_are_met_in_order_and_those_of_one_slot_as_they_were_added(
    deadlines: Deadlines, loop: SimulatedLoop
) -> None:
    met: list[str] = []
    for name, when in (("c", 2.0), ("a", 1.0), ("d", 3.0), ("b", 1.0)):
        deadlines.add(when, lambda name=name: met.append(name))
    await asyncio.sleep(2.5)
    assert met == ["a", "b", "c"]
    await asyncio.sleep(1)
    assert met == ["a", "b", "c", "d"]


@in_virtual_time
async def test_a_cancelled_deadline_is_not_met_and_cancelling_again_is_harmless(
    deadlines: Deadlines, loop: SimulatedLoop
) -> None:
    met: list[str] = []
    first = deadlines.add(1.0, lambda: met.append("first"))
    second = deadlines.add(1.0, lambda: met.append("second"))
    first.cancel()
    first.cancel()
    await asyncio.sleep(2)
    assert met == ["second"]
    second.cancel()
    assert second.slot is None


@in_virtual_time
async def test_one_that_is_met_may_cancel_another_of_its_moment(
    deadlines: Deadlines, loop: SimulatedLoop
) -> None:
    met: list[str] = []
    others: list[Deadline] = []
    deadlines.add(1.0, lambda: others[0].cancel())
    others.append(deadlines.add(1.0, lambda: met.append("cancelled")))
    deadlines.add(1.0, lambda: met.append("kept"))
    await asyncio.sleep(2)
    assert met == ["kept"]


@in_virtual_time
async def test_one_that_is_met_may_add_another_which_never_comes_at_once(
    deadlines: Deadlines, loop: SimulatedLoop
) -> None:
    met: list[float] = []

    def again() -> None:
        met.append(loop.time())
        if len(met) < 5:
            deadlines.add(0.0, again)

    deadlines.add(1.0, again)
    await asyncio.sleep(2)
    assert met == pytest.approx([1.02 + n * SLOT for n in range(5)])


@in_virtual_time
async def test_after_a_quiet_time_the_next_is_met_as_well(deadlines: Deadlines, loop: SimulatedLoop) -> None:
    met: list[float] = []
    for _ in range(3):
        deadlines.add(loop.time() + 1.0, lambda: met.append(loop.time()))
        await asyncio.sleep(100)
    assert met == pytest.approx([1.02, 101.02, 201.02])


@in_virtual_time
async def test_an_earlier_one_is_not_held_up_by_a_later_one(
    deadlines: Deadlines, loop: SimulatedLoop
) -> None:
    met: list[float] = []
    deadlines.add(10.0, lambda: met.append(loop.time()))
    deadlines.add(1.0, lambda: met.append(loop.time()))
    deadlines.add(5.0, lambda: met.append(loop.time()))
    await asyncio.sleep(20)
    assert met == pytest.approx([1.02, 5.02, 10.02])


@in_virtual_time
async def test_when_many_are_due_at_once_others_have_their_turn_in_between(
    deadlines: Deadlines, loop: SimulatedLoop
) -> None:
    met = 0
    turns: list[int] = []

    def meet() -> None:
        nonlocal met
        met += 1
        if met % AT_A_TIME == 1:
            loop.call_soon(lambda: turns.append(met))

    many = 2 * AT_A_TIME + 10
    for n in range(many):
        deadlines.add(1.0 + n % 3, meet)
    loop._now += 10  # as if something had blocked the loop: all slots are due
    await asyncio.sleep(1)
    assert turns == [AT_A_TIME, 2 * AT_A_TIME, many]
    assert met == many


@in_virtual_time
async def test_closing_forgets_all_even_from_within(deadlines: Deadlines, loop: SimulatedLoop) -> None:
    met: list[str] = []
    kept = deadlines.add(1.0, deadlines.close)
    others = [deadlines.add(when, lambda: met.append("met")) for when in (1.0, 1.0, 2.0)]
    await asyncio.sleep(3)
    assert not met
    for each in (kept, *others):
        each.cancel()
    deadlines.add(5.0, lambda: met.append("after"))
    await asyncio.sleep(3)
    assert met == ["after"]


@in_virtual_time
async def test_after_closing_a_moment_may_be_used_again(deadlines: Deadlines, loop: SimulatedLoop) -> None:
    met: list[str] = []
    deadlines.add(5.0, lambda: met.append("before"))
    deadlines.close()
    deadlines.add(5.0, lambda: met.append("after"))
    await asyncio.sleep(6)
    assert met == ["after"]


def timers(loop: SimulatedLoop) -> int:
    return sum(not handle.cancelled() for handle in loop._scheduled)


@in_virtual_time
async def test_there_is_one_timer_or_none(deadlines: Deadlines, loop: SimulatedLoop) -> None:
    for when in (3.0, 2.0, 1.0):
        deadlines.add(when, lambda: None)
        assert timers(loop) == 1
    await asyncio.sleep(1.5)
    assert timers(loop) == 1
    deadlines.close()
    assert timers(loop) == 0
    deadlines.add(4.0, lambda: None)
    await asyncio.sleep(4)
    assert timers(loop) == 0
