"""The pool against a plain model of it: a list of those who wait, and who holds what.

Hypothesis draws what happens; after each step everything runs to rest, and what the pool has done is judged
by rules that a person can check: whoever could be served is served, nobody is overtaken by someone who
comes after him in the order of service, and everyone has what he may have.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.simulation.simulated_loop import SimulatedLoop
from tests.simulation.simulated_x import SimulatedX, account, pool_of
from twikit_pool.config import HEAD_STARTS, ConnectionPoolConfig
from twikit_pool.errors import AcquireTimeoutError, EmergencyStopped
from twikit_pool.pool import ConnectionPriority, ConnectionRequest, ConnectionState, Lease, Mode
from twikit_pool.pool.connection import SHELVED

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from twikit_pool.pool import Reservation

ENDPOINTS: Final = ("FavoriteTweet", "SearchTimeline")
OWNERS: Final = ("spring", "spring", "autumn")
"""Mostly the same one, so that they meet."""
CAPABLE: Final = frozenset({"long_posts"})
NUMBERS: Final = (0, 1, 2)
NUMBER: Final = st.sampled_from(NUMBERS)
SECONDS: Final = st.sampled_from([1.0, 4.0, 9.0, 30.0])
PRIORITIES: Final = st.sampled_from(ConnectionPriority)

MOMENT: Final = 0.001
"""Enough for everything that is ready to run: the loop's time stands still until nothing is."""
APART: Final = 0.1
"""Seconds between two deadlines, so that each is judged by itself; a slot of the pool's takes a fifth."""


@dataclass
class Asked:
    """One request, and what has become of it."""

    request: ConnectionRequest
    task: asyncio.Task[Lease]
    came: float
    number: int
    judged: bool = False
    cancelled: bool = False

    @property
    def lease(self) -> Lease | None:
        task = self.task
        return task.result() if task.done() and not task.cancelled() and task.exception() is None else None


@dataclass
class Account:
    """What the model knows of an account; each has one connection at most."""

    id: str
    capabilities: frozenset[str]
    barred_until: float = 0.0
    closed: set[str] = field(default_factory=set[str])
    reservation: Reservation | None = None
    holder: Asked | None = None


