"""Caps against a list of all calls, and the account's ledger with caps on its stack."""

from __future__ import annotations

import random
from math import floor, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sessions.test_windows import HandClock, Told, answered, told
from twikit_pool.accounts.caps import Cap, read_caps
from twikit_pool.sessions.budgets import SLICES, RollingCap
from twikit_pool.sessions.limits import DEFAULT_CAPS
from twikit_pool.sessions.windows import RateWindows, in_words


def capped(clock: HandClock, **caps: str) -> RateWindows:
    return RateWindows(clock, random.Random(1), caps=read_caps(caps))


@pytest.mark.parametrize("calls", [1, 7, SLICES, 200])
@given(
    steps=st.lists(
        st.tuples(st.floats(0, 40), st.sampled_from(["send", "send", "first", "last"])), max_size=120
    )
)
def test_i7_a_cap_holds_in_every_period(calls: int, steps: list[tuple[float, str]]) -> None:
    cap = RollingCap(Cap(calls, 100.0))
    now, sent = 0.0, list[float]()
    for pause, what in steps:
        now += pause
        if what != "send":  # one of the last half minute never left after all
            recent = [i for i, at in enumerate(sent) if now - at <= 30]
            if recent:
                del sent[recent[0 if what == "first" else -1]]
                cap.give_back(now)
        elif cap.opens(now, 0.0) <= now:
            cap.count(now)
            sent.append(now)
        in_period = sum(now - at < 100 for at in sent)
        assert in_period <= calls
        cap.roll(now)
        assert in_period <= cap.used
        assert len(cap.slices(now)) <= SLICES


@pytest.mark.parametrize("calls", [10, 1000])
def test_a_hungry_caller_gets_nearly_all_of_a_cap(calls: int) -> None:
    cap, now, sent = RollingCap(Cap(calls, 100.0)), 0.0, 0
    while now < 1000:
        if (opens := cap.opens(now, 0.0)) > now:
            now = opens
            continue
        cap.count(now)
        sent += 1
        now += 0.01
    assert 0.97 * calls * 10 <= sent <= calls * 10


def test_the_memory_of_a_cap_is_bounded_even_where_calls_go_past_it() -> None:
    for calls in (1, 10_000):
        cap = RollingCap(Cap(calls, 1000.0))
        for n in range(20_000):
            cap.count(n * 0.07)
            assert len(cap.slices(n * 0.07)) <= SLICES + 1


@given(st.integers(1, 60), st.floats(0, 0.99), st.integers(0, 60))
def test_a_share_of_a_cap_is_kept(calls: int, keep: float, used: int) -> None:
    cap = RollingCap(Cap(calls, 100.0))
    for n in range(used := min(used, calls)):
        cap.count(float(n))
    now = float(used)
    while cap.opens(now, keep) > now:
        before, now = now, cap.opens(now, keep)
        assert now > before
    cap.roll(now)
    assert calls - cap.used > floor(calls * keep) or cap.used == 0


def test_a_cap_closes_an_endpoint_and_says_so() -> None:
    clock = HandClock()
    windows = capped(clock, CreateTweet="2/day")
    clock.seconds = 100
    for _ in range(2):
        assert windows.wait("CreateTweet") == 0
        windows.sent("CreateTweet")
        windows.note(answered(remaining=290, endpoint="CreateTweet"))
        clock.seconds += 20
    assert (windows.wait("CreateTweet"), windows.left("CreateTweet")) == (86_400 - 40, 0)
    clock.seconds = 100 + 86_400 - 4320
    assert windows.why_shut("CreateTweet") == (
        "the cap of 2 CreateTweet calls a day is used up; next in 1 h 12 min"
    )
    clock.seconds = 100 + 86_400
    assert (windows.wait("CreateTweet"), windows.left("CreateTweet")) == (0, 1)


def test_calls_that_never_left_are_given_back_and_all_others_count() -> None:
    clock = HandClock()
    windows = capped(clock, S="3/hour")
    windows.sent("S")
    windows.unsent("S")
    assert windows.left("S") == 1
    windows.sent("S")
    windows.lost("S")
    windows.sent("S")
    windows.note(told(clock, remaining=0, reset=300, status=429))
    clock.seconds = 302
    windows.sent("S")
    assert (windows.left("S"), windows.wait("S")) == (0, inf)
    windows.note(answered(remaining=9))
    assert windows.wait("S") == 3600 - 302


def test_a_cap_of_0_is_never_open() -> None:
    windows = capped(HandClock(), S="0")
    assert (windows.wait("S"), windows.left("S"), windows.sustained("S")) == (inf, 0, 0)
    assert windows.why_shut("S") == "S is switched off by its cap"


def test_posts_short_and_long_count_against_one_cap() -> None:
    clock, heard = HandClock(), list[str]()
    windows = RateWindows(clock, random.Random(1), heard.append, DEFAULT_CAPS)
    heard.clear()
    windows.sent("CreateTweet")
    assert set(heard) == {"CreateTweet", "CreateNoteTweet"}
    windows.note(answered(remaining=299, endpoint="CreateTweet"))
    for n in range(49):
        windows.sent("CreateTweet" if n % 2 else "CreateNoteTweet")
        windows.note(answered(remaining=299, endpoint="CreateTweet" if n % 2 else "CreateNoteTweet"))
    for endpoint in ("CreateTweet", "CreateNoteTweet"):
        assert (windows.left(endpoint), windows.wait(endpoint)) == (0, 86_400)
    windows.cap(read_caps({"CreateTweet": "60/day"}))
    assert windows.left("CreateNoteTweet") == 10
    windows.cap({})
    assert windows.wait("CreateTweet") == 0


def test_the_tightest_of_several_caps_wins() -> None:
    clock = HandClock()
    windows = capped(clock, S="2/10s,3/hour")
    for wait in (0, 10, 10, 3580):
        clock.seconds += windows.wait("S")
        windows.sent("S")
        windows.note(answered(remaining=40))
        assert windows.wait("S") in (wait, 3600 - clock.seconds)
        if windows.left("S") == 0 and clock.seconds:
            break
    assert windows.wait("S") == 3600 - clock.seconds


def test_caps_are_told_as_they_change() -> None:
    told_of = Told(HandClock())
    told_of.windows.cap(read_caps({"S": 0}))
    assert told_of.heard == [inf]
    told_of.windows.cap(read_caps({"S": 1}))
    assert told_of.heard == [inf, 0]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (119, "119 s"),
        (150, "2 min"),
        (4320, "1 h 12 min"),
        (3600, "1 h 0 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_a_call_that_takes_the_place_of_one_that_left_the_period_is_told() -> None:
    clock = HandClock()
    told_of = Told(clock)
    windows = told_of.windows
    windows.cap(read_caps({"S": "2/10s"}))
    for at in (0.0, 5.0):
        clock.seconds = at
        windows.sent("S")
        windows.note(answered())  # X tells no window here, so the cap alone holds
    clock.seconds = 10.0
    told_of.heard.clear()
    windows.sent("S")
    assert told_of.heard == [5]
