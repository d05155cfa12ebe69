"""The engine: when alerts fire and are over, who is told of what, and how often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from twikit_pool.alerts.alert import Alert, AlertState, Silence
from twikit_pool.alerts.engine import GRACE, AlertEngine
from twikit_pool.alerts.notice import Notice
from twikit_pool.alerts.rules import BUILT_IN, Rule, Severity, rules_of
from twikit_pool.errors import AlertNotFound

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
FULL = Rule(
    name="full",
    metric="utilization",
    above=0.9,
    clear_at=0.8,
    lasting=60.0,
    cooldown=600.0,
    message="it is full",
)


class Time:
    """A clock that goes as it is told."""

    def __init__(self, began: float = 1_000.0) -> None:
        self.passed = 0.0
        self._began = began

    def monotonic(self) -> float:
        return self._began + self.passed

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.passed)


class Scene:
    """An engine, looked at every ten seconds."""

    def __init__(self, *rules: Rule, time: Time | None = None) -> None:
        self.time = time or Time()
        self.changes: list[tuple[str, Alert]] = []
        self.engine = AlertEngine(
            {rule.name: rule for rule in rules},
            self.time,
            lambda change, alert: self.changes.append((change, alert)),
        )
        self.told: list[Notice] = []

    def run(self, seconds: float, *, pool: str | None = "p", **figures: float | None) -> list[str]:
        """The figures are these for so long; who is told of what."""
        before = len(self.told)
        for _ in range(round(seconds / 10)):
            self.time.passed += 10
            self.engine.measured(pool, figures)
            self.told += self.engine.settle()
        return [each.kind for each in self.told[before:]]

    def see(self, seconds: float, *names: str, rule: str = "lost") -> list[Notice]:
        """The rule is about these for so long."""
        before = len(self.told)
        for _ in range(round(seconds / 10)):
            self.time.passed += 10
            self.engine.found("p", {rule: {name: f"{name} is ill" for name in names}})
            self.told += self.engine.settle()
        return self.told[before:]

    @property
    def names(self) -> list[str]:
        return [change for change, _ in self.changes if change != "kept"]


LOST = Rule(name="lost", lasting=20.0, cooldown=600.0, of_accounts=True, message="accounts are lost")


# ---------------------------------------------------------------- figures


def test_it_fires_after_its_time_and_is_over_at_the_other_level() -> None:
    scene = Scene(FULL)
    assert scene.run(60, utilization=0.95) == []
    assert scene.run(10, utilization=0.95) == ["firing"]
    [alert] = scene.engine.alerts()
    assert alert.state is AlertState.FIRING
    assert alert.began_at == BEGAN + timedelta(seconds=10)
    assert alert.fired_at == BEGAN + timedelta(seconds=70)
    assert (alert.value, alert.level, alert.count, alert.names) == (0.95, 0.9, 0, ())
    assert "utilization (share of their time that connections were leased) is 95%" in alert.why
    assert "fires above 90% for 60 s, and is over at 80%" in alert.why
    assert scene.run(600, utilization=0.85) == [], "between the levels it stays as it is"
    assert scene.run(10, utilization=0.8) == ["resolved"]
    assert scene.engine.alerts()[0].resolved_at is not None
    assert scene.run(600, utilization=0.85) == [], "and so it does when it does not fire"
    assert scene.names == ["fired", "resolved"]


def test_what_does_not_last_does_not_fire() -> None:
    scene = Scene(FULL)
    for _ in range(20):
        assert scene.run(60, utilization=0.95) == []
        assert scene.run(10, utilization=0.5) == []
    assert scene.engine.alerts() == []


def test_a_value_that_is_not_known_is_beyond_no_level() -> None:
    scene = Scene(FULL)
    assert scene.run(100, utilization=0.95) == ["firing"]
    assert scene.run(10, utilization=None) == ["resolved"]


def test_a_figure_that_is_not_measured_now_stays_as_it_was() -> None:
    scene = Scene(FULL)
    scene.run(100, utilization=0.95)
    assert scene.run(100, queued_requests=3) == []
    assert scene.engine.alerts()[0].open


def test_a_level_from_below() -> None:
    scene = Scene(Rule(name="few", metric="calls", below=1.0, clear_at=5.0, lasting=0.0))
    assert scene.run(10, calls=0.5) == ["firing"]
    assert scene.run(10, calls=3) == []
    assert scene.run(10, calls=5) == ["resolved"]


def test_pools_are_apart_and_a_rule_is_for_those_that_it_names() -> None:
    scene = Scene(msgspec.structs.replace(FULL, pools=("a",)))
    assert scene.run(100, pool="a", utilization=1.0) == ["firing"]
    assert scene.run(100, pool="b", utilization=1.0) == []
    scene = Scene(FULL)
    assert scene.run(100, pool="a", utilization=1.0) == ["firing"]
    assert scene.run(100, pool="b", utilization=1.0) == ["firing"]
    assert {each.pool_id for each in scene.engine.alerts()} == {"a", "b"}


def test_a_rule_that_is_switched_off_is_not_looked_at() -> None:
    scene = Scene(msgspec.structs.replace(FULL, enabled=False))
    assert scene.run(100, utilization=1.0) == []
    assert scene.engine.rules == {}


def test_a_pool_that_is_gone_has_no_alerts() -> None:
    scene = Scene(FULL)
    scene.run(100, utilization=1.0)
    scene.engine.only_pools(["other"])
    assert [each.kind for each in scene.engine.settle()] == ["resolved"]


# ---------------------------------------------------------------- how often


def test_what_comes_and_goes_is_one_alert_and_is_told_once_in_its_cooldown() -> None:
    scene = Scene(FULL)
    kinds: list[str] = []
    for _ in range(6):  # 140 s each: 840 s
        kinds += scene.run(70, utilization=0.95)
        kinds += scene.run(70, utilization=0.5)
    assert len(scene.engine.alerts()) == 1
    alert = scene.engine.alerts()[0]
    assert alert.times == 6
    assert kinds == ["firing", "resolved", "firing", "resolved"], "600 s later it is told again"


def test_what_still_holds_after_the_cooldown_is_told_although_it_had_been_over() -> None:
    scene = Scene(FULL)
    assert scene.run(70, utilization=0.95) == ["firing"]
    assert scene.run(10, utilization=0.5) == ["resolved"]
    assert scene.run(500, utilization=0.95) == []
    assert scene.run(100, utilization=0.95) == ["firing"]


def test_what_holds_on_is_told_once() -> None:
    scene = Scene(FULL)
    assert scene.run(100_000, utilization=0.95) == ["firing"]
    assert scene.engine.alerts()[0].told == 1


def test_what_comes_back_after_the_cooldown_is_another_alert() -> None:
    scene = Scene(FULL)
    scene.run(70, utilization=0.95)
    scene.run(610, utilization=0.5)
    assert scene.run(70, utilization=0.95) == ["firing"]
    assert len({each.id for each in scene.engine.alerts()}) == 2
    assert len({each.key for each in scene.told}) == 3


def test_alerts_that_are_over_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twikit_pool.alerts.engine.MOST_KEPT", 3)
    rule = msgspec.structs.replace(FULL, lasting=0.0, cooldown=0.0)
    scene = Scene(rule)
    for _ in range(10):
        scene.run(10, utilization=1.0)
        scene.run(10, utilization=0.0)
    assert len(scene.engine.alerts()) == 3


# ---------------------------------------------------------------- many at once


def test_many_that_are_ill_are_one_alert_with_their_number_and_names() -> None:
    scene = Scene(LOST)
    names = [f"a{number:02}" for number in range(30)]
    [notice] = scene.see(30, *names)
    [alert] = scene.engine.alerts()
    assert (alert.count, alert.names) == (30, tuple(names))
    assert notice.title == "[warning] pool p: accounts are lost (30)"
    assert "a00, a01" in notice.text
    assert "a19 and 10 more" in notice.text
    assert "a00: a00 is ill; a01: a01 is ill" in alert.why
    assert "and 10 more" in alert.why
    assert "told_names" not in notice.alert


def test_others_are_told_after_the_cooldown_and_all_at_once() -> None:
    scene = Scene(LOST)
    [first] = scene.see(30, "a1")
    assert scene.see(300, "a1", "a2", "a3") == []
    [second] = scene.see(300, "a1", "a2", "a3")
    assert first.alert["names"] == ("a1",)
    assert second.alert["names"] == ("a1", "a2", "a3")
    assert first.key != second.key
    assert first.alert_id == second.alert_id
    assert scene.names == ["fired", "changed"]
    assert scene.see(10_000, "a2", "a3") == [], "that one is well again is no news"
    assert [each.kind for each in scene.see(10)] == ["resolved"]


def test_one_that_is_new_waits_for_its_time_too() -> None:
    scene = Scene(LOST)
    scene.see(30, "a1")
    scene.see(10, "a1", "a2")
    assert scene.engine.alerts()[0].names == ("a1",)
    scene.see(20, "a1", "a2")
    assert scene.engine.alerts()[0].names == ("a1", "a2")


# ---------------------------------------------------------------- people


def test_what_is_acknowledged_is_told_no_more_but_that_it_is_over() -> None:
    scene = Scene(msgspec.structs.replace(FULL, cooldown=0.0))
    scene.run(70, utilization=1.0)
    alert = scene.engine.alerts()[0]
    known = scene.engine.acknowledge(alert.id, by="me", note="looking")
    assert (known.state, known.acknowledged_by, known.note) == ("acknowledged", "me", "looking")
    assert scene.run(1000, utilization=1.0) == []
    assert scene.run(10, utilization=0.1) == ["resolved"]
    with pytest.raises(AlertNotFound, match="is over since"):
        scene.engine.acknowledge(alert.id)
    with pytest.raises(AlertNotFound, match="there is no alert 'x'"):
        scene.engine.acknowledge("x")


def test_what_is_acknowledged_fires_again_when_it_is_about_others() -> None:
    scene = Scene(LOST)
    scene.see(30, "a1")
    scene.engine.acknowledge(scene.engine.alerts()[0].id)
    assert scene.see(600, "a1") == []
    [notice] = scene.see(50, "a1", "a2")
    assert notice.kind == "firing"
    assert scene.engine.alerts()[0].state is AlertState.FIRING


def silence(scene: Scene, seconds: float, **of: Any) -> Silence:
    made = Silence(
        id=str(len(scene.engine.silences)),
        until=scene.time.now() + timedelta(seconds=seconds),
        created_at=scene.time.now(),
        **of,
    )
    scene.engine.silence(made)
    return made


@pytest.mark.parametrize("of", [{}, {"rule": "full"}, {"pool_id": "p"}, {"rule": "full", "pool_id": "p"}])
def test_what_is_silenced_is_shown_and_told_when_the_silence_ends(of: dict[str, str]) -> None:
    scene = Scene(FULL)
    silence(scene, 500, **of)
    assert scene.run(400, utilization=1.0) == []
    [alert] = scene.engine.alerts()
    assert alert.open
    assert scene.engine.silenced(alert)
    assert scene.run(200, utilization=1.0) == ["firing"]
    assert not scene.engine.silenced(alert)
    assert scene.engine.silences == []


@pytest.mark.parametrize("of", [{"rule": "other"}, {"pool_id": "q"}, {"account_id": "a1"}])
def test_what_a_silence_does_not_cover_is_told(of: dict[str, str]) -> None:
    scene = Scene(FULL)
    silence(scene, 500, **of)
    assert scene.run(100, utilization=1.0) == ["firing"]


def test_one_account_is_silenced_and_the_others_are_told() -> None:
    scene = Scene(LOST)
    made = silence(scene, 5000, account_id="a1")
    assert scene.see(100, "a1") == []
    [notice] = scene.see(100, "a1", "a2")
    assert notice.kind == "firing"
    assert scene.see(1000, "a1", "a2") == []
    scene.engine.end_silence(made.id)
    assert [each.kind for each in scene.see(10, "a1", "a2")] == ["firing"]
    with pytest.raises(AlertNotFound, match="has ended, or never was"):
        scene.engine.end_silence(made.id)


def test_what_is_over_while_it_is_silenced_is_not_told() -> None:
    scene = Scene(FULL)
    scene.run(100, utilization=1.0)
    silence(scene, 500)
    assert scene.run(10, utilization=0.0) == []


# ---------------------------------------------------------------- a restart


def again(scene: Scene, *rules: Rule, down: float = 100.0) -> tuple[Scene, list[Notice]]:
    """The program begins anew, with what the other knew."""
    time = Time(began=5.0)
    time.passed = scene.time.passed + down
    fresh = Scene(*rules, time=time)
    return fresh, fresh.engine.restore(scene.engine.alerts(), scene.engine.silences)


def delivered(scene: Scene) -> None:
    for each in scene.told:
        scene.engine.delivered(each.alert_id or "", each.number, well=True)


def test_what_still_holds_after_a_restart_is_not_told_again() -> None:
    scene = Scene(FULL, LOST)
    scene.run(100, utilization=1.0)
    scene.see(100, "a1", "a2")
    delivered(scene)
    fresh, due = again(scene, FULL, LOST)
    assert due == []
    fresh.told += fresh.engine.settle()
    for _ in range(20):
        fresh.run(10, utilization=0.95)
        fresh.see(10, "a1", "a2")
    assert fresh.told == []
    assert {each.id for each in fresh.engine.alerts()} == {each.id for each in scene.engine.alerts()}
    assert all(each.open for each in fresh.engine.alerts())
    assert fresh.run(10, utilization=0.1) == ["resolved"]


def test_what_holds_no_more_is_over_after_a_while() -> None:
    scene = Scene(LOST)
    scene.see(100, "a1")
    delivered(scene)
    fresh, _ = again(scene, LOST)
    assert fresh.see(GRACE - 10) == [], "the accounts may not be there yet"
    assert [each.kind for each in fresh.see(20)] == ["resolved"]


def test_a_value_that_is_well_ends_it_at_once() -> None:
    scene = Scene(FULL)
    scene.run(100, utilization=1.0)
    fresh, _ = again(scene, FULL)
    assert fresh.run(10, utilization=0.85) == [], "it is still between the levels"
    assert fresh.run(10, utilization=0.5) == ["resolved"]


def test_what_was_not_sent_is_sent_with_the_same_key() -> None:
    scene = Scene(FULL)
    scene.run(100, utilization=1.0)
    _, due = again(scene, FULL)
    assert [each.key for each in due] == [each.key for each in scene.told]
    delivered(scene)
    assert scene.engine.alerts()[0].delivery == "sent"


def test_what_was_known_stays_known_and_silences_stay() -> None:
    scene = Scene(FULL)
    scene.run(100, utilization=1.0)
    delivered(scene)
    scene.engine.acknowledge(scene.engine.alerts()[0].id)
    silence(scene, 10_000, rule="other")
    fresh, _ = again(scene, FULL)
    assert fresh.run(1000, utilization=1.0) == []
    assert fresh.engine.alerts()[0].state is AlertState.ACKNOWLEDGED
    assert [each.rule for each in fresh.engine.silences] == ["other"]


def test_an_alert_whose_rule_is_gone_is_over() -> None:
    scene = Scene(FULL)
    scene.run(100, utilization=1.0)
    fresh, _ = again(scene)
    [alert] = fresh.engine.alerts()
    assert alert.state is AlertState.RESOLVED


# ---------------------------------------------------------------- words


def test_a_message_says_what_since_when_why_and_what_to_do() -> None:
    scene = Scene(BUILT_IN["queue_long"])
    scene.run(70, queued_requests=25)
    [notice] = scene.told
    assert notice.title == "[warning] pool p: requests wait in a long line"
    lines = notice.text.splitlines()
    assert [line.partition(":")[0] for line in lines[:-1]] == ["What", "Since", "Why", "Do"]
    assert "2026-01-01 00:00:10 UTC" in lines[1]
    assert (
        "queued_requests (requests that wait) is 25; it fires above 10 for 60 s, and is over at 5" in lines[2]
    )
    assert msgspec.json.decode(notice.body())["alert"]["severity"] == "warning"


def test_a_rule_without_words_tells_its_figure() -> None:
    rule = rules_of({"mine": {"metric": "timed_out", "above": 0, "for": 0}})["mine"]
    scene = Scene(rule)
    scene.run(10, timed_out=3)
    assert scene.told[0].title == "[warning] pool p: timed_out is beyond its level"
    assert scene.told[0].severity is Severity.WARNING
