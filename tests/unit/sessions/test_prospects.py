"""What is kept back for others, and what is to come, each against the plainest way to reckon it."""

from __future__ import annotations

import random
from math import floor, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sessions.test_windows import SERVER, HandClock, answered, told
from twikit_pool.accounts.caps import Cap, read_caps
from twikit_pool.sessions.ledger import ROUNDING
from twikit_pool.sessions.limits import KNOWN_LIMITS, Limit
from twikit_pool.sessions.responses import HOME, RawResponse
from twikit_pool.sessions.windows import RateWindows


def said(clock: HandClock, limit: int, remaining: int, ends: float) -> RawResponse:
    return RawResponse(
        endpoint="S",
        method="GET",
        status=200,
        limit=limit,
        remaining=remaining,
        reset=SERVER + int(ends),
        date=SERVER + clock.seconds,
    )


@given(
    limit=st.integers(1, 300),
    used=st.integers(1, 300),
    in_flight=st.integers(0, 5),
    passed=st.integers(0, 899),
    keep=st.floats(0, 0.99),
)
def test_what_is_kept_melts_with_the_window(
    limit: int, used: int, in_flight: int, passed: int, keep: float
) -> None:
    clock = HandClock()
    windows = RateWindows(clock, random.Random(1))
    windows.note(said(clock, limit, limit - 1, 900))
    windows.note(said(clock, limit, remaining := max(0, limit - used), 900))
    for _ in range(in_flight):
        windows.sent("S")
    clock.seconds = float(passed)
    share = (901 - passed) / 901
    kept, wait = floor(limit * keep * share), windows.wait("S", keep=keep)
    if remaining - in_flight > kept + 1e-6:
        assert wait == 0
    if remaining - in_flight <= 0:
        assert wait == 901 - passed
    elif wait:
        assert remaining - in_flight <= limit * keep * share + 1e-6
        clock.seconds += wait + 1e-6
        assert windows.wait("S", keep=keep) == 0
        assert clock.seconds <= 901 + 1e-6


def test_a_hungry_caller_that_keeps_a_share_spends_the_window_all_the_same() -> None:
    clock = HandClock()
    windows = RateWindows(clock, random.Random(1))
    windows.note(said(clock, 50, 49, 900))
    left = 49
    while left and clock.seconds < 900:
        clock.seconds += max(windows.wait("S", keep=0.1), 0.01)
        if windows.wait("S", keep=0.1) == 0 and clock.seconds < 900:
            left -= 1
            windows.sent("S")
            windows.note(said(clock, 50, left, 900))
    assert left == 0


@given(
    rest=st.integers(0, 20),
    ends=st.integers(1, 60),
    calls=st.integers(1, 20),
    length=st.integers(1, 40),
    seconds=st.integers(0, 300),
)
def test_windows_to_come_by_walking(rest: int, ends: int, calls: int, length: int, seconds: int) -> None:
    clock = HandClock()
    windows = RateWindows(clock, random.Random(1))
    windows.note(said(clock, calls, calls - 1, length))  # its first call, so the length is seen
    clock.seconds = 1000.0
    rest = min(rest, calls)
    windows.note(said(clock, calls, min(rest, max(calls - 2, 0)), 1000 + min(ends, length)))
    rest, opens = min(rest, max(calls - 2, 0)), min(ends, length) + 1
    if calls == 1:  # none left: it is the first call of its window all the same
        length = min(ends, length)
    walked, at = rest, opens
    while at <= seconds:
        walked += calls
        at += length + 1
    assert windows.limit("S") == Limit(calls, length)
    assert windows.prospect("S").by(seconds) == walked


