"""Turns what is seen into alerts, and says whom to tell of what: synchronous, and without I/O.

An alert is one rule in one pool, however many accounts it is about. It begins when something has held for as
long as its rule says, and is over when nothing does any more. What comes back within the rule's cooldown is
the same alert again, and within it nobody is told twice.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

import msgspec

from twikit_pool.alerts.alert import MOST_NAMES, SHOWN, Alert, AlertState, Delivery, Silence
from twikit_pool.alerts.condition import ALONE, Condition, Holding
from twikit_pool.alerts.notice import Notice
from twikit_pool.alerts.rules import Rule
from twikit_pool.clock import Clock
from twikit_pool.errors import AlertNotFound

Change: TypeAlias = Literal["fired", "changed", "acknowledged", "resolved", "kept"]
"""What became of an alert; `kept` is nothing that anybody need be told."""

Key: TypeAlias = tuple[str, str | None]
"""A rule's name, and a pool; None is the process."""

_DELIVERIES: Final[Mapping[bool | None, Delivery]] = {True: "sent", False: "failed", None: "none"}

MOST_KEPT: Final = 1_000
"""Alerts that are over and remembered."""

MOST_SILENCES: Final = 1_000

GRACE: Final = 120.0
"""Seconds after a restart in which an alert that was known before is not over because nobody sees it yet."""


