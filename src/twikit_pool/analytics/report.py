"""A report, as data. Times are seconds and moments UTC; rates are per second, shares go from 0 to 1.

docs/reports.md has the formula and the source of every figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds, from merged histograms: right to 1%. None when nothing was counted."""

    count: int
    average: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    max: float | None


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """Whether callers were served.

    Attributes:
        measured: share of the timeframe that was measured: while the program ran.
        minutes: share of the minutes with requests in which at least one was served; None without any.
        requests: share of the requests that had a connection; None without any.
        calls: share of the calls that went well, or failed by the caller's own fault; None without any.
        longest_gap: seconds of the longest time that nothing was measured.
    """

    measured: float
    minutes: float | None
    requests: float | None
    calls: float | None
    longest_gap: float


class Throughput(msgspec.Struct, frozen=True, kw_only=True):
    """What was done.

    Attributes:
        calls: calls that ended; `calls_per_second` on the mean of the measured time.
        requests: requests that came.
        timed_out: those among them that waited in vain.
        peak_calls_per_second: in the busiest hour, which began at `peak_at`.
        load: mean erlangs that were asked for; `peak_load` in the busiest minute.
        outcomes: calls by outcome.
    """

    calls: int
    calls_per_second: float
    requests: int
    timed_out: int
    peak_calls_per_second: float
    peak_at: datetime | None
    load: float
    peak_load: float
    outcomes: dict[str, int]


class ErrorBudget(msgspec.Struct, frozen=True, kw_only=True):
    """What may go wrong by the objective, and what did.

    Attributes:
        objective: share of requests and calls that is to go well.
        allowed: how many may fail in this time.
        failed: how many did: calls that failed by no fault of their caller, and requests that timed out.
        used: share of the budget that is used; more than 1 when it is overdrawn. None without calls.
        by_day: the same of each day (UTC), by its date.
    """

    objective: float
    allowed: float
    failed: int
    used: float | None
    by_day: dict[str, float]


class EndpointUse(msgspec.Struct, frozen=True, kw_only=True):
    """How much of X's windows is used on an endpoint; now, since the history does not tell endpoints apart.

    Attributes:
        endpoint: its name.
        accounts: how many can ever do it.
        left: calls that can be sent now; None when no limit is known.
        limit: calls a window of all accounts together; None when no limit is known.
        used: share of that limit that is used now.
        sustained: calls a second that all accounts can go on with for ever.
        asked: calls a second that were asked for, on the mean since the pool was made.
    """

    endpoint: str
    accounts: int
    left: int | None
    limit: int | None
    used: float | None
    sustained: float | None
    asked: float | None


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a figure rises or falls beyond what chance and the hour of the day explain.

    Attributes:
        figure: which.
        unit: of it.
        direction: "flat" unless it is significant and of any size.
        per_day: by how much it changes in a day; from `low` to `high` with 95%.
        relative: the same as a share of its median.
        p: how often chance alone gives as much.
        values: how many hours, or means of some hours, it rests on.
    """

    figure: str
    unit: str
    direction: Literal["rising", "falling", "flat"]
    per_day: float
    low: float
    high: float
    relative: float | None
    p: float
    values: int


class BusyHour(msgspec.Struct, frozen=True, kw_only=True):
    """An hour of the week (UTC), and its mean load in erlangs; weekday 0 is Monday."""

    weekday: int
    hour: int
    load: float


class HeatMap(msgspec.Struct, frozen=True, kw_only=True):
    """The load by weekday (Monday first) and hour, in UTC.

    Attributes:
        load: mean erlangs; None where nothing was measured.
        late: share of the requests that waited longer than the pool's `scaling_target_wait`.
        busiest: the five hours with most load.
    """

    load: list[list[float | None]]
    late: list[list[float | None]]
    busiest: list[BusyHour]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the pool's size, with the reason that was given."""

    at: datetime
    before: int
    size: int
    reason: str


