"""The limit by itself, against servers made of a few lines: what it allows, and what comes of that."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from math import exp

import pytest

from tests.simulation.simulated_x import SimulatedX, account
from tests.unit.pool.scene import scene
from twikit_pool.events import BrakeChanged
from twikit_pool.pool import TwikitConnectionPool
from twikit_pool.pool.concurrency import ConcurrencyLimit
from twikit_pool.redaction import Secret
from twikit_pool.sessions.outcomes import WELL, Outcome, Taken, Verdict

USUAL = 0.3
"""Seconds that a call takes where nothing is wrong."""


def always(_now: float, _rng: random.Random) -> bool:
    return True


@dataclass
class Load:
    """So many users who call without a pause, for so long, within a limit.

    `service` is the seconds that a call takes at a moment, scattered lognormally by `sigma`. With a
    `capacity`, only so many are worked on at a time, and the others queue. Calls that do not go `well` fail
    at once.
    """

    users: int
    seconds: float = 120.0
    capacity: int | None = None
    sigma: float = 0.5
    service: Callable[[float], float] = lambda _now: USUAL
    well: Callable[[float, random.Random], bool] = always
    mix: Callable[[float], Sequence[tuple[str, float]]] = lambda _now: (("search", 1.0),)
    ceiling: int = 1000
    limits: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    latencies: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    """When calls ended well, and the seconds they had taken."""

    def run(self) -> Load:
        rng = random.Random(7)
        limit = ConcurrencyLimit(2)
        limit.set_bounds(self.ceiling, adaptive=True)
        free = [0.0] * (self.capacity or 0)
        heapify(free)
        running: list[tuple[float, int, float, str, bool]] = []
        now, idle, number = 0.0, self.users, 0
        while now < self.seconds:
            while idle and limit.in_flight < limit.limit:
                idle, number = idle - 1, number + 1
                limit.begin()
                endpoint, times = rng.choice(self.mix(now))
                works = self.service(now) * times * exp(rng.gauss(0.0, self.sigma))
                if not self.well(now, rng):
                    heappush(running, (now + 0.05, number, now, endpoint, False))
                    continue
                starts = max(now, heappop(free)) if self.capacity else now
                if self.capacity:
                    heappush(free, starts + works)
                heappush(running, (starts + works, number, now, endpoint, True))
            now, _, began, endpoint, well = heappop(running)
            limit.end(now, began, endpoint, well=well)
            idle += 1
            self.limits.append((now, limit.limit))
            if well:
                self.latencies.append((now, now - began))
        return self

    @property
    def goodput(self) -> float:
        """Calls that went well by those that could have, from a start of 15 seconds on."""
        mean = USUAL * exp(self.sigma**2 / 2)
        best = min(self.users, self.capacity or self.users) / mean * (self.seconds - 15)
        return sum(each > 15 for each, _ in self.latencies) / best

    @property
    def delay(self) -> float:
        """The mean latency as a multiple of the least there could be, after the start."""
        late = [latency for now, latency in self.latencies if now > 15]
        return sum(late) / len(late) / (USUAL * exp(self.sigma**2 / 2))

    def least(self, since: float, until: float = 1e9) -> int:
        """The lowest limit in a time."""
        return min(limit for now, limit in self.limits if since <= now <= until)

    def at(self, moment: float) -> int:
        """The limit at a moment."""
        return next(limit for now, limit in reversed(self.limits) if now <= moment)


@pytest.mark.parametrize("sigma", [0.0, 0.3, 0.5])
@pytest.mark.parametrize("users", [1, 5, 20, 100, 500])
def test_who_is_well_is_never_held_back(users: int, sigma: float) -> None:
    load = Load(users, sigma=sigma).run()
    assert load.least(since=15) >= users
    assert load.goodput >= 0.95


def test_widely_scattered_latencies_do_not_bring_it_down() -> None:
    load = Load(500, sigma=0.8, seconds=200).run()
    assert load.least(since=30) >= 100
    assert load.goodput >= 0.95


@pytest.mark.parametrize("sigma", [0.0, 0.5])
@pytest.mark.parametrize("capacity", [30, 50, 200])
def test_a_server_that_queues_is_kept_busy_and_hardly_queues(capacity: int, sigma: float) -> None:
    load = Load(500, capacity=capacity, sigma=sigma, seconds=300).run()
    assert load.goodput >= 0.95
    assert load.delay <= 1.5


def test_the_queue_is_not_taken_for_usual_in_the_long_run() -> None:
    load = Load(300, capacity=30, seconds=3600).run()
    late = [latency for now, latency in load.latencies if now > 3300]
    assert sum(late) / len(late) <= 1.5 * USUAL * exp(0.5**2 / 2)


@pytest.mark.parametrize("users", [20, 100, 500])
def test_it_lets_go_in_an_outage_and_comes_back_within_a_minute(users: int) -> None:
    load = Load(users, seconds=180, well=lambda now, _: not 60 < now < 90).run()
    assert load.least(60, 90) == 2
    assert load.at(150) >= users
    assert load.least(since=150) >= users


def test_a_tenth_of_failures_costs_some_and_half_of_them_nearly_all() -> None:
    assert Load(500, well=lambda _, rng: rng.random() < 0.9).run().least(since=30) > 20
    assert Load(500, well=lambda _, rng: rng.random() < 0.5).run().at(119) <= 8
    assert Load(20, well=lambda _, rng: rng.random() < 0.97).run().least(since=30) >= 20


def test_a_lasting_slowness_that_fewer_calls_do_not_mend_is_accepted() -> None:
    load = Load(500, seconds=180, service=lambda now: USUAL if now < 60 else 3 * USUAL).run()
    assert load.least(60, 70) < 600
    assert load.at(120) >= 500


def test_also_by_a_limit_that_cannot_fall_any_more() -> None:
    trouble = Load(
        30,
        seconds=240,
        service=lambda now: USUAL if now < 60 else 3 * USUAL,
        well=lambda now, _: not 55 < now < 70,
    ).run()
    assert trouble.at(70) == 2
    assert trouble.at(200) >= 30


def test_a_change_of_mix_is_no_slowdown() -> None:
    few, many = (("like", 1.0),) * 9 + (("search", 4.0),), (("like", 1.0),) + (("search", 4.0),) * 9
    load = Load(100, mix=lambda now: few if now < 60 else many).run()
    assert load.least(since=15) >= 100


def test_a_few_slow_accounts_are_none_either() -> None:
    slow = (("search", 1.0),) * 9 + (("search", 12.0),)
    load = Load(100, mix=lambda now: slow if now > 60 else slow[:9]).run()
    assert load.least(since=15) >= 100


def test_what_is_not_used_says_nothing_and_a_ceiling_holds() -> None:
    assert max(limit for _, limit in Load(3, sigma=0.0).run().limits) == 20
    assert max(limit for _, limit in Load(500, ceiling=40).run().limits) == 40
    assert max(limit for _, limit in Load(500, ceiling=1).run().limits) == 1


def test_one_that_does_not_adapt_stays_at_its_ceiling_until_it_does() -> None:
    limit = ConcurrencyLimit(1)
    limit.set_bounds(300, adaptive=False)
    for _ in range(300):
        limit.begin()
    for _ in range(300):
        limit.end(1.0, 0.0, None, well=False)
    assert (limit.limit, limit.in_flight, limit.why) == (300, 0, "")
    limit.set_bounds(300, adaptive=True)
    assert limit.limit == 20


def test_it_says_why() -> None:
    limit = ConcurrencyLimit(1)
    for _ in range(20):
        limit.begin()
    for _ in range(10):
        limit.end(1.0, 0.5, "search", well=False)
    assert (limit.limit, limit.why) == (10, "10 of 10 calls failed")


# ---------------------------------------------------------------- in a pool

PROXIED = [
    account("a0"),
    account("a1", proxy=Secret("http://user:canary@proxy.test:8080")),
    account("a2", proxy=Secret("socks5://user:canary@proxy.test")),
]


@scene(PROXIED)
async def test_it_tells_of_all_calls_and_of_each_proxy_without_its_password(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    for each in PROXIED:
        await pool.execute("get_user_by_id", user_id="1", account=each.id)
    told = pool.brake()
    assert (told.fleet.name, told.fleet.limit, told.fleet.in_flight, told.fleet.waiting) == ("all", 20, 0, 0)
    assert [each.name for each in told.proxies] == ["direct", "proxy.test:8080", "proxy.test"]
    assert "canary" not in repr(told)


@scene(PROXIED)
async def test_what_finds_no_way_to_x_concerns_its_proxy_alone(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    unreachable = Verdict(outcome=Outcome.TRANSIENT, taken=Taken.NO, connected=False)
    brake = pool.calls.brake
    with pool.events.subscribe(BrakeChanged) as heard:
        async with pool.acquire() as lease:
            turns = [brake.begin(lease.connection, "mine", "Likes", 1.0) for _ in range(20)]
            assert brake.begin(lease.connection, "mine", "Likes", 1.0) is None
            await asyncio.sleep(0.1)
            for turn in turns:
                assert turn is not None
                turn.end(unreachable)
                turn.end(WELL)  # the first word counts
        told = pool.brake()
        assert (told.fleet.limit, told.fleet.in_flight) == (20, 0)
        assert [each.limit for each in told.proxies] == [10]
        assert told.proxies[0].why == "10 of 10 calls failed"
        (event,) = heard.take()
    assert isinstance(event, BrakeChanged)
    assert (event.name, event.limit, event.before, event.reason) == (
        told.proxies[0].name,
        10,
        20,
        "10 of 10 calls failed",
    )


@scene(1)
async def test_limits_of_proxies_that_nobody_has_any_more_are_forgotten(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    for number in range(500):
        pool.matching.members["a0"].account = account("a0", proxy=Secret(f"http://p{number}.test:1"))
        await pool.execute("get_user_by_id", user_id="1")
    assert len(pool.brake().proxies) <= 66
