"""How well a pool was sized: against the clairvoyant, and by how it went there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from twikit_pool.analytics.recording import Minute, Recorded
from twikit_pool.analytics.report import ScalingQuality, Step
from twikit_pool.analytics.service_level import late_by_hour
from twikit_pool.metrics.history.figures import Point
from twikit_pool.scaling.erlang import connections_for
from twikit_pool.scaling.quality import SizeStep, flaps, waste
from twikit_pool.scaling.rules import USED_UP

SHOWN: Final = 200
"""Steps that a report shows."""

AT_MOST: Final = 0.98
"""Share of `max_connections` from which on a pool counts as being at it: connections come and go."""


def needed_of(recorded: Recorded) -> list[int]:
    """The connections that each minute needed: Erlang-C for its load, or as many as rate windows took.

    Those that were reserved or could not serve are needed besides.
    """
    config = recorded.facts.config
    usual = usual_service(recorded.minutes)
    wait, late = config.scaling_target_wait, config.scaling_late_share
    return [
        max(connections_for(each.offered, each.service or usual, wait, late), floor)
        + round(each.reserved + each.unhealthy)
        for each, floor in zip(recorded.minutes, window_floors(recorded), strict=True)
    ]


def window_floors(recorded: Recorded) -> list[int]:
    """The accounts that the rate windows took in each minute, where a decision said so; else 0.

    The history tells no endpoints apart, but a decision that rests on one says how many accounts that took,
    and holds until the next.
    """
    told = [
        (event.at.timestamp(), _accounts_in(str(event.fields.get("reason", ""))))
        for event in recorded.events.get("scaling", ())
        if event.type == "scaling_decided"
    ]
    floors: list[int] = []
    at, floor = 0, 0
    for minute in recorded.minutes:
        while at < len(told) and told[at][0] < minute.at + minute.seconds:
            floor = told[at][1]
            at += 1
        floors.append(floor)
    return floors


def _accounts_in(reason: str) -> int:
    _, found, after = reason.partition(f" {USED_UP} ")
    number = after.split(" ", 1)[0]
    return int(number) if found and number.isdecimal() else 0


def usual_service(minutes: Sequence[Minute]) -> float:
    """Mean seconds that a request held its connection in all of these; 1 where nobody knows."""
    acquired = sum(each.acquired for each in minutes)
    busy = sum(each.busy for each in minutes)
    return busy / acquired if acquired and busy else 1.0


def scaling_quality(
    recorded: Recorded, needed: Sequence[int], whole: Point | None, lates: Sequence[float | None]
) -> ScalingQuality:
    """How well the pool was sized. `needed` goes with the minutes, `lates` with the hours."""
    config, minutes = recorded.facts.config, recorded.minutes
    steps = _steps(recorded)
    had = sum(each.total * each.seconds for each in minutes) / 3600
    took = sum(n * each.seconds for n, each in zip(needed, minutes, strict=True)) / 3600
    # Less than a connection on the mean is chance: a minute's mean, and one that is just being renewed.
    short = [each for n, each in zip(needed, minutes, strict=True) if each.total < n - 1]
    came = [
        (share, each.point.acquired + each.point.timed_out)
        for share, each in zip(lates, recorded.hours, strict=True)
        if share is not None
    ]
    requests = sum(number for _, number in came)
    moves = [SizeStep(step.at.timestamp(), step.before, step.size) for step in reversed(steps)]
    days = sum(each.seconds for each in minutes) / 86_400
    taken_back = flaps(moves)
    held = Counter(
        constraint
        for event in recorded.events.get("scaling", ())
        if event.type == "scaling_decided"
        for constraint in event.fields.get("constraints") or ()
    )
    return ScalingQuality(
        hours=had,
        needed_hours=took,
        waste=waste(had, took),
        late=sum(share * number for share, number in came) / requests if requests else None,
        target_wait=config.scaling_target_wait,
        late_objective=config.scaling_late_share,
        late_by_hour=late_by_hour(recorded.hours, lates),
        short_minutes=len(short),
        at_most_minutes=sum(each.total >= AT_MOST * each.most for each in short),
        ups=0 if whole is None else whole.scale_ups,
        downs=0 if whole is None else whole.scale_downs,
        flaps=taken_back,
        flaps_a_day=taken_back / days if days else 0.0,
        peak_needed=max(needed, default=0),
        most=round(minutes[-1].most) if minutes else config.max_connections,
        held=dict(held.most_common()),
        steps=steps[:SHOWN],
    )


def _steps(recorded: Recorded) -> list[Step]:
    """Changes of size, the latest first."""
    return [
        Step(
            at=event.at,
            before=int(event.fields["before"]),
            size=int(event.fields["size"]),
            reason=str(event.fields.get("reason", "")),
        )
        for event in reversed(recorded.events.get("scaling", ()))
        if event.type == "scaling_executed"
    ]
