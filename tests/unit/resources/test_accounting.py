from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.simulation.simulated_loop import SimulatedLoop, cancel_at_every_step, simulate
from twikit_pool.pool.connection import PooledTwikitConnection
from twikit_pool.resources.accounting import CpuMeter, Stopwatch


class Cpu:
    """A CPU that takes the time it is told to."""

    def __init__(self) -> None:
        self.taken = 0.0

    def __call__(self) -> float:
        return self.taken

    def work(self, seconds: float) -> None:
        self.taken += seconds


def connection(name: str = "a#1") -> PooledTwikitConnection:
    return cast("PooledTwikitConnection", SimpleNamespace(id=name, cpu=None))


def a_meter() -> tuple[CpuMeter, Cpu]:
    cpu = Cpu()
    return CpuMeter(Stopwatch(cpu)), cpu


def bare(_: PooledTwikitConnection, call: Awaitable[Any], /) -> Awaitable[Any]:
    return call


# ---------------------------------------------------------------- what is counted


def test_what_a_call_takes_is_its_connections_and_what_runs_meanwhile_is_not() -> None:
    async def main(_: SimulatedLoop) -> None:
        meter, cpu = a_meter()
        one, other = connection("a#1"), connection("b#1")

        async def call(seconds: float) -> str:
            cpu.work(seconds)
            await asyncio.sleep(1)
            cpu.work(seconds)
            return "done"

        async def unmeasured() -> None:
            for _ in range(10):
                cpu.work(50)
                await asyncio.sleep(0.3)

        results = await asyncio.gather(meter(one, call(1)), meter(other, call(10)), unmeasured())
        assert results == ["done", "done", None]
        assert meter.spent == {"a#1": 2, "b#1": 20}
        assert (one.cpu, other.cpu) == (2, 20)
        meter.spent = {}
        await meter(one, call(3))
        assert meter.spent == {"a#1": 6}
        assert one.cpu == 8

    simulate(main)


def test_a_call_that_fails_or_is_cancelled_has_taken_what_it_took() -> None:
    async def main(_: SimulatedLoop) -> None:
        meter, cpu = a_meter()
        one = connection()

        async def call(end: Callable[[], Coroutine[Any, Any, None]]) -> None:
            cpu.work(1)
            try:
                await end()
            finally:
                cpu.work(2)

        async def fail() -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await meter(one, call(fail))
        assert one.cpu == 3
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await meter(one, call(lambda: asyncio.sleep(5)))
        assert one.cpu == 6

    simulate(main)


@pytest.mark.parametrize("meters", [1, 2])
def test_of_nested_calls_each_second_is_counted_once_for_the_innermost(meters: int) -> None:
    async def main(_: SimulatedLoop) -> None:
        cpu = Cpu()
        watch = Stopwatch(cpu)
        outside = CpuMeter(watch)
        inside = outside if meters == 1 else CpuMeter(watch)
        outer, inner, innermost = connection("o"), connection("i"), connection("m")

        async def third() -> None:
            cpu.work(100)

        async def second() -> None:
            cpu.work(10)
            await asyncio.sleep(1)
            await outside(innermost, third())
            with suppress(KeyError):
                await outside(innermost, fail())
            cpu.work(10)

        async def fail() -> None:
            cpu.work(1000)
            raise KeyError

        async def first() -> None:
            cpu.work(1)
            await inside(inner, second())
            cpu.work(1)
            await inside(inner, second())
            cpu.work(1)

        await outside(outer, first())
        assert (outer.cpu, inner.cpu, innermost.cpu) == (3, 40, 2200)
        assert outside.spent | inside.spent == {"o": 3, "i": 40, "m": 2200}
        assert cpu.taken == 2243
        assert watch.within == cpu.taken, "nothing is counted for whoever is not measured"

    simulate(main)


def test_a_call_that_outlives_the_meter_goes_on_and_is_counted_no_more() -> None:
    async def main(_: SimulatedLoop) -> None:
        meter, cpu = a_meter()
        one = connection()

        async def call() -> str:
            cpu.work(1)
            await asyncio.sleep(1)
            cpu.work(1)
            return "done"

        task = asyncio.ensure_future(meter(one, call()))
        await asyncio.sleep(0.5)
        assert one.cpu == 1
        meter.closed, one.cpu = True, None
        assert await task == "done"
        assert one.cpu is None
        assert meter.spent == {"a#1": 1}

    simulate(main)


def test_a_busy_connection_takes_more_of_the_real_thread_than_an_idle_one() -> None:
    async def main() -> None:
        meter = CpuMeter(Stopwatch())
        busy, idle = connection("busy"), connection("idle")

        async def work() -> None:
            for _ in range(5):
                ends = time.thread_time() + 0.01
                while time.thread_time() < ends:
                    pass
                await asyncio.sleep(0)

        async def rest() -> None:
            for _ in range(5):
                await asyncio.sleep(0)

        await asyncio.gather(meter(busy, work()), meter(idle, rest()))
        assert busy.cpu is not None
        assert idle.cpu is not None
        assert busy.cpu >= 0.05
        assert 0 <= idle.cpu < busy.cpu / 5

    asyncio.run(main())