class AlertEngine:
    """All alerts.

    Args:
        rules: by name.
        clock: the time.
        on_change: called with each alert that has changed, in the same step.
    """

    def __init__(
        self, rules: Mapping[str, Rule], clock: Clock, on_change: Callable[[Change, Alert], None]
    ) -> None:
        self.rules: Final = {name: rule for name, rule in rules.items() if rule.enabled}
        self._clock = clock
        self._on_change = on_change
        self._conditions: dict[Key, Condition] = {}
        self._open: dict[Key, Alert] = {}
        self._over: deque[Alert] = deque(maxlen=MOST_KEPT)
        self._silences: dict[str, Silence] = {}

    # ------------------------------------------------------------ what is seen

    def measured(self, pool_id: str | None, figures: Mapping[str, float | None]) -> None:
        """Figures of a pool, or of the process, are these now; those that are not named stay as they were."""
        now = self._clock.monotonic()
        for rule in self.rules.values():
            if rule.metric is not None and rule.metric in figures and _is_for(rule, pool_id):
                self._condition(rule, pool_id).see_value(figures[rule.metric], now)

    def found(self, pool_id: str | None, findings: Mapping[str, Mapping[str, str]]) -> None:
        """What rules about states find in a pool now, by rule; those that are not named stay as they were."""
        now = self._clock.monotonic()
        for name, found in findings.items():
            rule = self.rules.get(name)
            if rule is not None and _is_for(rule, pool_id):
                self._condition(rule, pool_id).see(found, now)

    def only_pools(self, there: Iterable[str]) -> None:
        """There are these pools, and no others."""
        now, there = self._clock.monotonic(), set(there)
        for (_, pool_id), condition in self._conditions.items():
            if pool_id is not None and pool_id not in there:
                condition.see({}, now)

    def _condition(self, rule: Rule, pool_id: str | None) -> Condition:
        key = rule.name, pool_id
        condition = self._conditions.get(key)
        if condition is None:
            condition = self._conditions[key] = Condition(rule, pool_id)
        return condition

    # ------------------------------------------------------------ what becomes of it

    def settle(self) -> list[Notice]:
        """Let alerts fire, change and be over, as what was seen says. Returns what is to be told."""
        now = self._clock.monotonic()
        notices: list[Notice] = []
        for key, condition in list(self._conditions.items()):
            ripe, alert = condition.ripe(now), self._open.get(key)
            if ripe:
                alert = self._fire(condition, ripe) if alert is None else self._follow(alert, condition, ripe)
                notices += self._tell(alert, condition.rule)
            elif alert is not None:
                notices += self._resolve(alert, condition)
            if not condition.holding:
                del self._conditions[key]
        return notices

    def _fire(self, condition: Condition, ripe: Mapping[str, Holding]) -> Alert:
        rule, now = condition.rule, self._clock.now()
        before = next(
            (each for each in reversed(self._over) if (each.rule, each.pool_id) == _key(condition)), None
        )
        if before is not None and before.resolved_at is not None and not _past(before.resolved_at, rule, now):
            self._over.remove(before)
            alert = msgspec.structs.replace(
                before, state=AlertState.FIRING, times=before.times + 1, resolved_at=None
            )
        else:
            since = min(each.since for each in ripe.values())
            began_at = now + timedelta(seconds=since - self._clock.monotonic())
            alert = Alert(
                id=_id(rule.name, condition.pool_id, began_at),
                rule=rule.name,
                severity=rule.severity,
                pool_id=condition.pool_id,
                message=rule.message or f"{rule.metric} is beyond its level",
                why="",
                advice=rule.advice,
                level=rule.level,
                began_at=began_at,
                fired_at=now,
            )
        alert = _filled(alert, condition, ripe)
        self._keep(alert, "fired")
        return alert

    def _follow(self, alert: Alert, condition: Condition, ripe: Mapping[str, Holding]) -> Alert:
        followed = _filled(alert, condition, ripe)
        others = set(followed.names) - set(alert.names)
        if others and alert.state is AlertState.ACKNOWLEDGED:  # of these nobody knows
            followed = msgspec.structs.replace(followed, state=AlertState.FIRING)
        if followed != alert:
            changed = (alert.state, alert.count, alert.names) != (
                followed.state,
                followed.count,
                followed.names,
            )
            self._open[_key(condition)] = followed
            if changed:
                self._on_change("changed", followed)
        return followed

    def _tell(self, alert: Alert, rule: Rule) -> Iterator[Notice]:
        if alert.state is not AlertState.FIRING:
            return
        if alert.told_at is not None and not _past(alert.told_at, rule, self._clock.now()):
            return
        audible = self._audible(rule, alert.pool_id, alert.names or (ALONE,))
        new = audible - {*alert.told_names, ALONE}
        if audible and (alert.told_as != "firing" or new):
            names = tuple(sorted({*alert.told_names, *new}.intersection(alert.names)))
            yield self._notice("firing", alert, told_names=names)

    def _resolve(self, alert: Alert, condition: Condition) -> Iterator[Notice]:
        rule, now = condition.rule, self._clock.now()
        audible = self._audible(rule, alert.pool_id, alert.told_names or (ALONE,))
        told = alert.told_as == "firing"
        alert = msgspec.structs.replace(
            alert,
            state=AlertState.RESOLVED,
            resolved_at=now,
            value=condition.value,
            # Of a state what it was is still worth telling; of a figure, what it is.
            why=alert.why if rule.metric is None else condition.why({}, SHOWN),
        )
        self._open.pop(_key(condition), None)
        self._over.append(alert)
        self._on_change("resolved", alert)
        if told and audible:
            yield self._notice("resolved", alert, told_names=())

    def _notice(
        self, kind: Literal["firing", "resolved"], alert: Alert, *, told_names: tuple[str, ...]
    ) -> Notice:
        alert = msgspec.structs.replace(
            alert,
            told=alert.told + 1,
            told_as=kind,
            told_at=self._clock.now() if kind == "firing" else alert.told_at,
            told_names=told_names,
            delivery="waiting",
        )
        self._keep(alert, "kept")
        return Notice.of(kind, alert)

    def _audible(self, rule: Rule, pool_id: str | None, names: Iterable[str]) -> set[str]:
        """Those of whom somebody may be told."""
        silences = list(self._in_force())
        return {name for name in names if not any(each.covers(rule, pool_id, name) for each in silences)}

    def _keep(self, alert: Alert, change: Change) -> None:
        if alert.open:
            self._open[alert.rule, alert.pool_id] = alert
        else:
            for place, each in enumerate(self._over):
                if each.id == alert.id:
                    self._over[place] = alert
        self._on_change(change, alert)

    def delivered(self, alert_id: str, number: int, *, well: bool | None) -> None:
        """The message of this number was taken by somebody, or by nobody; None: there is nobody."""
        alert, delivery = self._by_id(alert_id), _DELIVERIES[well]
        if alert is not None and alert.told == number:
            self._keep(msgspec.structs.replace(alert, delivery=delivery), "kept")

    # ------------------------------------------------------------ what people do

    def alerts(self) -> list[Alert]:
        """Those that hold, the latest first, and after them those that are over."""
        latest_first = sorted(self._open.values(), key=lambda each: each.fired_at, reverse=True)
        return [*latest_first, *reversed(self._over)]

    def alert(self, alert_id: str) -> Alert:
        """One of them.

        Raises:
            AlertNotFound: there is none of this id, or it is forgotten.
        """
        found = self._by_id(alert_id)
        if found is None:
            raise AlertNotFound(
                f"there is no alert {alert_id!r}: `twikit-pool alerts list` shows those there are"
            )
        return found

    def _by_id(self, alert_id: str) -> Alert | None:
        return next((each for each in self.alerts() if each.id == alert_id), None)

    def silenced(self, alert: Alert) -> bool:
        """Whether nobody is to be told of it now."""
        rule = self.rules.get(alert.rule)
        return rule is not None and not self._audible(rule, alert.pool_id, alert.names or (ALONE,))

    def acknowledge(self, alert_id: str, *, by: str = "", note: str = "") -> Alert:
        """Somebody knows of it: it is told no more, unless it comes to be about others too.

        Raises:
            AlertNotFound: there is none of this id, or it is over.
        """
        alert = self.alert(alert_id)
        if not alert.open:
            raise AlertNotFound(f"alert {alert_id!r} is over since {alert.resolved_at:%Y-%m-%d %H:%M:%S} UTC")
        alert = msgspec.structs.replace(
            alert,
            state=AlertState.ACKNOWLEDGED,
            acknowledged_at=self._clock.now(),
            acknowledged_by=by,
            note=note,
        )
        self._keep(alert, "acknowledged")
        return alert

    def _in_force(self) -> Iterator[Silence]:
        now = self._clock.now()
        for each in list(self._silences.values()):
            if each.until <= now:
                del self._silences[each.id]
            else:
                yield each

    @property
    def silences(self) -> list[Silence]:
        """Those that are in force, the first to end first."""
        return sorted(self._in_force(), key=lambda each: (each.until, each.id))

    def silence(self, silence: Silence) -> None:
        """Tell nobody of what it covers, until it ends; of too many the one that ends first is dropped."""
        self._silences[silence.id] = silence
        for each in self.silences[:-MOST_SILENCES]:
            del self._silences[each.id]

    def end_silence(self, silence_id: str) -> Silence:
        """Tell of it again, from now on.

        Raises:
            AlertNotFound: there is no silence of this id, or it has ended.
        """
        found = {each.id: each for each in self._in_force()}.get(silence_id)
        if found is None:
            raise AlertNotFound(f"there is no silence {silence_id!r}: it has ended, or never was")
        del self._silences[silence_id]
        return found

    # ------------------------------------------------------------ a restart

    def restore(self, alerts: Iterable[Alert], silences: Iterable[Silence]) -> list[Notice]:
        """Go on with what was known before; returns what had not been sent by then.

        What still holds is told to nobody anew; what does not is over within `GRACE` seconds.
        """
        now, notices = self._clock.monotonic(), list[Notice]()
        self._silences |= {each.id: each for each in silences}
        for alert in sorted(alerts, key=lambda each: each.resolved_at or each.fired_at):
            rule = self.rules.get(alert.rule)
            if alert.open and rule is not None:
                condition = self._condition(rule, alert.pool_id)
                since = now - rule.lasting
                for name in alert.names or (ALONE,):
                    condition.holding[name] = Holding(since, alert.why, now + GRACE)
                self._open[alert.rule, alert.pool_id] = alert
            elif alert.open:  # its rule is gone
                self._over.append(
                    msgspec.structs.replace(alert, state=AlertState.RESOLVED, resolved_at=self._clock.now())
                )
            else:
                self._over.append(alert)
            if alert.delivery == "waiting":
                notices.append(Notice.of("firing" if alert.open else "resolved", alert))
        return notices


def _is_for(rule: Rule, pool_id: str | None) -> bool:
    return pool_id is None or not rule.pools or pool_id in rule.pools


def _key(condition: Condition) -> Key:
    return condition.rule.name, condition.pool_id


def _past(moment: datetime, rule: Rule, now: datetime) -> bool:
    """Whether the rule's cooldown is over that began at this moment."""
    return not timedelta(0) <= now - moment < timedelta(seconds=rule.cooldown)


def _filled(alert: Alert, condition: Condition, ripe: Mapping[str, Holding]) -> Alert:
    """The alert, with what is known now."""
    names = tuple(name for name in ripe if name != ALONE)
    kept = all(each.kept_until for each in ripe.values()) and condition.value is None
    return msgspec.structs.replace(
        alert,
        why=alert.why if kept else condition.why(ripe, SHOWN),
        value=condition.value,
        count=len(names),
        names=names[:MOST_NAMES],
    )


def _id(rule: str, pool_id: str | None, began_at: datetime) -> str:
    told = f"{rule}\0{pool_id}\0{began_at.isoformat()}"
    return hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=8).hexdigest()