class ScalingQuality(msgspec.Struct, frozen=True, kw_only=True):
    """How well the pool was sized.

    Attributes:
        hours: connection-hours that there were.
        needed_hours: those that somebody would have taken who knows each minute's load.
        waste: the former over the latter, less one.
        late: share of the requests that waited longer than `target_wait` seconds, in vain or not.
        late_objective: the share that may (`scaling_late_share`).
        late_by_hour: the same by hour of the day (UTC); None without requests.
        short_minutes: minutes in which there were fewer connections than were needed.
        at_most_minutes: those among them in which there could be no more: `max_connections`.
        ups, downs: steps up and down.
        flaps: large steps (3 connections and a quarter of the size, at least) that another large one took
            back within 15 minutes; `flaps_a_day` of them.
        peak_needed: connections that the busiest minute needed.
        most: connections that there might be, as last set.
        held: how often each constraint held a decision back.
        steps: the last 200 changes of size, the latest first.
    """

    hours: float
    needed_hours: float
    waste: float | None
    late: float | None
    target_wait: float
    late_objective: float
    late_by_hour: list[float | None]
    short_minutes: int
    at_most_minutes: int
    ups: int
    downs: int
    flaps: int
    flaps_a_day: float
    peak_needed: int
    most: int
    held: dict[str, int]
    steps: list[Step]


class AccountWear(msgspec.Struct, frozen=True, kw_only=True):
    """What an account went through.

    Attributes:
        account_id: whose.
        proxy: host and port of its proxy; "direct" without one, "" when not known.
        calls, errors: calls that ended; those that failed by no fault of their caller.
        error_rate: their share, from `low` to `high` with 95%.
        by_day: calls and errors of each day, the oldest first.
        changes: changes of its state.
        quarantines: times that it was set aside.
        quarantined: seconds of that, as far as it was told.
        logins: handshakes that X saw as log-ins.
        state: the last that was told; "" when none was.
        reason: of that.
        suspect: why it is taken to be ill; "" when nothing says so.
        wear: by which accounts are ranked: errors beyond the pool's rate, plus ten for each change of state.
    """

    account_id: str
    proxy: str
    calls: int
    errors: int
    error_rate: float
    low: float
    high: float
    by_day: list[tuple[int, int]]
    changes: int
    quarantines: int
    quarantined: float
    logins: int
    state: str
    reason: str
    suspect: str
    wear: float


class ProxyWear(msgspec.Struct, frozen=True, kw_only=True):
    """What went through a proxy; `suspect` says why it is taken to be bad, "" when nothing does."""

    proxy: str
    accounts: list[str]
    calls: int
    errors: int
    error_rate: float
    suspect: str


class Accounts(msgspec.Struct, frozen=True, kw_only=True):
    """How the accounts wear.

    Attributes:
        known: accounts that did or went through something.
        error_rate: of all their calls.
        changes: changes of state.
        by_state: how many times each state was reached.
        worn: the most worn ones, ranked.
        proxies: by proxy, the worst first; empty where nobody knows them.
    """

    known: int
    error_rate: float | None
    changes: int
    by_state: dict[str, int]
    worn: list[AccountWear]
    proxies: list[ProxyWear]


class OptimizerResults(msgspec.Struct, frozen=True, kw_only=True):
    """What the resource optimizer did: times that it did something, and what they came to."""

    runs: int
    dry_runs: int
    closed: int
    lowered: int
    paused: int
    restored: int
    memory_freed: int


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """An hour to come: the load in erlangs, its band, and the connections that the upper end needs."""

    at: datetime
    expected: float
    lower: float
    upper: float
    connections: int


class DemandForecast(msgspec.Struct, frozen=True, kw_only=True):
    """The next 24 hours.

    Attributes:
        hours: one by one.
        coverage: share of the upper bounds that held lately, as measured; None before a hundred were.
        peak: the highest upper bound, in erlangs; it takes `peak_connections`.
        enough: whether the pool may have as many.
    """

    hours: list[Expected]
    coverage: float | None
    peak: float
    peak_connections: int
    enough: bool