# ---------------------------------------------------------------- it does what the bare call does


def told(seconds: float, result: Any) -> asyncio.Future[Any]:
    """A future that gets this result, or error, by and by, if nobody has cancelled it."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    tell = future.set_exception if isinstance(result, BaseException) else future.set_result
    loop.call_later(seconds, lambda: future.done() or tell(result))
    return future


class Oddity(BaseException):
    """What nobody expects."""


class Thrown(Exception):
    """An error to which there can be a weak reference."""


async def gives(_: list[str]) -> str:
    return "a result"


async def waits(log: list[str]) -> str:
    for n in range(3):
        await asyncio.sleep(n)
        log.append(f"slept {n}")
    return "waited"


async def awaits_a_future(log: list[str]) -> object:
    future = told(1, "from afar")
    log.append(await future)
    return future.result()


async def awaits_a_future_that_fails(log: list[str]) -> None:
    try:
        await told(1, OSError("far away"))
    finally:
        log.append("cleaned up")


async def fails(_: list[str]) -> None:
    raise Thrown("no")


async def fails_oddly(_: list[str]) -> None:
    await asyncio.sleep(0)
    raise Oddity


async def raises_stop_iteration(_: list[str]) -> None:
    raise StopIteration("no result")


async def runs_into_its_own_timeout(log: list[str]) -> str:
    try:
        async with asyncio.timeout(1):
            await asyncio.sleep(5)
    except TimeoutError:
        log.append("timed out")
    await asyncio.sleep(1)
    return "afterwards"


async def has_a_group(log: list[str]) -> list[str]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(waits(log)) for _ in range(2)]
    return [task.result() for task in tasks]


async def has_a_group_that_fails(log: list[str]) -> None:
    async def fail() -> None:
        await asyncio.sleep(1.5)
        raise ValueError("one of them")

    async with asyncio.TaskGroup() as group:
        group.create_task(waits(log))
        group.create_task(fail())


async def numbers(log: list[str]) -> AsyncIterator[int]:
    try:
        for n in range(3):
            yield await told(0, n)
    finally:
        await asyncio.sleep(0.1)
        log.append("the generator ends")


async def reads_a_generator(log: list[str]) -> list[int]:
    return [each async for each in numbers(log)]


async def swallows_a_cancellation(log: list[str]) -> str:
    try:
        await asyncio.sleep(5)
    except asyncio.CancelledError as cut:
        log.append(f"cancelled: {cut}")
    await asyncio.sleep(1)
    return "all the same"


async def takes_its_time_when_cancelled(log: list[str]) -> None:
    try:
        await asyncio.sleep(5)
    finally:
        await asyncio.sleep(1)
        log.append("cleaned up")


async def turns_a_cancellation_into_an_error(_: list[str]) -> None:
    try:
        await asyncio.sleep(5)
    except asyncio.CancelledError as cut:
        raise ValueError("it was cut") from cut


CALLS = [
    gives,
    waits,
    awaits_a_future,
    awaits_a_future_that_fails,
    fails,
    fails_oddly,
    raises_stop_iteration,
    runs_into_its_own_timeout,
    has_a_group,
    has_a_group_that_fails,
    reads_a_generator,
    swallows_a_cancellation,
    takes_its_time_when_cancelled,
    turns_a_cancellation_into_an_error,
]


def shown(error: BaseException | None) -> object:
    """An error with all that hangs on it, to compare."""
    if error is None:
        return None
    within = [shown(each) for each in error.exceptions] if isinstance(error, BaseExceptionGroup) else []
    chained = shown(error.__cause__), shown(error.__context__), error.__suppress_context__
    return type(error), error.args[:1], within, chained


@pytest.mark.parametrize("cancelled_at", [None, 0.0, 0.5, 1.0, 1.2, 2.5])
@pytest.mark.parametrize("deadline", [None, 0.7, 1.6])
@pytest.mark.parametrize("call", CALLS)
def test_whoever_waits_sees_no_difference(
    call: Callable[[list[str]], Coroutine[Any, Any, Any]],
    cancelled_at: float | None,
    deadline: float | None,
) -> None:
    def run(meter: Callable[..., Awaitable[Any]]) -> object:
        log: list[str] = []

        async def wait() -> Any:
            async with asyncio.timeout(deadline):
                return await meter(connection(), call(log))

        async def main(loop: SimulatedLoop) -> object:
            task = loop.create_task(wait())
            if cancelled_at is not None:
                await asyncio.sleep(cancelled_at)
                task.cancel("enough")
            await asyncio.wait([task])
            if task.cancelled():
                ends: object = "cancelled"
            else:
                error = task.exception()
                ends = shown(error) if error is not None else task.result()
            return ends, log, loop.time(), task.cancelling()

        return simulate(main, order="fifo").result

    assert run(CpuMeter(Stopwatch(Cpu()))) == run(bare)


@pytest.mark.parametrize("call", CALLS)
def test_i4_cancelled_at_any_step_it_sees_no_difference(
    call: Callable[[list[str]], Coroutine[Any, Any, Any]],
) -> None:
    def ends_of(meter: Callable[..., Awaitable[Any]]) -> list[object]:
        ends: list[object] = []

        async def main(loop: SimulatedLoop) -> None:
            log: list[str] = []

            async def wait() -> Any:
                return await meter(connection(), call(log))

            task = loop.create_task(wait(), name="victim")
            await asyncio.wait([task])
            error = None if task.cancelled() else task.exception()
            ends.append((task.cancelled(), shown(error), log, loop.time()))

        assert cancel_at_every_step(main) > 0
        return ends

    assert ends_of(CpuMeter(Stopwatch(Cpu()))) == ends_of(bare)


@pytest.mark.parametrize("meter", [bare, CpuMeter(Stopwatch(Cpu()))])
def test_closing_it_closes_the_call(meter: Callable[..., Awaitable[Any]]) -> None:
    log: list[str] = []

    async def call() -> None:
        try:
            await Forever()
        except GeneratorExit:
            log.append("closed")
            raise

    steps = meter(connection(), call()).__await__()
    assert next(steps) == "what it waits for"
    steps.close()
    assert log == ["closed"]
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        next(steps if meter is bare else meter(connection(), awaited()).__await__())


def awaited() -> Coroutine[Any, Any, None]:
    """A coroutine that has ended."""

    async def nothing() -> None: ...

    ended = nothing()
    ended.close()
    return ended


@pytest.mark.parametrize("meter", [bare, CpuMeter(Stopwatch(Cpu()))])
def test_a_call_that_will_not_close_is_told_of(meter: Callable[..., Awaitable[Any]]) -> None:
    async def call() -> None:
        with suppress(GeneratorExit):
            await Forever()
        await Forever()

    steps = meter(connection(), call()).__await__()
    next(steps)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        steps.close()


@pytest.mark.parametrize("meter", [bare, CpuMeter(Stopwatch(Cpu()))])
def test_what_is_sent_and_thrown_in_arrives(meter: Callable[..., Awaitable[Any]]) -> None:
    async def call() -> object:
        first = await Forever()
        with pytest.raises(Oddity):
            await Forever()
        return first, await Forever()

    steps = meter(connection(), call()).__await__()
    next(steps)
    assert steps.send(1) == "what it waits for"
    assert steps.throw(Oddity()) == "what it waits for"
    with pytest.raises(StopIteration) as end:
        steps.send(2)
    assert end.value.value == (1, 2)


class Forever:
    """Waits until it is sent something."""

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield "what it waits for")


# ---------------------------------------------------------------- nothing is held


@contextmanager
def no_collector() -> Iterator[None]:
    """What must go goes by itself."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def cut(_: list[str]) -> None:
    await told(1, None)


