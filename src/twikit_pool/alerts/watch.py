"""Looks after a manager's pools, and tells when something is wrong."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from twikit_pool.alerts.alert import Alert, Silence
from twikit_pool.alerts.engine import AlertEngine, Change
from twikit_pool.alerts.findings import of_accounts, of_pool
from twikit_pool.alerts.notice import Notice
from twikit_pool.alerts.outbox import DestinationStatus, Outbox, Tried
from twikit_pool.alerts.readings import Readings, of_process
from twikit_pool.alerts.rules import BUILT_IN, Rule, Severity
from twikit_pool.errors import StoreError
from twikit_pool.events import (
    AlertAcknowledged,
    AlertChanged,
    AlertEvent,
    AlertFired,
    AlertResolved,
    ComponentDegraded,
    ComponentRecovered,
    EmergencyStop,
    Event,
    HistoryFailed,
    HistoryResumed,
    MetricsCollected,
    Subscription,
)
from twikit_pool.pool.control import Mode
from twikit_pool.pool.rounds import Rounds
from twikit_pool.redaction import without_frames

if TYPE_CHECKING:
    from twikit_pool.alerts.destination import Destination
    from twikit_pool.alerts.store import AlertStore
    from twikit_pool.clock import Clock
    from twikit_pool.pool.pools import Pools
    from twikit_pool.resources.figures import ProcessFigures

logger = logging.getLogger(__name__)

LOOK: Final = 1.0
"""Seconds between two looks."""

CLOSELY: Final = 5.0
"""Seconds between two looks at every account of a pool, and at the process; between two attempts to save."""

LAST_WORDS: Final = 5.0
"""Seconds that messages have to be sent when the program ends; what is left is sent after the next start."""

HEARD: Final = (
    MetricsCollected,
    EmergencyStop,
    ComponentDegraded,
    ComponentRecovered,
    HistoryFailed,
    HistoryResumed,
)

HISTORY: Final = "history"
"""The component that tells of itself with events of its own."""

_EVENTS: Final[Mapping[Change, type[AlertEvent]]] = {
    "fired": AlertFired,
    "changed": AlertChanged,
    "acknowledged": AlertAcknowledged,
    "resolved": AlertResolved,
}
_LEVELS: Final = {
    Severity.INFO: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.CRITICAL: logging.ERROR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """What is looked at, and who is told.

    Attributes:
        rules: by name; as `rules_of` makes them.
        destinations: who is told besides the log and the event bus.
        store: where alerts outlive a restart; None keeps them in memory alone.
    """

    rules: Mapping[str, Rule] = field(default_factory=lambda: BUILT_IN)
    destinations: Sequence[Destination] = ()
    store: AlertStore | None = None


class AlertWatch:
    """Looks after pools while it is entered; it may be entered once.

    Args:
        pools: which; those made later included.
        alerting: rules, destinations and store.
        clock: the time.
        process: what the process costs.
        rng: chance, for the pauses between attempts to send.

    Attributes:
        engine: the alerts and silences, to look at.
    """

    def __init__(
        self,
        pools: Pools,
        alerting: Alerting,
        *,
        clock: Clock,
        process: Callable[[], ProcessFigures] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._pools = pools
        self._clock = clock
        self._process = process
        self._store = alerting.store
        self.engine: Final = AlertEngine(alerting.rules, clock, self._changed)
        self._outbox: Final = Outbox(alerting.destinations, rng or random.Random(), self._delivered)  # noqa: S311 - jitter
        self._readings: dict[str, Readings] = {}
        self._stopped: dict[str, str] = {}
        """Why each pool was stopped."""
        self._degraded: dict[str | None, dict[str, str]] = {}
        """Components that are degraded, and why, by pool."""
        self._looked_closely: float | None = None
        self._subscription: Subscription | None = None
        self._rounds = Rounds("alert watch")
        self._saving = Rounds("alert store")
        self._unsaved: dict[str, Alert] = {}
        self._to_save = asyncio.Event()
        self._save_failed = ""

    async def __aenter__(self) -> Self:
        self._rounds.refuse_twice()
        notices = await self._load()
        self._subscription = self._pools.events.subscribe(*HEARD)
        self._outbox.begin()
        for each in notices:
            self._outbox.put(each)
        self._rounds.begin(self._run())
        if self._store is not None:
            self._saving.begin(self._save_all())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._rounds.end()
        finally:
            if self._subscription is not None:
                self._subscription.close()
            try:
                await self._outbox.end(LAST_WORDS)
            finally:
                try:
                    await self._saving.end()
                finally:
                    await self._save()

    # ------------------------------------------------------------ what people do

    @property
    def destinations(self) -> list[DestinationStatus]:
        """How each destination does."""
        return self._outbox.status

    def acknowledge(self, alert_id: str, *, by: str = "", note: str = "") -> Alert:
        """Somebody knows of an alert: it is told no more, unless it comes to be about others too.

        Raises:
            AlertNotFound: there is none of this id, or it is over.
        """
        return self.engine.acknowledge(alert_id, by=by, note=note)

    def silence(
        self,
        until: datetime,
        *,
        rule: str | None = None,
        pool_id: str | None = None,
        account_id: str | None = None,
        reason: str = "",
        by: str = "",
    ) -> Silence:
        """Tell nobody of alerts of this rule, this pool, about this account (all, where none is named)."""
        silence = Silence(
            id=secrets.token_hex(4),
            rule=rule,
            pool_id=pool_id,
            account_id=account_id,
            until=until,
            reason=reason,
            by=by,
            created_at=self._clock.now(),
        )
        self.engine.silence(silence)
        self._to_save.set()
        return silence

    def end_silence(self, silence_id: str) -> Silence:
        """Tell of it again.

        Raises:
            AlertNotFound: there is no silence of this id, or it has ended.
        """
        silence = self.engine.end_silence(silence_id)
        self._to_save.set()
        return silence

    async def test(self) -> list[Tried]:
        """Send a test to every destination, once, and say what came of it."""
        return await self._outbox.test(Notice.test(f"test-{secrets.token_hex(8)}"))

    # ------------------------------------------------------------ looking

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            self.look()

    def look(self) -> None:
        """Look at everything now, and tell what is due."""
        if self._subscription is None:
            return
        for event in self._subscription.take():
            self._hear(event)
        now = self._clock.monotonic()
        closely = self._looked_closely is None or now >= self._looked_closely + CLOSELY
        if closely:
            self._looked_closely = now
            if self._process is not None:
                self.engine.measured(None, of_process(self._process()))
        there = self._pools.pools
        for pool_id, pool in there.items():
            if pool.mode is not Mode.NEW:
                self.engine.found(pool_id, of_pool(pool, self._stopped.get(pool_id, "")))
                if closely:
                    self.engine.found(pool_id, of_accounts(pool))
                self.engine.measured(pool_id, {"retries_left": pool.retries.left})
        for pool_id in (None, *there, *self._degraded):
            self.engine.found(pool_id, {"component_degraded": self._degraded.get(pool_id, {})})
        self.engine.only_pools(there)
        for gone in self._readings.keys() - there.keys():
            del self._readings[gone]
        for notice in self.engine.settle():
            self._outbox.put(notice)

    def _hear(self, event: Event) -> None:
        match event:
            case MetricsCollected():
                readings = self._readings.setdefault(event.pool_id, Readings())
                self.engine.measured(event.pool_id, readings.read(event.metrics, self._clock.monotonic()))
            case EmergencyStop():
                until = event.at + timedelta(seconds=event.seconds)
                self._stopped[event.pool_id] = f"{event.reason}; until {until:%Y-%m-%d %H:%M:%S} UTC"
            case ComponentDegraded():
                self._degraded.setdefault(event.pool_id or None, {})[event.component] = event.reason
            case ComponentRecovered():
                self._degraded.get(event.pool_id or None, {}).pop(event.component, None)
            case HistoryFailed():
                self._degraded.setdefault(event.pool_id or None, {})[HISTORY] = event.reason
            case HistoryResumed():
                self._degraded.get(event.pool_id or None, {}).pop(HISTORY, None)
            case _:
                pass

    # ------------------------------------------------------------ telling

    def _changed(self, change: Change, alert: Alert) -> None:
        if self._store is not None:
            self._unsaved[alert.id] = alert
            self._to_save.set()
        kind = _EVENTS.get(change)
        if kind is None:
            return
        if change in ("fired", "resolved"):
            level = _LEVELS[alert.severity] if change == "fired" else logging.INFO
            where = "" if alert.pool_id is None else f" in pool {alert.pool_id}"
            logger.log(level, "alert %s%s: %s (%s)", change, where, alert.message, alert.why)
        bus = self._pools.events
        if bus.heard:
            bus.publish(kind(pool_id=alert.pool_id or "", at=self._clock.now(), alert=alert.plain()))

    def _delivered(self, notice: Notice, well: bool | None) -> None:
        if notice.alert_id is not None:
            self.engine.delivered(notice.alert_id, notice.number, well=well)

    # ------------------------------------------------------------ keeping

    async def _load(self) -> list[Notice]:
        if self._store is None:
            return []
        try:
            kept = await self._store.load()
        except Exception as error:  # noqa: BLE001 - a boundary: the store may be the operator's own
            self._store_fails("read", error)
            return []
        return self.engine.restore(kept.alerts, kept.silences)

    async def _save_all(self) -> None:
        while True:
            await self._to_save.wait()
            self._to_save.clear()
            await self._save()
            if self._save_failed:
                await asyncio.sleep(CLOSELY)
                self._to_save.set()

    async def _save(self) -> None:
        if self._store is None:
            return
        changed, self._unsaved = self._unsaved, {}
        try:
            await self._store.save(list(changed.values()), self.engine.silences)
        except (
            BaseException
        ) as error:  # a boundary: the store may be the operator's own; cancelled, it is as before
            self._unsaved = {**changed, **self._unsaved}
            if not isinstance(error, Exception):
                raise
            self._store_fails("written", error)
        else:
            self._save_failed = ""
            self._degraded.get(None, {}).pop("alert store", None)

    def _store_fails(self, what: str, error: Exception) -> None:
        told = str(error) if isinstance(error, StoreError) else type(without_frames(error)).__name__
        if not self._save_failed:
            logger.warning("alerts cannot be %s, and are kept in memory: %s", what, told)
        self._save_failed = told
        self._degraded.setdefault(None, {})["alert store"] = told