class CapacityNeed(msgspec.Struct, frozen=True, kw_only=True):
    """What a rate of calls needs, and what there is.

    Attributes:
        endpoint: which.
        rate: calls a second that are wanted.
        sustained: calls a second of one account.
        accounts: how many it takes on the mean; with the scatter of random arrivals, `accounts_safe`.
        have: accounts that can do it; None when not known.
        sentence: all of it, in words.
    """

    endpoint: str
    rate: float
    sustained: float
    accounts: int
    accounts_safe: int
    have: int | None
    sentence: str


class Anomaly(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the hour of the day and chance do not explain.

    Attributes:
        kind: "outlier" (some hours, then as usual), or "change" (another level from then on).
        figure: which.
        since, until: when; of a change, when it began and how far it was followed.
        usual, seen: the median of what is usual then, and of what was there.
        score: standard deviations of what is usual; of a change, how many times beyond what is tolerated.
        sentence: all of it, in words.
    """

    kind: Literal["outlier", "change"]
    figure: str
    since: datetime
    until: datetime
    usual: float
    seen: float
    score: float
    sentence: str


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """A figure as the recorded load gives it, replayed with the setting as it is and as it should be.

    Attributes:
        figure: which, with its unit.
        recorded: as it was measured; None where it was not. Where it is far from `before`, the replay is too.
        before, after: replayed.
        low, high: the interval of `after - before` with 90%: a bootstrap over the days.
    """

    figure: str
    recorded: float | None
    before: float
    after: float
    low: float
    high: float


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """A setting to change, why, and what that would have done to the recorded load.

    Attributes:
        problem: a word for what it cures: waits, flapping, waste, account, proxy.
        title: what to do, in a sentence.
        evidence: what was recorded that speaks for it.
        setting: its name; of an account, what is to be done with it.
        current, value: what it is, and what it should be.
        after: settings that those recommended before it change, as they were when this was replayed.
        effects: what it does, the one that it is for first.
        days: days that were replayed.
        uncertainty: what is not sure about it, in words.
    """

    problem: Literal["waits", "flapping", "waste", "account", "proxy"]
    title: str
    evidence: list[str]
    setting: str
    current: Any
    value: Any
    after: tuple[str, ...] = ()
    effects: list[Effect]
    days: int
    uncertainty: str


class PoolReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a pool did in a timeframe, what is to be expected, and what should be changed.

    Attributes:
        recommendations: what should be changed; None where nobody has looked, or too few days are known.
        series: hour by hour: `at` (start, seconds since 1970), `calls` and `errors` a second, `load` and
            `size` (means), `needed` (connections), `late` (share), `response_p95`, `queue_p95`.
        notes: what is missing from it, and why.
    """

    pool_id: str
    since: datetime
    until: datetime
    made_at: datetime
    version: Literal[1] = 1
    availability: Availability
    throughput: Throughput
    response: Percentiles
    acquisition: Percentiles
    queue: Percentiles
    error_budget: ErrorBudget
    endpoints: Sequence[EndpointUse]
    trends: Sequence[Trend]
    heat: HeatMap
    scaling: ScalingQuality
    accounts: Accounts
    optimizer: OptimizerResults
    forecast: DemandForecast | None
    capacity: Sequence[CapacityNeed]
    anomalies: Sequence[Anomaly]
    recommendations: Sequence[Recommendation] | None
    series: Mapping[str, list[float | None]]
    notes: Sequence[str]

    def to_json(self) -> bytes:
        """As JSON, on one line."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, encoded: bytes) -> PoolReport:
        """What `to_json` has made.

        Raises:
            msgspec.ValidationError: it is no report, or of another version.
        """
        return msgspec.json.decode(encoded, type=cls)