@pytest.mark.parametrize("call", [fails, fails_oddly, cut, takes_its_time_when_cancelled])
def test_what_a_call_raised_goes_without_the_garbage_collector(
    call: Callable[[list[str]], Coroutine[Any, Any, None]],
) -> None:
    seen: list[weakref.ref[BaseException]] = []

    def drive(steps: Any) -> None:
        """Until it raises, with an error thrown in when it waits."""
        try:
            steps.send(None)
            steps.throw(asyncio.CancelledError())
            steps.throw(Thrown())
        except BaseException as error:  # noqa: BLE001 - whatever it is
            seen.append(weakref.ref(error))

    async def main() -> None:
        drive(CpuMeter(Stopwatch(Cpu()))(connection(), call([])).__await__())

    with no_collector():
        asyncio.run(main())
        assert [each() for each in seen] == [None]


def test_an_error_goes_also_when_the_future_that_was_waited_for_holds_it() -> None:
    async def main() -> None:
        seen: list[weakref.ref[BaseException]] = []

        async def call() -> None:
            await told(0, Thrown())  # no variable of this frame holds the future

        async def fail(meter: Callable[..., Awaitable[Any]]) -> None:
            try:
                await meter(connection(), call())
            except Thrown as error:
                seen.append(weakref.ref(error))

        for meter in (bare, CpuMeter(Stopwatch(Cpu()))):
            await fail(meter)
        await asyncio.sleep(0)
        assert [each() for each in seen] == [None, None]

    with no_collector():
        asyncio.run(main())
