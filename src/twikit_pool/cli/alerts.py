"""`twikit-pool alerts`: what is wrong in a running service, and who is told of it."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from cyclopts import App
from rich.table import Table
from rich.text import Text

from twikit_pool.alerts.rules import Severity
from twikit_pool.cli.courtesy import courteous
from twikit_pool.cli.remote import QUICK, AsJson, Url, asked, print_json
from twikit_pool.clock import SYSTEM_CLOCK, in_words

app = App(name="alerts", help="What is wrong in a running service, and who is told of it.")

STYLES: Final = {"critical": "bold red", "warning": "yellow", "info": "cyan"}
NOT_WELL: Final = 1
"""Exit code of `list` while an alert fires, and of `test` when a message did not arrive."""

SLOW: Final = 60.0
"""Seconds for an answer that waits for every destination."""


@app.command(name="list")
async def show(
    *,
    all: bool = False,  # noqa: A002 - as it is called on the command line
    severity: Severity | None = None,
    pool: str | None = None,
    limit: int = 50,
    url: Url = None,
    json: AsJson = False,
) -> int:
    """List the alerts that hold. Exit code 1 while one fires that nobody has acknowledged or silenced.

    Args:
        all: those that are over, too.
        severity: those of this severity: info, warning, critical.
        pool: those of this pool.
        limit: how many at most.
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: one JSON object with `items`, `firing` and `destinations`, for programs.
    """
    wanted = {"severity": severity, "pool": pool, "limit": limit}
    query = "&".join(f"{name}={quote(str(value))}" for name, value in wanted.items() if value is not None)
    async with asked(url) as remote:
        page = await remote.wire.ask("GET", f"/v1/alerts?{query}", timeout=QUICK)
    page["items"] = [each for each in page["items"] if all or each["state"] != "resolved"]
    if json:
        print_json(page)
        return NOT_WELL if page["firing"] else 0
    screen = courteous(sys.stdout)
    if page["items"]:
        screen.print(_table(page["items"]))
    else:
        screen.print("nothing is wrong")
    for each in page["destinations"]:
        if each["problem"] or each["failed"] or each["dropped"]:
            told = f"{each['failed']} given up, {each['dropped']} dropped, {each['waiting']} wait"
            screen.print(f"{each['name']}: {told}; {each['problem']}", highlight=False, markup=False)
    return NOT_WELL if page["firing"] else 0


def _table(alerts: list[dict[str, Any]]) -> Table:
    table = Table("id", "severity", "state", "pool", "what, why, what to do", "since")
    for each in alerts:
        state = f"{each['state']}, silenced" if each["silenced"] else each["state"]
        what = Text(each["message"], "bold")
        if each["names"]:
            more = f" and {each['count'] - 5} more" if each["count"] > 5 else ""
            what.append(f"\n{', '.join(each['names'][:5])}{more}", "not bold")
        what.append(f"\n{each['why']}\n{each['advice']}", "not bold")
        table.add_row(
            each["id"],
            Text(each["severity"], STYLES[each["severity"]]),
            state,
            each["pool_id"] or "",
            what,
            _ago(each["began_at"]),
        )
    return table


def _ago(moment: str) -> str:
    seconds = (SYSTEM_CLOCK.now() - datetime.fromisoformat(moment)).total_seconds()
    return f"{in_words(max(seconds, 0.0))} ago"


@app.command
async def ack(alert: str, /, *, note: str = "", url: Url = None, json: AsJson = False) -> int:
    """Say that you know of an alert: it is told no more, unless it comes to be about others too.

    Args:
        alert: its id, as `list` shows it.
        note: for whoever looks at it.
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: the alert as a JSON object, for programs.
    """
    path = f"/v1/alerts/{quote(alert, safe='')}/acknowledge"
    async with asked(url) as remote:
        told = await remote.wire.ask("POST", path, {"note": note}, timeout=QUICK)
    if json:
        print_json(told)
    else:
        courteous(sys.stdout).print(f"{told['id']} is acknowledged: {told['message']}", markup=False)
    return 0


@app.command
async def silence(
    *,
    seconds: float = 3600.0,
    rule: str | None = None,
    pool: str | None = None,
    account: str | None = None,
    reason: str = "",
    url: Url = None,
    json: AsJson = False,
) -> int:
    """Let nobody be told of some alerts for a while; of all alerts, where nothing is named. Prints its id.

    Args:
        seconds: for how long.
        rule: alerts of this rule.
        pool: alerts of this pool.
        account: alerts about this account.
        reason: for whoever finds it.
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: the whole silence as a JSON object, for programs.
    """
    body = {"seconds": seconds, "rule": rule, "pool_id": pool, "account_id": account, "reason": reason}
    async with asked(url) as remote:
        made = await remote.wire.ask("POST", "/v1/alerts/silences", body, timeout=QUICK)
    if json:
        print_json(made)
    else:
        print(made["id"])
    return 0


@app.command
async def silences(*, url: Url = None, json: AsJson = False) -> int:
    """List the silences that are in force.

    Args:
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: one JSON array, for programs.
    """
    async with asked(url) as remote:
        every = await remote.wire.ask("GET", "/v1/alerts/silences", timeout=QUICK)
    if json:
        print_json(every)
        return 0
    table = Table("id", "rule", "pool", "account", "until (UTC)", "by", "reason")
    for each in every:
        until = f"{datetime.fromisoformat(each['until']):%Y-%m-%d %H:%M:%S}"
        of = [each[name] or "any" for name in ("rule", "pool_id", "account_id")]
        table.add_row(each["id"], *of, until, each["by"], each["reason"])
    courteous(sys.stdout).print(table)
    return 0


@app.command
async def unsilence(silence: str, /, *, url: Url = None) -> int:
    """End a silence: what still fires is told then.

    Args:
        silence: its id, as `silence` printed it.
        url: the service's address; http://127.0.0.1:8700 when not given.
    """
    async with asked(url) as remote:
        await remote.wire.ask("DELETE", f"/v1/alerts/silences/{quote(silence, safe='')}", timeout=QUICK)
    courteous(sys.stdout).print("it is ended")
    return 0


@app.command
async def rules(*, url: Url = None, json: AsJson = False) -> int:
    """List the rules that are looked at.

    Args:
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: one JSON array, for programs.
    """
    async with asked(url) as remote:
        every = await remote.wire.ask("GET", "/v1/alerts/rules", timeout=QUICK)
    if json:
        print_json(every)
        return 0
    table = Table("rule", "severity", "fires", "is over", "for", "told once in", "what")
    for each in every:
        side, level = ("above", each["above"]) if each["above"] is not None else ("below", each["below"])
        over = each["clear_at"] if each["clear_at"] is not None else level
        table.add_row(
            each["name"],
            Text(each["severity"], STYLES[each["severity"]]),
            "" if level is None else f"{each['metric']} {side} {level:g}",
            "" if over is None else f"{over:g}",
            in_words(each["for"]),
            in_words(each["cooldown"]),
            each["message"],
        )
    courteous(sys.stdout).print(table)
    return 0


@app.command(name="test")
async def try_destinations(*, url: Url = None, json: AsJson = False) -> int:
    """Send a test to every destination, and say of each whether it arrived. Exit code 1 if one did not.

    Args:
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: one JSON array, for programs.
    """
    async with asked(url) as remote:
        tried = await remote.wire.ask("POST", "/v1/alerts/test", timeout=SLOW)
    if json:
        print_json(tried)
        return 0 if all(each["arrived"] for each in tried) else NOT_WELL
    screen = courteous(sys.stdout)
    for each in tried:
        came = "arrived" if each["arrived"] else f"did not arrive: {each['problem']}"
        screen.print(f"{each['name']}: {came}", highlight=False, markup=False)
    if not tried:
        screen.print("there is no destination: set alerts.webhooks or alerts.apprise")
    return 0 if all(each["arrived"] for each in tried) else NOT_WELL
