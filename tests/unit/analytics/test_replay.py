from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.analytics.weeks import BEGINS, DAY, Week, event_of, minute_of, point_of
from twikit_pool.analytics.outlook import capacity_needs
from twikit_pool.analytics.recording import Facts, Recorded
from twikit_pool.analytics.replay import Replay, flaps_of, late_share_of, waste_of
from twikit_pool.analytics.report import EndpointUse
from twikit_pool.analytics.sizing import needed_of
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import ConfigError
from twikit_pool.scaling.erlang import connections_for, late_share
from twikit_pool.scaling.quality import SizeStep, clairvoyant, flaps, waste


def steady(rate: float, service: float, size: int, *, minutes: int = 1440, **more: object) -> Recorded:
    """A day at a constant load."""
    points = [
        (
            BEGINS + number * 60.0,
            point_of(
                BEGINS + number * 60.0,
                60.0,
                total=size,
                most=100,
                acquired=round(rate * 60),
                busy_time=rate * 60 * service,
                calls=round(rate * 60),
            ),
        )
        for number in range(minutes)
    ]
    return Recorded(
        pool_id="default",
        since=BEGINS,
        until=BEGINS + minutes * 60,
        minutes=[minute_of(*each) for each in points],
        hours=[],
        before=[],
        accounts=[],
        events={},
        facts=Facts(config=ConnectionPoolConfig(), **more),  # pyright: ignore[reportArgumentType]
    )


def replay_of(recorded: Recorded) -> Replay:
    return Replay(recorded, needed_of(recorded))


def test_erlangs_late_share_agrees_with_his_connections() -> None:
    for offered in (0.5, 5.0, 20.0, 90.0):
        connections = connections_for(offered, 0.4)
        assert late_share(connections, offered, 0.4) <= 0.01
        assert late_share(connections - 1, offered, 0.4) > 0.01
    assert late_share(3, 3.0, 0.4) == 1
    assert late_share(3, 0.0, 0.4) == 0


def test_as_many_as_erlang_asks_for_are_late_as_often_as_he_says() -> None:
    recorded = steady(20.0, 1.0, connections_for(20.0, 1.0))
    unmoved = ConnectionPoolConfig(enable_auto_scaling=False, min_connections=1)
    [day] = replay_of(recorded).play(unmoved)
    assert late_share_of([day]) == pytest.approx(late_share(connections_for(20.0, 1.0), 20.0, 1.0), rel=0.02)
    assert waste_of([day]) == pytest.approx(0.0, abs=1e-9)
    assert day.steps == 0


def test_more_than_there_may_be_wait_and_give_up() -> None:
    recorded = steady(20.0, 1.0, 10)
    tight = ConnectionPoolConfig(min_connections=1, max_connections=10, acquire_timeout=5.0)
    [day] = replay_of(recorded).play(tight)
    assert late_share_of([day]) > 0.95
    assert day.timed_out == pytest.approx(10.0 * DAY, rel=0.01)  # twice as many come as are served
    assert day.largest == 10


def test_it_repeats() -> None:
    recorded = steady(10.0, 1.0, 20)
    config = ConnectionPoolConfig(min_connections=2)
    assert replay_of(recorded).play(config) == replay_of(recorded).play(config)


def test_half_a_day_is_none() -> None:
    assert replay_of(steady(10.0, 1.0, 20, minutes=700)).days == ()


def test_sizes_that_rate_windows_ask_for_are_no_waste() -> None:
    recorded = steady(5.0, 0.4, 94)
    told = event_of(
        BEGINS - 1,
        "scaling",
        "scaling_decided",
        reason="5 calls a second to SearchTimeline use up the windows of 94 accounts",
    )
    recorded = replace(recorded, events={"scaling": [told]})
    assert set(needed_of(recorded)) == {94}
    [day] = replay_of(recorded).play(ConnectionPoolConfig(min_connections=2, max_connections=100))
    assert waste_of([day]) == pytest.approx(0.0, abs=0.02)


def test_only_large_steps_are_taken_back() -> None:
    steps = [SizeStep(0, 10, 15), SizeStep(60, 15, 10), SizeStep(120, 10, 11), SizeStep(180, 11, 10)]
    assert flaps(steps) == 1
    assert flaps([SizeStep(0, 10, 20), SizeStep(1000, 20, 10)]) == 0
    assert waste(30, 20) == pytest.approx(0.5)
    assert waste(3, 0) is None
    assert clairvoyant([0.0, 20.0], 0.4) == [0, 28]


def test_flapping_shows_in_a_replay(faulty_week: Week) -> None:
    recorded = faulty_week.recorded()
    replay = replay_of(recorded)
    days = replay.days[:1]
    assert flaps_of(replay.play(recorded.facts.config, days)) > 100
    assert flaps_of(replay.play(ConnectionPoolConfig(min_connections=2, max_connections=60), days)) < 20


# ---------------------------------------------------------------- capacity


def test_what_five_searches_a_second_take() -> None:
    [need] = capacity_needs(Facts(accounts=60), {"search_tweet": 5.0})
    assert need.endpoint == "SearchTimeline"
    assert need.accounts == 90
    assert need.accounts_safe == 94
    assert "need 90 accounts" in need.sentence
    assert "you have 60" in need.sentence


def test_what_is_asked_for_now_is_planned_for_too() -> None:
    told = EndpointUse(
        endpoint="SearchTimeline", accounts=10, left=100, limit=500, used=0.8, sustained=0.5, asked=0.25
    )
    [need] = capacity_needs(Facts(accounts=10, endpoints=[told]), {})
    assert need.accounts == 5
    assert need.have == 10


@pytest.mark.parametrize(
    ("what", "rate", "says"),
    [
        ("serch_tweet", 1.0, "did you mean"),
        ("search_tweet", -1.0, "no rate"),
        ("search_tweet", 1e9, "no rate"),
    ],
)
def test_plans_that_are_none_are_refused(what: str, rate: float, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        capacity_needs(Facts(), {what: rate})
