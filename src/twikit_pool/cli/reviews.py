"""`twikit-pool reviews`: posts that wait for a person, of a running service."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from cyclopts import App, Parameter
from rich.table import Table
from rich.text import Text

from twikit_pool.cli.courtesy import courteous
from twikit_pool.cli.remote import QUICK, AsJson, Url, asked, print_json
from twikit_pool.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENCE: Final = 60.0
"""Seconds in which an approved post is sent, or is not."""

Send = Annotated[bool | None, Parameter(negative="--keep")]

app = App(name="reviews", help="Posts that wait for a person to decide.")


@app.command(name="list")
async def show(
    *,
    state: Literal["pending", "approved", "sent", "rejected", "all"] = "pending",
    limit: int = 50,
    url: Url = None,
    json: AsJson = False,
) -> int:
    """List them, the oldest first.

    Args:
        state: those in this state.
        limit: how many at most.
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: one JSON object with `items` and `total`, for programs.
    """
    wanted = "" if state == "all" else f"&state={state}"
    async with asked(url) as remote:
        page = await remote.wire.ask("GET", f"/v1/reviews?limit={limit}{wanted}", timeout=QUICK)
    if json:
        print_json(page)
        return 0
    screen = courteous(sys.stdout)
    for each in page["items"]:
        _print(each)
    if not page["items"]:
        screen.print("nothing waits" if state == "pending" else "there are none")
    if (left := page["total"] - len(page["items"])) > 0:
        screen.print(f"and {left} more: --limit shows them")
    return 0


@app.command
async def approve(
    review: int, /, *, note: str = "", send: Send = None, url: Url = None, json: AsJson = False
) -> int:
    """Let one go, and send it.

    Args:
        review: its number.
        note: why, to be kept.
        send: --keep leaves the sending to whoever asks for the same again, as a campaign does.
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: the answer as a JSON object, for programs.
    """
    return await _decide(review, "approve", {"note": note, "send": send}, url, as_json=json)


@app.command
async def edit(
    review: int,
    text: str,
    /,
    *,
    note: str = "",
    send: Send = None,
    url: Url = None,
    json: AsJson = False,
) -> int:
    """Let one go with another text, and send it.

    Args:
        review: its number.
        text: what is to be said instead.
        note: why, to be kept.
        send: --keep leaves the sending to whoever asks for the same again, as a campaign does.
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: the answer as a JSON object, for programs.
    """
    async with asked(url) as remote:
        held = await remote.wire.ask("GET", f"/v1/reviews/{review}", timeout=QUICK)
    field = next((name for name in ("content", "text", "description") if name in held["parameters"]), None)
    if field is None:
        raise ConfigError(f"review {review} has no text to change: approve or reject it")
    body = {"parameters": {field: text}, "note": note, "send": send}
    return await _decide(review, "edit", body, url, as_json=json)


@app.command
async def reject(review: int, /, *, note: str = "", url: Url = None, json: AsJson = False) -> int:
    """Let one never go.

    Args:
        review: its number.
        note: why, to be kept.
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: the answer as a JSON object, for programs.
    """
    return await _decide(review, "reject", {"note": note}, url, as_json=json)


async def _decide(review: int, how: str, body: Mapping[str, Any], url: str | None, *, as_json: bool) -> int:
    given = {name: value for name, value in body.items() if value is not None}
    async with asked(url) as remote:
        told = await remote.wire.ask("POST", f"/v1/reviews/{review}/{how}", given, timeout=PATIENCE)
    if as_json:
        print_json(told)
        return 0
    screen, done = courteous(sys.stdout), told.get("executed")
    if how == "reject":
        screen.print(f"review {review} is rejected: it is not sent")
    elif done is None:
        screen.print(f"review {review} is approved: it goes when it is asked for again")
    else:
        screen.print(f"review {review} is approved and was sent as {done['account_id']}")
    return 0


def _print(review: Mapping[str, Any]) -> None:
    screen = courteous(sys.stdout)
    table = Table(title=f"review {review['id']}: {review['state']}", title_justify="left", show_header=False)
    table.add_row("account", review["account_id"])
    table.add_row("held", review["at"])
    if review["owner"]:
        table.add_row("campaign", review["owner"])
    table.add_row(review["action"], Text(msgspec.json.encode(review["parameters"]).decode()))
    for each in review["reasons"]:
        table.add_row(each["severity"], Text(f"{each['rule']}: {each['message']}; {each['suggestion']}"))
    if review["decided_by"]:
        table.add_row("decided", f"by {review['decided_by']}: {review['note'] or 'without a note'}")
    screen.print(table)
