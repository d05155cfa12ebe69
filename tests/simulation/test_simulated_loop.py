from __future__ import annotations

import asyncio
import os
import random
import secrets
import time
import uuid
from collections import deque
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.simulation.simulated_loop import (
    EPOCH,
    GRID,
    CancelAtHandOff,
    CancelAtStep,
    CancelRandomly,
    SimulatedDeadlock,
    SimulationFailed,
    StepLimitReached,
    TasksLeftRunning,
    cancel_at_every_step,
    every_seed,
    grid,
    simulate,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from tests.simulation.simulated_loop import Order, SimulatedLoop
    from twikit_pool.clock import Clock

ORDERS: tuple[Order, ...] = ("fifo", "tasks", "all", "pct")


class CarefulPool:
    """One connection, handed from its holder to the longest waiter."""

    def __init__(self) -> None:
        self.idle = 1
        self.waiters: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        if self.idle:
            self.idle -= 1
            return
        waiter = asyncio.get_running_loop().create_future()
        self.waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            self.given_up(waiter)
            raise

    def given_up(self, waiter: asyncio.Future[None]) -> None:
        if not waiter.cancelled():
            self.release()

    def release(self) -> None:
        while self.waiters:
            waiter = self.waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.idle += 1


class ForgetfulPool(CarefulPool):
    """Loses the connection when a waiter is cancelled after it was given one."""

    def given_up(self, waiter: asyncio.Future[None]) -> None:
        pass


class RacingPool(CarefulPool):
    """Looks, yields, then takes: two may take the same connection."""

    async def acquire(self) -> None:
        while not self.idle:  # noqa: ASYNC110 (polling is this pool's fault)
            await asyncio.sleep(GRID)
        await asyncio.sleep(0)
        self.idle -= 1
        assert self.idle == 0, "two holders"


def scenario(make_pool: Callable[[], CarefulPool]) -> Callable[[SimulatedLoop], Coroutine[None, None, int]]:
    """Three borrowers of one connection; at the end it is back."""

    async def main(loop: SimulatedLoop) -> int:
        pool = make_pool()

        async def borrow(before: float, hold: float) -> None:
            await asyncio.sleep(before)
            await pool.acquire()
            try:
                await asyncio.sleep(hold)
            finally:
                pool.release()

        tasks = [
            asyncio.create_task(borrow(grid(loop.rng, 0.05), grid(loop.rng, 0.05)), name=name)
            for name in ("victim", "victim-2", "other")
        ]
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()
        assert pool.idle == 1, "the connection is lost"
        return pool.idle

    main.__name__ = make_pool.__name__
    return main


# ---------------------------------------------------------------- time


def test_hours_pass_in_no_time_and_clocks_agree() -> None:
    async def main(loop: SimulatedLoop) -> None:
        clock: Clock = loop.clock
        assert clock.monotonic() == 0
        assert clock.now() == EPOCH
        await asyncio.sleep(86_400)
        assert clock.monotonic() == loop.time() == time.monotonic() == time.perf_counter() == 86_400
        assert clock.now() == EPOCH + timedelta(days=1)
        assert time.time() == clock.now().timestamp()

    began = time.monotonic()
    simulate(main)
    assert time.monotonic() - began < 5


def test_timeouts_fall_due_at_their_time() -> None:
    async def main(loop: SimulatedLoop) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.sleep(31)
        assert loop.time() == 30

    simulate(main)


@pytest.mark.parametrize("order", ORDERS)
def test_a_timer_never_fires_before_its_time(order: Order) -> None:
    async def main(loop: SimulatedLoop) -> None:
        async def sleeper(until: float) -> None:
            while loop.time() < until:  # noqa: ASYNC110 (whether the clock gets there is the question)
                await asyncio.sleep(until - loop.time())

        async with asyncio.TaskGroup() as tasks:
            for until in (0.1 + 0.2, 0.3, 0.3 + 1e-10, 86_400.1, 86_400.1 + 1e-9):
                tasks.create_task(sleeper(until))

    for seed in range(20):
        assert simulate(main, seed, order=order, max_steps=200).steps < 100


def test_real_time_and_chance_are_untouched_after_a_run() -> None:
    async def main(loop: SimulatedLoop) -> None:
        random.random()
        await asyncio.sleep(1e6)
        raise KeyError(loop.time())

    functions = time.time, time.monotonic, time.perf_counter, time.time_ns, os.urandom
    state = random.getstate()
    before = time.time()
    with pytest.raises(KeyError):
        simulate(main)
    assert (time.time, time.monotonic, time.perf_counter, time.time_ns, os.urandom) == functions
    assert random.getstate() == state
    assert 0 <= time.time() - before < 60


# ---------------------------------------------------------------- repeating


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("cancel", [None, CancelRandomly("victim"), CancelAtHandOff("victim")])
def test_a_seed_repeats_itself(order: Order, cancel: CancelRandomly | CancelAtHandOff | None) -> None:
    async def main(loop: SimulatedLoop) -> list[object]:
        drawn: list[object] = [uuid.uuid4(), secrets.token_hex(4), random.random()]

        async def work(n: int) -> None:
            for _ in range(5):
                await asyncio.sleep(grid(loop.rng, 0.03))
                drawn.append((n, loop.time(), await asyncio.to_thread(lambda: n)))

        tasks = {asyncio.create_task(work(n), name=f"victim-{n}") for n in range(5)}
        await asyncio.gather(*tasks, return_exceptions=True)
        return drawn

    first = simulate(main, 3, order=order, cancel=cancel)
    assert simulate(main, 3, order=order, cancel=cancel) == first
    assert simulate(main, 4, order=order, cancel=cancel).digest != first.digest


def test_the_digest_does_not_depend_on_where_tasks_lie_in_memory() -> None:
    async def main(loop: SimulatedLoop) -> None:
        clutter.append([object() for _ in range(len(clutter) * 7)])
        with pytest.raises(ExceptionGroup):
            await sleep_until_one_fails(loop)

    async def sleep_until_one_fails(loop: SimulatedLoop) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(20):
                tasks.create_task(asyncio.sleep(1 + grid(loop.rng, 0.1)))
            tasks.create_task(fail())

    async def fail() -> None:
        await asyncio.sleep(0.5)
        raise ValueError

    clutter: list[list[object]] = []
    assert len({simulate(main, 1).digest for _ in range(20)}) == 1


def test_the_digest_is_the_same_on_every_python() -> None:
    async def main(loop: SimulatedLoop) -> None:
        queue: asyncio.Queue[int] = asyncio.Queue(2)
        done: list[int] = []
        lock = asyncio.Lock()

        async def produce(n: int) -> None:
            await asyncio.sleep(grid(loop.rng, 0.1))
            async with lock:
                await queue.put(await asyncio.to_thread(lambda: n))

        async def consume() -> None:
            with suppress(TimeoutError):
                async with asyncio.timeout(grid(loop.rng, 1)):
                    while True:
                        await queue.get()

        async with asyncio.TaskGroup() as tasks:
            for n in range(5):
                tasks.create_task(produce(n))
                loop.call_later(grid(loop.rng, 0.1), done.append, n)
            for _ in range(3):
                tasks.create_task(consume())
            tasks.create_task(queue.get(), name="victim").cancel()

    digests = {order: f"{simulate(main, 12, order=order).digest:08x}" for order in ORDERS}
    assert digests == {"fifo": "0b65fb4d", "tasks": "a0046887", "all": "744a45d2", "pct": "58635491"}


# ---------------------------------------------------------------- finding


def test_a_lost_wake_up_is_found_at_the_hand_off_and_not_in_a_real_loops_order() -> None:
    forgetful = scenario(ForgetfulPool)
    every_seed(forgetful, range(100), order="fifo")
    with pytest.raises(SimulationFailed, match="repeat it with: simulate") as failed:
        every_seed(forgetful, range(100), order="tasks", cancel=CancelAtHandOff("victim"))

    assert f"ForgetfulPool, {failed.value.seed}, order='tasks'" in failed.value.repeat
    assert "CancelAtHandOff(victims='victim'" in failed.value.repeat
    assert isinstance(failed.value.__cause__, AssertionError)
    for _ in range(2):
        with pytest.raises((AssertionError, ExceptionGroup)):
            simulate(forgetful, failed.value.seed, order="tasks", cancel=CancelAtHandOff("victim"))


def test_a_race_is_found_by_random_order_and_not_in_a_real_loops_order() -> None:
    async def main(loop: SimulatedLoop) -> None:
        seats = 1

        async def take() -> None:
            nonlocal seats
            await asyncio.sleep(0)
            if seats:
                seats -= 1

        async def check() -> None:
            for _ in range(2):
                await asyncio.sleep(0)
            assert seats == 0

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(take())
            tasks.create_task(check())

    simulate(main, order="fifo")
    for order in ORDERS[1:]:
        with pytest.raises(SimulationFailed):
            every_seed(main, range(50), order=order)


@pytest.mark.parametrize("order", ORDERS)
def test_a_correct_pool_passes_everything(order: Order) -> None:
    careful = scenario(CarefulPool)
    assert len(every_seed(careful, range(50), order=order)) == 50
    every_seed(careful, range(50), order=order, cancel=CancelAtHandOff("victim"))
    every_seed(careful, range(50), order=order, cancel=CancelRandomly("victim"))
    for seed in range(10):
        cancel_at_every_step(careful, seed=seed, order=order)


def test_a_shared_connection_is_found_on_the_grid() -> None:
    with pytest.raises(SimulationFailed, match="two holders"):
        every_seed(scenario(RacingPool), range(100))


# ---------------------------------------------------------------- cancelling at every step


def test_cancel_at_every_step_covers_each_await_before_and_after_it_came() -> None:
    seen: list[tuple[str, bool]] = []

    async def main(loop: SimulatedLoop) -> None:
        gates = {name: loop.create_future() for name in ("first", "second")}

        async def victim() -> None:
            for name, gate in gates.items():
                try:
                    await gate
                except asyncio.CancelledError:
                    seen.append((name, not gate.cancelled()))
                    raise

        task = asyncio.create_task(victim(), name="victim")
        for gate in gates.values():
            await asyncio.sleep(1)
            if not gate.done():
                gate.set_result(None)
        await asyncio.wait([task])

    assert cancel_at_every_step(main) == 3
    assert sorted(seen) == [("first", False), ("first", True), ("second", False), ("second", True)]


def test_cancel_at_every_step_finds_the_lost_wake_up_and_says_where() -> None:
    async def main(loop: SimulatedLoop) -> None:
        pool = ForgetfulPool()

        async def borrow() -> None:
            await pool.acquire()
            pool.release()

        await pool.acquire()
        victim = asyncio.create_task(borrow(), name="victim")
        waiter = asyncio.create_task(borrow(), name="waiter")
        await asyncio.sleep(1)
        pool.release()
        await asyncio.wait([victim, waiter])

    with pytest.raises(SimulationFailed, match="cancelling step 1 of 2, woken: SimulatedDeadlock") as failed:
        cancel_at_every_step(main)
    assert "CancelAtStep(victim='victim', step=1, when='woken')" in failed.value.repeat
    with pytest.raises(SimulatedDeadlock, match=r"waiter in CarefulPool.acquire"):
        simulate(main, order="fifo", cancel=CancelAtStep("victim", 1))


def test_cancelling_nobody_proves_nothing_and_fails() -> None:
    with pytest.raises(SimulationFailed, match="no task named 'nobody'"):
        cancel_at_every_step(scenario(CarefulPool), "nobody")
    with pytest.raises(SimulationFailed, match="cancelled nobody"):
        every_seed(scenario(CarefulPool), range(3), cancel=CancelRandomly("nobody"))


# ---------------------------------------------------------------- stopping


def test_a_deadlock_names_who_waits_and_where() -> None:
    async def main(loop: SimulatedLoop) -> None:
        never = loop.create_future()

        async def stuck() -> None:
            await never

        await asyncio.create_task(stuck(), name="patient")

    with pytest.raises(
        SimulatedDeadlock, match=r"at 0.000 s tasks wait for ever: main in .*; patient in .*stuck:\d+"
    ):
        simulate(main)


def test_a_spinning_task_reaches_the_step_limit() -> None:
    async def main(loop: SimulatedLoop) -> None:
        while loop.time() < 1:  # noqa: ASYNC110 (spinning is the point)
            await asyncio.sleep(0)

    with pytest.raises(StepLimitReached) as reached:
        simulate(main, 5, max_steps=1000)
    assert reached.value.__notes__ == ["repeat it with: simulate(main, 5, order='tasks', cancel=None)"]


def test_a_task_left_running_fails_the_run() -> None:
    async def main(loop: SimulatedLoop) -> None:
        forgotten.append(asyncio.create_task(asyncio.sleep(3600), name="forgotten"))
        await asyncio.sleep(0)

    forgotten: list[asyncio.Task[None]] = []
    with pytest.raises(TasksLeftRunning, match="before returning: forgotten"):
        simulate(main)
    assert forgotten[0].cancelled()


def test_an_error_that_nobody_would_see_fails_the_run() -> None:
    async def main(loop: SimulatedLoop) -> None:
        loop.call_soon(lambda: 1 // 0)
        await asyncio.sleep(1)

    with pytest.raises(ExceptionGroup) as group:
        simulate(main)
    assert group.group_contains(ZeroDivisionError)


# ---------------------------------------------------------------- what runs on it


def test_httpx_runs_on_it_over_mock_and_asgi_transports() -> None:
    async def answer(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(3)
        return httpx.Response(200, text="mock")

    async def app(
        _scope: object, _receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        await asyncio.sleep(4)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"asgi"})

    async def main(loop: SimulatedLoop) -> None:
        texts: list[str] = []
        for transport in (httpx.MockTransport(answer), httpx.ASGITransport(app)):
            async with httpx.AsyncClient(transport=transport, base_url="http://x.example") as client:
                texts += [answer.text for answer in await asyncio.gather(client.get("/"), client.get("/"))]
        assert texts == ["mock", "mock", "asgi", "asgi"]
        assert loop.time() == 7

    every_seed(main, range(5))


def test_an_executor_runs_inline_and_hands_on_errors() -> None:
    async def main(loop: SimulatedLoop) -> None:
        assert await asyncio.to_thread(lambda: 6 * 7) == 42
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        assert loop.time() <= 4 * GRID

    every_seed(main, range(10))


def test_a_cancelled_call_in_an_executor_may_happen_all_the_same() -> None:
    async def main(loop: SimulatedLoop) -> int:
        calls: list[int] = []
        task = asyncio.create_task(asyncio.to_thread(calls.append, 1))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(1)
        return len(calls)

    assert {outcome.result for outcome in every_seed(main, range(30))} == {0, 1}


def test_grid_delays_lie_on_the_grid() -> None:
    rng = random.Random(1)
    drawn = {round(grid(rng, 0.05) / GRID, 6) for _ in range(200)}
    assert drawn == {0, 1, 2, 3, 4, 5}
