"""Alerts: what is wrong, who knows of it, and of what nobody is told for a while."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from twikit_pool.alerts import Alert, AlertState, DestinationStatus, Rule, Severity, Silence, Tried
from twikit_pool.errors import PoolError
from twikit_pool.service.access import Caller
from twikit_pool.service.routes.paging import USUAL, Limit, Offset, Text, part
from twikit_pool.service.service import Serving
from twikit_pool.service.tokens import Scope

if TYPE_CHECKING:
    from twikit_pool.alerts import AlertWatch
    from twikit_pool.service.service import Service

InState = Annotated[AlertState | None, QueryParameter(name="state")]
"""`state` itself is a word of Litestar's."""

Words = Annotated[str, msgspec.Meta(max_length=500)]
Named = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Note(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What there is to say for whoever finds it."""

    note: Words = ""


class NewSilence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of what nobody is to be told: all that is named must agree; naming nothing is everything.

    Attributes:
        seconds: for how long.
        rule: alerts of this rule.
        pool_id: alerts of this pool.
        account_id: alerts about this account.
        reason: why, for whoever finds it.
    """

    seconds: Annotated[float, msgspec.Meta(gt=0, le=31_536_000)]
    rule: Named | None = None
    pool_id: Named | None = None
    account_id: Named | None = None
    reason: Words = ""


class AlertInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong, or was; docs/alerts.md.

    Attributes:
        id: names it; the same after a restart.
        rule: which rule it comes from.
        severity: how much it matters.
        pool_id: whose; null when it is about the process.
        state: firing, acknowledged or resolved.
        silenced: whether nobody is told of it now.
        message: what is wrong.
        why: the numbers against the level, or what each of those named meets.
        advice: what to do about it.
        value, level: the figure as it was last, and where the rule fires; null for a state.
        count: accounts, endpoints and the like that it is about; 0 where it is about none in particular.
        names: the first thousand of them.
        began_at: since when it holds, in UTC.
        fired_at: when it had held for long enough.
        times: how often it came back within its rule's cooldown.
        told_at: when the latest message was sent that it fires; null before the first.
        delivery: what became of the latest message: none, waiting, sent or failed.
        acknowledged_at, acknowledged_by, note: who knows of it, and what they say.
        resolved_at: when it was over; null while it holds.
    """

    id: str
    rule: str
    severity: Severity
    pool_id: str | None
    state: AlertState
    silenced: bool
    message: str
    why: str
    advice: str
    value: float | None
    level: float | None
    count: int
    names: tuple[str, ...]
    began_at: datetime
    fired_at: datetime
    times: int
    told_at: datetime | None
    delivery: str
    acknowledged_at: datetime | None
    acknowledged_by: str
    note: str
    resolved_at: datetime | None


class AlertPage(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the alerts, and how those do who are told of them.

    Attributes:
        total: how many there are in all, after the filters.
        offset: how many of them come before these.
        items: these; those that hold first, the latest first.
        firing: how many fire in all that nobody has acknowledged or silenced, whatever the filters.
        destinations: how each destination does.
    """

    total: int
    offset: int
    items: Sequence[AlertInfo]
    firing: int
    destinations: Sequence[DestinationStatus]


class AlertRoutes(Controller):
    """What is wrong; see docs/alerts.md."""

    path = "/v1/alerts"
    tags = ("alerts",)

    @get(opt={"scope": Scope.READ}, sync_to_thread=False)
    def list_alerts(
        self,
        service: Serving,
        in_state: InState = None,
        severity: FromQuery[Severity | None] = None,
        pool: Text = None,
        offset: Offset = 0,
        limit: Limit = USUAL,
    ) -> AlertPage:
        """Alerts that hold, the latest first, and after them the latest that are over.

        Of one state, one severity and one pool, where that is asked for.
        """
        watch = _watch(service)
        every = watch.engine.alerts()
        found = [
            each
            for each in every
            if in_state in (None, each.state)
            and severity in (None, each.severity)
            and pool in (None, each.pool_id)
        ]
        firing = [each for each in every if each.state is AlertState.FIRING]
        return AlertPage(
            total=len(found),
            offset=offset,
            items=[_told(watch, each) for each in part(found, offset, limit)],
            firing=sum(not watch.engine.silenced(each) for each in firing),
            destinations=watch.destinations,
        )

    @get("/rules", opt={"scope": Scope.READ}, sync_to_thread=False)
    def list_rules(self, service: Serving) -> list[Rule]:
        """The rules that are looked at."""
        return list(_watch(service).engine.rules.values())

    @get("/silences", opt={"scope": Scope.READ}, sync_to_thread=False)
    def list_silences(self, service: Serving) -> list[Silence]:
        """The silences that are in force, the first to end first."""
        return _watch(service).engine.silences

    @post("/silences", opt={"scope": Scope.OPERATE}, sync_to_thread=False)
    def silence(
        self, service: Serving, request: Request[Any, Caller, Any], data: JSONBody[NewSilence]
    ) -> Silence:
        """Let nobody be told of some alerts for a while. They are listed all the same."""
        watch = _watch(service)
        if data.rule is not None and data.rule not in watch.engine.rules:
            raise PoolError(f"there is no rule {data.rule!r}: there are {', '.join(watch.engine.rules)}")
        return watch.silence(
            service.sessions.clock.now() + timedelta(seconds=data.seconds),
            rule=data.rule,
            pool_id=data.pool_id,
            account_id=data.account_id,
            reason=data.reason,
            by=request.auth.token.name,
        )

    @delete("/silences/{silence:str}", opt={"scope": Scope.OPERATE}, sync_to_thread=False)
    def end_silence(self, service: Serving, silence: FromPath[str]) -> None:
        """End a silence: what still fires is told then."""
        _watch(service).end_silence(silence)

    @post("/test", opt={"scope": Scope.OPERATE}, status_code=200)
    async def try_destinations(self, service: Serving) -> list[Tried]:
        """Send a test to every destination, and say of each whether it arrived; up to 15 s."""
        return await _watch(service).test()

    @get("/{alert:str}", opt={"scope": Scope.READ}, sync_to_thread=False)
    def show_alert(self, service: Serving, alert: FromPath[str]) -> AlertInfo:
        """One alert."""
        watch = _watch(service)
        return _told(watch, watch.engine.alert(alert))

    @post("/{alert:str}/acknowledge", opt={"scope": Scope.OPERATE}, status_code=200, sync_to_thread=False)
    def acknowledge_alert(
        self,
        service: Serving,
        request: Request[Any, Caller, Any],
        alert: FromPath[str],
        data: JSONBody[Note],
    ) -> AlertInfo:
        """Say that you know: the alert is told no more, unless it comes to be about others too."""
        watch = _watch(service)
        return _told(watch, watch.acknowledge(alert, by=request.auth.token.name, note=data.note))


def _watch(service: Service) -> AlertWatch:
    watch = service.manager.attendants.alerts
    if watch is None:
        raise PoolError("nothing is looked for: alerts.enabled is false")
    return watch


def _told(watch: AlertWatch, alert: Alert) -> AlertInfo:
    values = {name: getattr(alert, name) for name in AlertInfo.__struct_fields__ if name != "silenced"}
    return AlertInfo(**values, silenced=alert.open and watch.engine.silenced(alert))
