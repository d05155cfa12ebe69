from __future__ import annotations

import random
from math import inf

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sessions.test_windows import HandClock, answered, refused, told
from twikit_pool.accounts.caps import read_caps
from twikit_pool.sessions.limits import Limit
from twikit_pool.sessions.saved_ledger import SavedLedger
from twikit_pool.sessions.windows import RateWindows


def windows_of(clock: HandClock, caps: str = "none") -> RateWindows:
    return RateWindows(clock, random.Random(1), caps=read_caps({"S": caps}))


def restarted(saved: SavedLedger, clock: HandClock, caps: str = "none") -> RateWindows:
    windows = windows_of(clock, caps)
    windows.restore(msgspec.json.decode(msgspec.json.encode(saved), type=SavedLedger))
    return windows


def test_a_remembered_window_allows_one_call_at_a_time_until_it_is_told() -> None:
    clock = HandClock()
    windows = windows_of(clock)
    windows.note(told(clock, remaining=20, reset=300))
    windows.sent("S")
    saved = windows.saved(margin=5)
    clock.seconds = 100.0
    again = restarted(saved, clock)
    assert again.known()["S"].remaining == 14  # 20, but one in flight and five of the margin
    assert (again.left("S"), again.wait("S")) == (1, 0)
    again.sent("S")
    assert (again.left("S"), again.wait("S")) == (0, inf)
    again.note(told(clock, remaining=18, reset=300))
    assert (again.left("S"), again.wait("S"), again.known()["S"].ends) == (18, 0, 301)


def test_another_window_than_the_remembered_one_replaces_it() -> None:
    clock = HandClock()
    windows = windows_of(clock)
    windows.note(told(clock, remaining=20, reset=300))
    for reset in (299, 900):
        again = restarted(windows.saved(), clock)
        again.sent("S")
        again.note(told(clock, remaining=49, reset=reset))
        assert (again.left("S"), again.known()["S"].ends) == (49, reset + 1)


def test_what_has_ended_is_forgotten_and_what_was_learned_stays() -> None:
    clock = HandClock()
    windows = windows_of(clock)
    windows.note(told(clock, remaining=49, reset=300))
    saved = windows.saved()
    clock.seconds = 301.0
    again = restarted(saved, clock)
    assert (again.known(), again.left("S"), again.limit("S")) == ({}, 1, Limit(50, 300.0))


@pytest.mark.parametrize("by", [-3600.0, -120.0, 0.0, 120.0, 3600.0])
def test_a_wall_clock_that_jumped_closes_nothing_for_longer_than_a_window(by: float) -> None:
    clock = HandClock()
    windows = windows_of(clock)
    windows.note(told(clock, remaining=0, reset=300))
    saved = windows.saved()
    clock.wrong_by = by
    clock.seconds = 10.0
    wait = restarted(saved, clock).wait("S")
    assert wait == pytest.approx(max(301 - max(by + 10, 0), 0))


def test_a_rest_stays_with_its_reason_and_refusals_go_on_doubling() -> None:
    clock = HandClock()
    windows = windows_of(clock)
    windows.rest("S", 3600, "the account's daily posts are used up")
    again = restarted(windows.saved(), clock)
    assert again.wait("S") == pytest.approx(3600)
    assert again.why_shut("S") == "the account's daily posts are used up; it opens in 1 h 0 min"
    again.note(told(clock, remaining=50, reset=300))
    assert again.wait("S") == pytest.approx(3600)
    windows = windows_of(clock)
    windows.note(refused())
    again = restarted(windows.saved(), clock)
    clock.seconds += 60
    again.note(refused())
    assert 60 <= again.wait("S") <= 120


def test_caps_go_on_where_they_were_and_follow_other_settings() -> None:
    clock = HandClock()
    windows = windows_of(clock, "10/day,4/hour")
    for _ in range(4):
        windows.sent("S")
        windows.note(answered(remaining=40))
        clock.seconds += 100
    saved = windows.saved()
    assert restarted(saved, clock, "10/day,4/hour").wait("S") == pytest.approx(3200)
    assert restarted(saved, clock, "4/day").wait("S") == pytest.approx(86_000)
    assert restarted(saved, clock, "10/day").left("S") == 1  # the window's probe
    killed = restarted(windows.saved(margin=6), clock, "10/day")
    assert (killed.left("S"), killed.wait("S")) == (0, pytest.approx(86_000))
    clock.wrong_by = -3600.0
    assert restarted(saved, clock, "4/day").wait("S") == pytest.approx(86_000)


def test_nothing_learned_is_nothing_saved() -> None:
    windows = windows_of(HandClock(), "5/day")
    windows.sent("T")
    windows.note(answered(endpoint="T"))
    saved = windows.saved(margin=3)
    assert (saved.endpoints, saved.caps) == ({}, {})


@given(st.integers(0, 60), st.integers(0, 5), st.integers(0, 10), st.integers(0, 400))
def test_i7_a_restart_never_brings_calls(remaining: int, in_flight: int, margin: int, later: int) -> None:
    clock = HandClock()
    windows = windows_of(clock)
    windows.note(told(clock, remaining=remaining, reset=300))
    for _ in range(in_flight):
        windows.sent("S")
    left = windows.left("S")
    assert left is not None
    saved = windows.saved(margin=margin)
    clock.seconds = float(later)
    again = restarted(saved, clock)
    if later < 301:
        assert again.known()["S"].remaining == max(0, left - margin)
        assert again.left("S") == (left - margin > 0)
    else:
        assert again.left("S") == 1
