from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twikit_pool.sessions.budgets import STRAGGLING
from twikit_pool.sessions.limits import WINDOW
from twikit_pool.sessions.responses import HANDSHAKE_SCRIPT, HOME, USER_STATE, RawResponse, XError
from twikit_pool.sessions.windows import RateWindows

SERVER = 1_700_000_000


@dataclass
class HandClock:
    """A clock that a test moves, with a wall clock that may be wrong."""

    seconds: float = 0.0
    wrong_by: float = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(SERVER, UTC) + timedelta(seconds=self.seconds + self.wrong_by)


def told(
    clock: HandClock, remaining: int, reset: int, status: int = 200, code: int | None = None
) -> RawResponse:
    return RawResponse(
        endpoint="S",
        method="GET",
        status=status,
        errors=(XError(code=code, message=""),) if code else (),
        limit=50,
        remaining=remaining,
        reset=SERVER + reset,
        date=SERVER + clock.seconds,
    )


def refused(status: int = 429, code: int | None = None) -> RawResponse:
    errors = (XError(code=code, message=""),) if code else ()
    return RawResponse(endpoint="S", method="GET", status=status, errors=errors)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def windows(clock: HandClock) -> RateWindows:
    return RateWindows(clock, random.Random(1))


def test_an_unknown_endpoint_is_open(windows: RateWindows) -> None:
    assert windows.wait("S") == 0


@pytest.mark.parametrize("wrong_by", [-3600.0, -120.0, 0.0, 120.0, 3600.0])
def test_a_used_up_window_opens_at_its_end_however_wrong_the_clock(wrong_by: float) -> None:
    clock = HandClock(wrong_by=wrong_by)
    windows = RateWindows(clock, random.Random(1))
    windows.note(told(clock, remaining=0, reset=300))
    assert windows.wait("S") == 301
    clock.seconds = 300.9
    assert windows.wait("S") > 0
    clock.seconds = 301
    assert windows.wait("S") == 0


def test_remaining_only_falls_within_a_window(windows: RateWindows, clock: HandClock) -> None:
    windows.note(told(clock, remaining=0, reset=300))
    windows.note(told(clock, remaining=5, reset=300))
    assert windows.wait("S") > 0


def test_an_answer_of_an_earlier_window_changes_nothing(windows: RateWindows, clock: HandClock) -> None:
    windows.note(told(clock, remaining=0, reset=300))
    windows.note(told(clock, remaining=40, reset=200))
    assert windows.wait("S") > 0


def test_a_new_window_is_known_by_its_reset(windows: RateWindows, clock: HandClock) -> None:
    windows.note(told(clock, remaining=0, reset=300))
    windows.note(told(clock, remaining=49, reset=1200))
    assert windows.wait("S") == 0
    assert windows.known()["S"].remaining == 49


def test_a_reset_beyond_a_window_is_not_believed(windows: RateWindows, clock: HandClock) -> None:
    windows.note(told(clock, remaining=0, reset=86_400))
    assert windows.wait("S") <= WINDOW + 1


def test_code_88_inside_a_200_closes_the_window(windows: RateWindows, clock: HandClock) -> None:
    windows.note(told(clock, remaining=7, reset=300, code=88))
    assert windows.wait("S") == 301


def test_a_refusal_without_headers_backs_off_from_a_minute_to_a_window(
    windows: RateWindows, clock: HandClock
) -> None:
    for most in (60, 120, 240, 480, 900, 900):
        windows.note(refused())
        assert most / 2 <= windows.wait("S") <= most
        clock.seconds += windows.wait("S")
    windows.note(told(clock, remaining=10, reset=int(clock.seconds) + 300))
    clock.seconds += 400
    windows.note(refused(status=200, code=88))
    assert 30 <= windows.wait("S") <= 60


def test_thousands_of_refusals_in_a_row_wait_no_longer_than_a_window(
    windows: RateWindows, clock: HandClock
) -> None:
    for _ in range(1100):
        windows.note(refused())
        assert 0 < windows.wait("S") <= WINDOW
        clock.seconds += WINDOW


def test_a_rest_is_not_ended_by_headers(windows: RateWindows, clock: HandClock) -> None:
    windows.rest("S", 3600)
    windows.note(told(clock, remaining=50, reset=300))
    assert windows.wait("S") == 3600
    windows.rest("S", 60)
    assert windows.wait("S") == 3600


