from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from twikit_pool.sessions.responses import RawResponse, XError
from twikit_pool.sessions.windows import WINDOW, RateWindows

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
    assert windows.wait("S") > 0


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


def test_a_rest_is_not_ended_by_headers(windows: RateWindows, clock: HandClock) -> None:
    windows.rest("S", 3600)
    windows.note(told(clock, remaining=50, reset=300))
    assert windows.wait("S") == 3600
    windows.rest("S", 60)
    assert windows.wait("S") == 3600
