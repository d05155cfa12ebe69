"""CPU of calls: the time that their coroutines run, step by step.

A task runs its coroutine in steps, from one await that has to wait to the next. `time.thread_time` before
and after each step of a call tells what the call took, whatever else the thread does between two of them.
What runs in other tasks, in threads or in the event loop itself is not the call's: reading from sockets,
TLS, looking names up, connecting to one of several addresses.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final, TypeVar

from twikit_pool.pool.connection import PooledTwikitConnection

T = TypeVar("T")


class Stopwatch:
    """Times steps of one thread that may lie within each other, each second once: for the innermost.

    Args:
        thread_cpu: seconds of CPU that the thread has taken.
    """

    __slots__ = ("thread_cpu", "within")

    def __init__(self, thread_cpu: Callable[[], float] = time.thread_time) -> None:
        self.thread_cpu: Final = thread_cpu
        self.within = 0.0
        """Seconds of the steps that were made within the one that runs."""


class CpuMeter:
    """Adds up what the calls of each connection take of this thread's CPU.

    Args:
        stopwatch: shared by the meters whose calls may be made within each other's.

    Attributes:
        spent: seconds by connection id, since this was last emptied.
        closed: whether nothing is added up any more, for calls that are under way still.
    """

    __slots__ = ("_stopwatch", "closed", "spent")

    def __init__(self, stopwatch: Stopwatch) -> None:
        self._stopwatch = stopwatch
        self.spent: dict[str, float] = {}
        self.closed = False

    def __call__(self, connection: PooledTwikitConnection, call: Awaitable[T], /) -> Awaitable[T]:
        """The same call, stepped under the clock."""
        return _Stepped(self, connection, call)

    def step(self, connection: PooledTwikitConnection, resume: Callable[[Any], Any], value: object) -> Any:
        """Let a call of this connection take one step; raises and returns what that does."""
        watch = self._stopwatch
        outer, watch.within = watch.within, 0.0
        began = watch.thread_cpu()
        try:
            return resume(value)
        finally:
            # An error that was thrown in comes out again, with this frame: it must not hold the error.
            value = None
            whole = watch.thread_cpu() - began
            own = whole - watch.within
            watch.within = outer + whole
            if not self.closed:
                connection.cpu = (connection.cpu or 0.0) + own
                self.spent[connection.id] = self.spent.get(connection.id, 0.0) + own


class _Stepped(Awaitable[T]):
    """An awaitable that does what the one within does, each of its steps under the clock."""

    __slots__ = ("_call", "_connection", "_meter")

    def __init__(self, meter: CpuMeter, connection: PooledTwikitConnection, call: Awaitable[T]) -> None:
        self._meter = meter
        self._connection = connection
        self._call = call

    def __await__(self) -> Generator[Any, Any, T]:
        # `yield from`, as PEP 380 spells it out, around a clock. This frame is in the traceback of what the
        # call raises, so it lets go of the error and of the future that may hold it: a cycle of the three
        # would wait for the garbage collector.
        steps = self._call.__await__()
        step, connection = self._meter.step, self._connection
        resume: Callable[[Any], Any] = steps.send
        value: object = None
        while True:
            try:
                waits_for = step(connection, resume, value)
            except StopIteration as end:
                return end.value
            finally:
                value = None
            try:
                value = yield waits_for
                resume = steps.send
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as thrown:  # noqa: BLE001 - whatever it is, it is for the call
                resume, value = steps.throw, thrown
            finally:
                waits_for = None