def answered(remaining: int | None = None, endpoint: str = "S", **fields: Any) -> RawResponse:
    if remaining is not None:
        fields |= {"limit": 50, "remaining": remaining, "reset": SERVER + 300, "date": SERVER}
    return RawResponse(endpoint=endpoint, method="GET", **{"status": 200, **fields})


KEEPS = (0.0, 0.1, 0.5, 0.9)


class Told:
    """Windows and what they told, with what `wait` said in that very step."""

    def __init__(self, clock: HandClock) -> None:
        self.heard: list[float] = []
        self.windows = RateWindows(clock, random.Random(1), self.changed)

    def changed(self, endpoint: str) -> None:
        self.heard.append(self.windows.wait(endpoint))


def test_an_unknown_window_allows_one_call_in_flight(windows: RateWindows) -> None:
    windows.sent("S")
    assert windows.wait("S") == inf
    assert windows.wait("T") == 0
    windows.note(answered(remaining=10))
    assert (windows.wait("S"), windows.in_flight("S")) == (0, 0)


def test_i7_calls_in_flight_count_as_used(windows: RateWindows) -> None:
    windows.note(answered(remaining=2))
    windows.sent("S")
    assert windows.wait("S") == 0
    windows.sent("S")
    assert windows.wait("S") == 301
    windows.note(answered(remaining=1))
    assert windows.wait("S") == 301  # one is left, and it is in flight
    windows.note(answered(remaining=0))
    assert windows.wait("S") == 301


def test_answers_in_another_order_free_nothing_too_early(windows: RateWindows) -> None:
    windows.note(answered(remaining=3))
    for _ in range(3):
        windows.sent("S")
    for remaining in (0, 2, 1):
        windows.note(answered(remaining=remaining))
        assert windows.wait("S") > 0


def test_an_unanswered_call_is_used(windows: RateWindows) -> None:
    windows.note(answered(remaining=2))
    windows.sent("S")
    windows.lost("S")
    assert (windows.known()["S"].remaining, windows.in_flight("S")) == (1, 0)
    windows.sent("S")
    assert windows.wait("S") > 0


def test_calls_that_were_given_up_do_not_come_back_within_the_window(
    windows: RateWindows, clock: HandClock
) -> None:
    windows.note(answered(remaining=9))
    for _ in range(3):
        windows.sent("S")
    for _ in range(2):
        windows.lost("S")
    clock.seconds = STRAGGLING
    windows.note(answered(remaining=8))
    assert windows.left("S") == 7


def test_a_call_that_never_left_is_not_used(windows: RateWindows) -> None:
    windows.note(answered(remaining=1))
    windows.sent("S")
    windows.unsent("S")
    assert (windows.known()["S"].remaining, windows.wait("S")) == (1, 0)


def test_what_x_may_not_have_counted_yet_is_taken_off_what_it_says(
    windows: RateWindows, clock: HandClock
) -> None:
    windows.sent("S")
    windows.lost("S")
    assert windows.wait("S") == 0  # nothing is known, so the next one finds out
    windows.sent("S")
    windows.note(answered(remaining=1))
    assert windows.wait("S") > 0
    windows = RateWindows(clock, random.Random(1))
    windows.lost("S")
    clock.seconds += STRAGGLING
    windows.note(answered(remaining=1))
    assert windows.wait("S") == 0


def test_an_answer_after_a_call_was_given_up_ends_no_other(windows: RateWindows) -> None:
    windows.note(answered(remaining=9))
    windows.sent("S")
    windows.lost("S")
    windows.sent("S")
    windows.note(answered(remaining=8), given_up=True)
    assert windows.in_flight("S") == 1
    windows.note(answered(status=503), given_up=True)
    assert windows.known()["S"].remaining == 7  # 8 by X, and perhaps one more on its way


def test_an_answer_without_headers_uses_a_call_of_a_known_window(windows: RateWindows) -> None:
    windows.note(answered(remaining=2))
    windows.sent("S")
    windows.note(answered(status=503))
    assert windows.known()["S"].remaining == 1