@given(
    calls=st.integers(1, 6),
    period=st.integers(3, 30),
    sent=st.lists(st.integers(75, 100), max_size=8),
    seconds=st.integers(0, 100),
)
def test_capped_calls_to_come_by_walking(calls: int, period: int, sent: list[int], seconds: int) -> None:
    clock = HandClock()
    windows = RateWindows(clock, random.Random(1), caps={"S": (Cap(calls, float(period)),)})
    for at in sorted(sent):
        clock.seconds = float(at)
        windows.sent("S")
        windows.note(answered())
    clock.seconds = 100.0
    taken, walked = sorted(sent), 0
    for at in range(100, 101 + seconds):
        while sum(at - period < each <= at for each in taken) < calls:
            taken.append(at)
            walked += 1
    assert windows.prospect("S").by(seconds) == walked


def test_of_several_budgets_the_tightest_counts() -> None:
    clock = HandClock()
    windows = RateWindows(clock, random.Random(1), caps=read_caps({"S": "20/hour"}))
    assert windows.sustained("S") == 20 / 3600
    windows.sent("S")
    windows.note(said(clock, 15, 14, 900))
    prospect = windows.prospect("S")
    assert (prospect.left, prospect.limit, prospect.opens_in) == (14, Limit(15, 900.0), 0)
    assert prospect.returns_in == 901
    assert [prospect.by(seconds) for seconds in (0, 900, 901, 3599, 3600)] == [14, 14, 19, 19, 39]


def test_what_is_not_known() -> None:
    clock = HandClock()
    windows = RateWindows(clock, random.Random(1))
    prospect = windows.prospect("Nobody's")
    assert (prospect.left, prospect.limit, prospect.by(1e6), windows.sustained("Nobody's")) == (
        1,
        None,
        None,
        None,
    )
    assert prospect.returns_in == inf
    assert windows.left(HOME) is windows.prospect(HOME).left is None
    windows.rest("Nobody's", 60)
    assert windows.prospect("Nobody's").by(59) == 0
    assert windows.prospect("Nobody's").by(60) is None


def test_a_limit_is_the_one_reported_until_it_is_learned() -> None:
    clock = HandClock()
    windows = RateWindows(clock, random.Random(1))
    assert windows.limit("SearchTimeline") == KNOWN_LIMITS["SearchTimeline"] == Limit(50, 900.0)
    prospect = windows.prospect("SearchTimeline")
    assert (prospect.left, prospect.by(0), prospect.by(900), prospect.by(901)) == (1, 50, 50, 100)
    windows.sent("SearchTimeline")
    prospect = windows.prospect("SearchTimeline")
    assert (prospect.left, prospect.by(0), prospect.opens_in) == (0, 49, inf)


def test_a_window_s_length_is_seen_from_its_first_answer() -> None:
    clock = HandClock()
    windows = RateWindows(clock, random.Random(1))
    windows.note(told(clock, remaining=40, reset=5))
    assert windows.limit("S") == Limit(50, 900.0)  # it may have begun long ago
    clock.seconds = 7.0
    windows.note(told(clock, remaining=49, reset=17))
    assert windows.limit("S") == Limit(50, 10.0)
    clock.seconds = 20.0
    assert windows.limit("S") == Limit(50, 10.0)
    assert windows.sustained("S") == 50 / (10 + ROUNDING)


@pytest.mark.parametrize("in_order", [True, False])
def test_a_limit_that_changes_within_a_window_is_followed(in_order: bool) -> None:
    clock = HandClock()
    windows = RateWindows(clock, random.Random(1))
    windows.note(said(clock, 50, 40, 300))
    for _ in range(3):
        windows.sent("S")
    up = [said(clock, 50, 39, 300), said(clock, 100, 88, 300), said(clock, 100, 87, 300)]
    for each in up if in_order else reversed(up):
        windows.note(each)
    assert (windows.left("S"), windows.limit("S")) == (87, Limit(100, 900.0))
    windows.sent("S")
    windows.note(said(clock, 20, 6, 300))
    assert windows.left("S") == 6
    windows.sent("S")
    windows.note(said(clock, 10, 0, 300))
    assert (windows.left("S"), windows.limit("S")) == (0, Limit(10, 900.0))
