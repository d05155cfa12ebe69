"""What `twikit-pool top` and `events` make of what the service tells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from twikit_pool.cli.event_lines import line_of, one_line
from twikit_pool.cli.top.acts import acts_of_pool, acts_of_row, emergency_stop
from twikit_pool.cli.top.facts import facts
from twikit_pool.cli.top.known import Known
from twikit_pool.cli.top.words import budget, countdown, duration, since


def test_what_comes_from_elsewhere_cannot_steer_a_terminal() -> None:
    assert one_line("locked\x1b[2J\r\n\u202eevil") == "locked [2J   evil"
    message = {
        "type": "account_state_changed",
        "pool_id": "a",
        "account_id": "b\x07",
        "reason": "\x1b]0;x\x07",
    }
    assert "\x1b" not in line_of(message)
    assert "\x07" not in line_of(message)
    told = facts({"state": "locked\x1b[31m", "reason": "\x1b[2J", "tags": ["\x1b"]})
    assert "\x1b" not in told.plain


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (None, "-"),
        (0, "0 s"),
        (0.031, "31 ms"),
        (4.25, "4.2 s"),
        (59, "59 s"),
        (700, "12 min"),
        (7200, "2 h"),
        (400_000, "5 d"),
    ],
)
def test_durations_are_short(seconds: float | None, says: str) -> None:
    assert duration(seconds) == says


def test_countdowns() -> None:
    assert [countdown(each) for each in (None, -3, 245, 3723)] == ["-", "0:00", "4:05", "1:02:03"]
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert since("2026-01-01T00:00:00+00:00", moment + timedelta(seconds=5)) == 5
    assert since("soon") is None


def test_a_budget_tells_what_is_left_and_when_more_comes() -> None:
    told = {"endpoint": "CreateTweet", "left": 1, "expected": 50, "returns_in": 245.0}
    assert budget(told).plain == "50 CreateTweet 4:05"
    assert budget({**told, "expected": 0}).plain == "0 CreateTweet 4:05"
    assert budget(None).plain == ""


def test_an_act_sends_what_was_typed_or_says_what_is_missing() -> None:
    stop = emergency_stop("a/b")
    assert stop.path == "/v1/pools/a%2Fb/emergency-stop"
    assert stop.body({"reason": " drill ", "pause": ""}) == {"reason": "drill"}
    assert stop.body({"reason": "drill", "pause": "60"}) == {"reason": "drill", "pause": 60.0}
    for typed in ({"reason": ""}, {"reason": "x", "pause": "soon"}, {"reason": "x", "pause": "-1"}):
        with pytest.raises(ValueError, match=r"Reason|Seconds"):
            stop.body(typed)
    resume = acts_of_pool("a")[0]
    assert resume.body({}) is None
    assert (resume.allowed("read"), resume.allowed("operate"), resume.allowed("admin")) == (False, True, True)
    assert acts_of_row("a", {"priority": 1}) == ()
    row: dict[str, Any] = {"health": 1.0, "connection_id": "brand#1", "account_id": "brand"}
    assert "/v1/pools/a/connections/brand%231/close" in [each.path for each in acts_of_row("a", row)]


def test_what_is_known_follows_what_is_told() -> None:
    known = Known()
    known.note({"type": "snapshot", "pools": [{"pool_id": "a", "status": {"total": 3}, "metrics": None}]})
    known.note(
        {"type": "pool_status_update", "topic": "pool_updates", "pool_id": "a", "status": {"active": 1}}
    )
    assert known.pools["a"].status == {"total": 3, "active": 1}
    metrics = {"interval": 2.0, "active_connections": 1, "calls": 10, "queued_requests": 0}
    known.note({"type": "metrics_collected", "topic": "pool_updates", "pool_id": "a", "metrics": metrics})
    assert list(known.pools["a"].calls.values) == [5.0]
    assert not known.events, "figures are no events"
    known.note({"type": "emergency_stop", "topic": "alerts", "pool_id": "a", "reason": "drill"})
    assert known.stops["a"] == "drill"
    assert known.events[0]["type"] == "emergency_stop"
    known.note({"type": "snapshot", "pools": []})
    assert not known.pools