def test_where_x_tells_no_window_calls_go_side_by_side(windows: RateWindows, clock: HandClock) -> None:
    windows.sent("media/upload")
    assert windows.wait("media/upload") == inf
    windows.note(answered(endpoint="media/upload", status=503))
    windows.sent("media/upload")
    assert windows.wait("media/upload") == inf  # a failure says nothing about that
    windows.note(answered(endpoint="media/upload"))
    for _ in range(5):
        windows.sent("media/upload")
        assert windows.wait("media/upload") == 0
    windows.note(answered(endpoint="media/upload", status=429))
    assert 30 <= windows.wait("media/upload") <= 60
    clock.seconds = 60
    for _ in range(4):
        windows.lost("media/upload")
    windows.sent("media/upload")
    assert windows.wait("media/upload") == inf  # after a refusal, one finds out


def test_a_page_that_is_not_x_tells_nothing(windows: RateWindows) -> None:
    windows.sent("S")
    windows.note(answered(readable=False))
    windows.sent("S")
    assert windows.wait("S") == inf


@pytest.mark.parametrize("endpoint", [HOME, HANDSHAKE_SCRIPT, USER_STATE])
def test_handshakes_go_side_by_side_until_one_is_refused(
    windows: RateWindows, clock: HandClock, endpoint: str
) -> None:
    for _ in range(3):
        windows.sent(endpoint)
        assert windows.wait(endpoint) == 0
    windows.note(answered(endpoint=endpoint, status=429))
    assert 30 <= windows.wait(endpoint) <= 60


def test_a_window_that_ends_with_calls_in_flight_is_unknown(windows: RateWindows, clock: HandClock) -> None:
    windows.note(answered(remaining=5))
    windows.sent("S")
    clock.seconds = 302
    assert windows.wait("S") == inf
    assert windows.known() == {}
    windows.lost("S")
    assert windows.wait("S") == 0


def test_each_change_is_told_once_and_in_its_step(clock: HandClock) -> None:
    told = Told(clock)
    windows, heard = told.windows, told.heard
    windows.sent("S")
    assert heard == [inf]
    windows.note(answered(remaining=1))
    assert heard == [inf, 0]
    windows.sent("S")
    assert heard == [inf, 0, 301]
    windows.unsent("S")
    assert heard == [inf, 0, 301, 0]
    windows.sent("S")
    windows.lost("S")
    assert heard == [inf, 0, 301, 0, 301]
    clock.seconds = 301  # time opens it; whoever cares has a timer
    assert windows.wait("S") == 0
    windows.rest("S", 60)
    windows.rest("S", 30)
    windows.rest("S", 90)
    assert heard[5:] == [60, 90]


def test_what_changes_nothing_is_not_told(clock: HandClock) -> None:
    told = Told(clock)
    told.windows.sent(HOME)
    told.windows.note(answered(remaining=9))
    told.windows.sent("S")
    told.heard.clear()
    told.windows.note(answered(remaining=8))
    assert told.heard == []
    told.windows.rest("T", 60)
    told.heard.clear()
    told.windows.rest("T", 30)
    assert told.heard == []


events = st.lists(
    st.tuples(
        st.sampled_from(["sent", "note", "bare", "refuse", "lost", "unsent", "rest", "pass"]),
        st.integers(0, 5),
        st.integers(1, 900),
    ),
    max_size=40,
)


@given(events)
def test_remaining_never_rises_and_every_change_is_told(steps: list[tuple[str, int, int]]) -> None:
    clock = HandClock()
    told = Told(clock)
    windows, flying = told.windows, 0
    for what, number, seconds in steps:
        before, heard = windows.known().get("S"), len(told.heard)
        opens = [windows.opens("S", keep=keep) for keep in KEEPS]
        remaining = before.remaining if before else 0
        ends = {"note", "bare", "refuse", "lost", "unsent"}
        if what in ends:
            if not flying:
                continue
            flying -= 1
        if what == "sent":
            windows.sent("S")
            flying += 1
        elif what == "note":
            windows.note(told_at(clock, number, seconds))
        elif what == "bare":
            windows.note(answered())
        elif what == "refuse":
            windows.note(refused())
        elif what == "rest":
            windows.rest("S", seconds)
        elif what == "pass":
            clock.seconds += seconds
        else:
            getattr(windows, what)("S")
        after = windows.known().get("S")
        if after is not None and after is before:
            assert after.remaining <= remaining
        assert windows.in_flight("S") == flying
        changed = [windows.opens("S", keep=keep) for keep in KEEPS] != opens
        assert len(told.heard) > heard or what == "pass" or not changed


def told_at(clock: HandClock, remaining: int, seconds: int) -> RawResponse:
    return told(clock, remaining, int(clock.seconds) + seconds)