class PoolMachine(RuleBasedStateMachine):
    """One pool, its users, and a model of both."""

    @initialize(accounts=st.integers(1, 3), cramped=st.booleans(), fair=st.booleans())
    def open_pool(self, accounts: int, cramped: bool, fair: bool) -> None:
        self.most = max(1, accounts - cramped)
        config = ConnectionPoolConfig(
            min_connections=0,
            max_connections=self.most,
            acquire_timeout=None,
            max_idle_time=None,
            max_lifetime=None,
            leak_warning=None,
            enable_health_checks=False,
            enable_priority_queuing=not fair,
        )
        self.head_starts = (0.0,) * 5 if fair else HEAD_STARTS
        self.accounts = {
            f"a{n}": Account(f"a{n}", CAPABLE if n == 0 else frozenset()) for n in range(accounts)
        }
        self.loop = SimulatedLoop(order="fifo")
        asyncio.set_event_loop(self.loop)
        self.x = SimulatedX(self.loop)
        self.pool = pool_of(
            self.x,
            [account(each.id, capabilities=each.capabilities) for each in self.accounts.values()],
            config,
        )
        self.asked: list[Asked] = []
        self.deadlines: dict[float, None] = {}
        self.run(self.pool.open())

    def run(self, what: Coroutine[Any, Any, None]) -> None:
        """Do this, and let everything come to rest."""
        self.loop.run_until_complete(what)
        self.loop.run_until_complete(asyncio.sleep(MOMENT))

    def step(self, act: Callable[..., object], *args: Any) -> None:
        """Do this in one step of the loop, and judge what comes of it."""

        async def main() -> None:
            act(*args)

        self.run(main())
        self.judge()

    # ------------------------------------------------------------ time

    def lasting(self, seconds: float) -> float:
        """A duration of about this length whose end is no other deadline's."""
        while any(abs(self.loop.time() + seconds - each) < APART for each in self.deadlines):
            seconds += APART
        self.deadlines[self.loop.time() + seconds] = None
        return seconds

    def pass_time(self, seconds: float) -> None:
        """Go from deadline to deadline, judging what each of them brings."""
        until = self.loop.time() + seconds
        while due := [each for each in self.deadlines if each <= until]:
            first = min(due)
            del self.deadlines[first]
            self.run(asyncio.sleep(max(0.0, first + APART / 2 - self.loop.time())))
            self.judge()
        self.run(asyncio.sleep(max(0.0, until - self.loop.time())))
        self.judge()

    def clear_the_road(self) -> None:
        """No deadline passes in the middle of the next step."""
        self.pass_time(APART)

    # ------------------------------------------------------------ the model

    def account(self, number: int) -> Account:
        return self.accounts[f"a{number % len(self.accounts)}"]

    @property
    def reservations(self) -> list[Reservation]:
        return [each.reservation for each in self.accounts.values() if each.reservation is not None]

    def look(self) -> None:
        """What time alone changes: windows open, and reservations end."""
        for each in self.accounts.values():
            windows = self.pool.sessions.windows(each.id)
            each.closed = {endpoint for endpoint in ENDPOINTS if windows.wait(endpoint) > 0}
            if each.reservation is not None and each.reservation.ended is not None:
                each.reservation = None

    def owner_priority(self, name: str | None) -> int:
        return max((each.priority for each in self.reservations if each.reserved_for == name), default=0)

    def rank(self, asked: Asked) -> float:
        priority = max(asked.request.priority, self.owner_priority(asked.request.reserved_for))
        return asked.came + self.head_starts[priority - 1]

    def before(self, one: Asked, other: Asked) -> bool:
        """Whether one is to be served before the other, beyond doubt."""
        mine, his = self.rank(one), self.rank(other)
        same = (one.request.priority, one.request.reserved_for) == (
            other.request.priority,
            other.request.reserved_for,
        )
        return (mine, one.number) < (his, other.number) if same else mine < his - 1e-6

    def can_serve(self, each: Account, asked: Asked) -> bool:
        request = asked.request
        owner = None if each.reservation is None else each.reservation.reserved_for
        return (
            each.barred_until <= self.loop.time()
            and request.account_id in (None, each.id)
            and request.endpoint not in each.closed
            and request.capabilities <= each.capabilities
            and owner in (None, request.reserved_for)
        )

    @property
    def waiting(self) -> list[Asked]:
        return [each for each in self.asked if not each.task.done()]

    @property
    def held(self) -> list[Asked]:
        return [each.holder for each in self.accounts.values() if each.holder is not None]

    # ------------------------------------------------------------ judging

    def judge(self) -> None:
        """What the pool has done since the last time was right."""
        self.look()
        granted: list[tuple[Account, Asked]] = []
        for asked in self.asked:
            if asked.task.done() and not asked.judged:
                asked.judged = True
                if (lease := asked.lease) is not None and lease.held:
                    granted.append((self.accounts[lease.account_id], asked))
                else:
                    self.judge_end(asked)
        for each, asked in granted:
            assert each.holder is None, f"{each.id} has two holders"
            each.holder = asked
            assert self.can_serve(each, asked), f"{each.id} does not fit {asked.request}"
            overtaken = [
                other for other in self.waiting if self.can_serve(each, other) and self.before(other, asked)
            ]
            assert not overtaken, f"{asked.request} came before {overtaken[0].request}"
        if self.pool.mode is Mode.OPEN:
            self.judge_who_waits()

    def judge_end(self, asked: Asked) -> None:
        if asked.task.cancelled():
            assert asked.cancelled
            return
        error = asked.task.exception()
        if isinstance(error, AcquireTimeoutError):
            assert asked.request.timeout is not None
            assert self.loop.time() >= asked.came + asked.request.timeout
        else:
            assert isinstance(error, EmergencyStopped), error
            assert asked.request.priority < ConnectionPriority.CRITICAL

    def judge_who_waits(self) -> None:
        """The first rule: nobody waits whom a connection could serve that is free, or could be opened."""
        room = self.pool.size < self.most or self.pool.counts()[ConnectionState.IDLE] > 0
        open_now = {each.account_id for each in self.pool.connections()}
        for asked in self.waiting:
            timeout = asked.request.timeout
            assert timeout is None or self.loop.time() < asked.came + timeout + APART / 2, "outstayed"
            for each in self.accounts.values():
                if each.holder is None and self.can_serve(each, asked):
                    assert each.id not in open_now, f"{each.id} is free and {asked.request} waits"
                    assert not room, f"{each.id} could be opened and {asked.request} waits"

    @invariant()
    def states_agree(self) -> None:
        pool = self.pool
        assert {each.id for each in pool.connections() if each.leased} == {
            asked.lease.connection.id for asked in self.held if asked.lease is not None
        }
        assert pool.waiting == len(self.waiting)
        assert pool.size <= self.most
        assert sum(pool.counts().values()) == pool.size
        owners = pool.matching.owners.values()
        shelved = [*pool.matching.idle, *(each for owner in owners for each in owner.shelf)]
        assert len(shelved) == len({each.id for each in shelved})
        assert {each.id for each in shelved} == {
            each.id for each in pool.connections() if each.state in SHELVED
        }
        assert not [each for each in shelved if each.spent], "it is to be closed, and lies there to be taken"

    # ------------------------------------------------------------ what happens

    # Few rules, each for several things: hypothesis leaves some rules out of each example.

    @rule(
        priority=PRIORITIES,
        endpoint=st.sampled_from([None, *ENDPOINTS]),
        number=st.sampled_from([None, None, *NUMBERS]),
        capable=st.booleans(),
        owner=st.sampled_from([None, None, None, *OWNERS]),
        seconds=st.none() | SECONDS,
        times=st.sampled_from([1, 1, 2, 3]),
    )
    def acquire(
        self,
        priority: ConnectionPriority,
        endpoint: str | None,
        number: int | None,
        capable: bool,
        owner: str | None,
        seconds: float | None,
        times: int,
    ) -> None:
        """Several who ask for the same in the same moment."""
        self.clear_the_road()
        request = ConnectionRequest(
            account_id=None if number is None else self.account(number).id,
            endpoint=endpoint,
            capabilities=CAPABLE if capable and number in (None, 0) else frozenset(),
            priority=priority,
            reserved_for=owner,
            timeout=None if seconds is None else self.lasting(seconds),
        )
        serving = self.pool.mode is Mode.OPEN
        kept = {each.account_id for each in self.pool.connections() if each.state is ConnectionState.RESERVED}
        first = len(self.asked)
        for _ in range(times):
            task = self.loop.create_task(self.lease(request))
            self.asked.append(Asked(request, task, self.loop.time(), len(self.asked)))
        asked = self.asked[first]
        own = [each for each in map(self.accounts.get, kept) if each and self.can_serve(each, asked)]
        self.step(lambda: None)
        if own and serving:
            assert asked.lease is not None
            assert asked.lease.account_id in {each.id for each in own}, "an owner's own come first"

    async def lease(self, request: ConnectionRequest) -> Lease:
        return await self.pool.acquire(request)

    @rule(data=st.data(), how=st.sampled_from(["release", "release", "cancel", "both"]))
    def end(self, data: st.DataObject, how: str) -> None:
        self.clear_the_road()
        if how == "cancel" and self.waiting:
            self.step(self.give_up, data.draw(st.sampled_from(self.waiting)))
        if how == "release" and self.held:
            self.step(self.give_back, data.draw(st.sampled_from(self.held)))
        if how == "both" and self.held:
            then = data.draw(st.sampled_from(["", "quarantine", "reserve", "suspend"]))
            self.step(self.release_and_cancel, data.draw(st.sampled_from(self.held)), then)

    def give_back(self, asked: Asked) -> Account:
        assert asked.lease is not None
        each = self.accounts[asked.lease.account_id]
        asked.lease.release()
        each.holder = None
        return each

    def give_up(self, asked: Asked) -> None:
        asked.cancelled = True
        asked.task.cancel()

    def release_and_cancel(self, asked: Asked, then: str) -> None:
        """All in one step, as when a caller gives up in the very moment of the hand-over."""
        each = self.give_back(asked)
        served = [other for other in self.waiting if self.can_serve(each, other)]
        if then == "quarantine":
            self.bar(each, 4.0)
        elif then == "suspend":
            self.pool.suspend(self.lasting(1.0))
        elif then == "reserve" and each.reservation is None:
            self.keep(each, OWNERS[0], ConnectionPriority.NORMAL, 4.0)
        for other in served:
            if not any(self.before(better, other) for better in served):
                self.give_up(other)

    @rule(seconds=st.sampled_from([0.5, 3.0, 12.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.pass_time(seconds)

    @rule(
        number=NUMBER,
        how=st.sampled_from(["close", "close", "quarantine", "lift"]),
        endpoint=st.sampled_from(ENDPOINTS),
        seconds=SECONDS,
    )
    def change_account(self, number: int, how: str, endpoint: str, seconds: float) -> None:
        self.clear_the_road()
        each = self.account(number)
        if how == "close":
            self.step(self.pool.sessions.windows(each.id).rest, endpoint, self.lasting(seconds))
        elif how == "quarantine":
            self.step(self.bar, each, seconds)
        else:
            each.barred_until = 0.0
            self.step(self.pool.end_quarantine, each.id)

    def bar(self, each: Account, seconds: float) -> None:
        seconds = self.lasting(seconds)
        each.barred_until = self.loop.time() + seconds
        self.pool.quarantine(each.id, "the test says so", seconds)

    @rule(
        number=NUMBER,
        how=st.sampled_from(["reserve", "reserve", "extend", "release", "priority", "priority"]),
        owner=st.sampled_from(OWNERS),
        priority=PRIORITIES,
        seconds=SECONDS,
    )
    def change_reservation(
        self, number: int, how: str, owner: str, priority: ConnectionPriority, seconds: float
    ) -> None:
        self.clear_the_road()
        each = self.account(number)
        reservation = each.reservation
        if how == "reserve" and reservation is None:
            self.step(self.keep, each, owner, priority, seconds)
        elif how == "extend" and reservation is not None:
            self.step(reservation.extend, self.lasting(seconds))
        elif how == "release" and reservation is not None:
            self.step(reservation.release)
        elif how == "priority":
            self.step(self.pool.set_priority, owner, priority)

    def keep(self, each: Account, owner: str, priority: ConnectionPriority, seconds: float) -> None:
        each.reservation = self.pool.reserve(each.id, owner, priority, self.lasting(seconds))

    @rule(how=st.sampled_from(["resume", "resume", "suspend", "stop"]), seconds=st.none() | SECONDS)
    def change_mode(self, how: str, seconds: float | None) -> None:
        self.clear_the_road()
        lasts = None if seconds is None else self.lasting(seconds)
        if how == "resume":
            self.step(self.pool.resume)
        elif how == "suspend":
            self.step(self.pool.suspend, lasts)
        elif lasts is not None:
            self.step(partial(self.pool.emergency_stop, "the test says so", pause=lasts))
            assert all(each.request.priority >= ConnectionPriority.CRITICAL for each in self.waiting)

    async def close(self) -> None:
        for each in self.asked:
            each.task.cancel()
            if each.lease is not None:
                each.lease.release()
        await self.pool.shutdown()

    def teardown(self) -> None:
        self.run(self.close())
        assert all(link.closed for link in self.x.links)
        assert not asyncio.all_tasks(self.loop)
        asyncio.set_event_loop(None)
        self.loop.close()


PoolMachine.TestCase.settings = settings(
    max_examples=400,
    stateful_step_count=40,
    deadline=None,
    database=None,
    derandomize=False,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much),
)

TestThePoolDoesWhatTheModelDoes = pytest.mark.timeout(60)(PoolMachine.TestCase)
