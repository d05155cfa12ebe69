"""One connection, account or whatever a row is, in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

from rich.text import Text

from twikit_pool.cli.event_lines import clock_of, fields_of, one_line
from twikit_pool.cli.top.words import BAD, PRIORITIES, countdown, duration, left_of, since, stateful

LABEL: Final = 28

ELSEWHERE: Final = frozenset({"budgets", "calls", "pools", "here", "response_times", "budget", "events"})
"""Told in sections of their own, or as a part of one."""

FIRST: Final = ("state", "reason", "evidence", "until", "health", "priority", "borrower", "reserved_for")
"""What somebody who looks wants to know."""

MOMENTS: Final = frozenset({"since", "until", "at", "login_ends"})
BYTES: Final = frozenset({"memory", "network"})
SECONDS: Final = frozenset({"cpu", "waited", "held", "latency", "seconds", "retry_in", "longest_wait"})


def facts(told: Mapping[str, Any]) -> Text:
    """All that is told of it."""
    text = Text()
    _tell(text, {name: told[name] for name in FIRST if name in told})
    _section(text, "Pools", [_membership(each) for each in told.get("pools", ())])
    _section(text, "Budgets", [_budget(each) for each in told.get("budgets", ())])
    _section(text, "Latest calls", [_call(each) for each in told.get("calls", ())])
    _section(text, "Events", [_event(each) for each in told.get("events", ())])
    text.append("\n")
    _tell(text, {name: value for name, value in told.items() if name not in FIRST})
    return text


def _tell(text: Text, told: Mapping[str, Any]) -> None:
    for name, value in told.items():
        if name not in ELSEWHERE and value not in (None, "", [], {}):
            text.append(f"{name.replace('_', ' '):<{LABEL}} ", "dim").append_text(_fact(name, value))
            text.append("\n")


def _section(text: Text, title: str, lines: Sequence[Text]) -> None:
    if lines:
        text.append(f"\n{title}\n", "bold")
        for each in lines:
            text.append_text(each).append("\n")


def _fact(name: str, value: Any) -> Text:
    match value:
        case bool():
            return Text("yes" if value else "no")
        case str() if name in MOMENTS or name.endswith("_at"):
            return Text(_moment(value))
        case str() if name == "state":
            return stateful(one_line(value))
        case int() if name == "priority":
            return Text(PRIORITIES.get(value, str(value)))
        case int() | float() if name in BYTES:
            return Text(f"{value / 1000:,.0f} KB")
        case int() | float() if name in SECONDS or name.endswith("_time"):
            return Text(duration(value))
        case float():
            return Text(f"{value:.3g}")
        case list():
            return Text(", ".join(one_line(each) for each in cast("list[Any]", value)))
        case dict():
            every = cast("dict[str, Any]", value)
            return Text(", ".join(f"{one_line(name)} {one_line(each)}" for name, each in every.items()))
        case _:
            return Text(one_line(value))


def _moment(at: str) -> str:
    passed = since(at)
    if passed is None:
        return one_line(at)
    when = f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M:%S}"
    return f"{when}, {duration(passed)} ago" if passed >= 0 else f"{when}, in {countdown(-passed)}"


def _budget(told: dict[str, Any]) -> Text:
    text = Text(f"{told['endpoint']:<{LABEL}} ").append_text(left_of(told)).append(" left")
    if told["limit"] is not None:
        text.append(f", {told['limit']} in {duration(told['window'])}")
    if told["in_flight"]:
        text.append(f", {told['in_flight']} under way")
    if told["returns_in"]:
        text.append(f", more in {countdown(told['returns_in'])}")
    return text.append(f"; {one_line(told['why'])}" if told["why"] else "")


def _call(told: Mapping[str, Any]) -> Text:
    text = Text(
        f"{datetime.fromisoformat(told['at']).astimezone():%H:%M:%S} {one_line(told['action']):<{LABEL}} "
    )
    return text.append(told["outcome"], "green" if told["outcome"] == "ok" else BAD).append(
        f" {duration(told['seconds'])}"
    )


def _event(told: Mapping[str, Any]) -> Text:
    return Text(f"{clock_of(told)} {one_line(told['type'])} {fields_of(told)}")


def _membership(told: Mapping[str, Any]) -> Text:
    text = Text(f"{one_line(told['pool_id']):<{LABEL}} ")
    text.append("usable" if told["usable"] else one_line(told["why"]), "green" if told["usable"] else BAD)
    return text.append(f"  {', '.join(told['connections'])}" if told["connections"] else "")
