"""`twikit-pool jobs`: batches of jobs that a running service carries out."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import msgspec
from cyclopts import App, Parameter
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from twikit_pool.cli.courtesy import courteous
from twikit_pool.cli.remote import QUICK, AsJson, Url, asked, print_json
from twikit_pool.client import RequestRefused
from twikit_pool.client.jobs import ENDED
from twikit_pool.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from twikit_pool.client import RemoteBatch

app = App(name="jobs", help="Batches of jobs that a running service carries out.")

FAILED: Final = 1
REJECTED: Final = 3
COLOURS: Final[Mapping[str, str]] = {"done": "green", "running": "cyan", "failed": "bold red"}

Flag = Annotated[bool, Parameter(negative=())]


@app.command
async def submit(
    file: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    follow: Flag = False,
    name: str = "",
    timeout: float | None = None,
    key: str | None = None,
    pool: str = "default",
    url: Url = None,
    json: AsJson = False,
) -> int:
    """Submit a file of jobs, one JSON object a line, as `run` takes it; prints the batch's id.

    Exit codes: 0 all is well; 1, with --follow, some jobs failed or are ambiguous, or the batch did not end
    well; 3 some jobs are wrong, and nothing was started.

    Args:
        file: the file, or - for standard input.
        follow: also print each result as its job ends, and wait for the end.
        name: what you call the batch.
        timeout: seconds that a job may wait for an account; as long as needed when not given.
        key: an idempotency key: the same file with the same key is the same batch.
        pool: which pool carries it out.
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: results as lines of JSON, for programs.
    """
    lines = _read(file)
    screen = courteous(sys.stderr, stderr=True)
    async with asked(url, pool) as remote:
        try:
            batch = await remote.submit(lines, name=name, timeout=timeout, idempotency_key=key)
        except RequestRefused as refused:
            if not refused.errors:
                raise
            for each in refused.errors:
                screen.print(Text(f"line {each['line']}: {each['error']}", "red"), soft_wrap=True)
            screen.print(f"[bold red]error:[/] {escape(str(refused).partition(': line')[0])}", soft_wrap=True)
            return REJECTED
        if not follow:
            print_json({"id": batch.id}) if json else print(batch.id)
            return 0
        screen.print(f"batch {batch.id} goes on whether you look or not", soft_wrap=True)
        return await _follow(batch, 0, json=json, pool=pool)


@app.command(name="list")
async def show_all(
    *,
    state: str | None = None,
    limit: int = 20,
    pool: str = "default",
    url: Url = None,
    json: AsJson = False,
) -> int:
    """The batches of a pool, the latest first.

    Args:
        state: those in this state alone: running, stopping, done, stopped, failed.
        limit: how many at most.
        pool: of which pool.
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: one JSON object with `items` and `total`, for programs.
    """
    query = f"limit={limit}" + ("" if state is None else f"&state={quote(state)}")
    async with asked(url, pool) as remote:
        page = await remote.ask("GET", f"/jobs?{query}", timeout=QUICK)
    if json:
        print_json(page)
        return 0
    table = Table("batch", "name", "state", "ended", "ok", "running", "waiting", "undone", "began")
    for each in page["items"]:
        counts = each["counts"]
        table.add_row(
            each["id"],
            each["name"],
            _state(each),
            f"{counts['ended']:,} of {each['jobs']:,}",
            f"{counts['outcomes'].get('ok', 0):,}",
            f"{counts['running']:,}",
            f"{counts['waiting']:,}",
            f"{counts['undone']:,}",
            _moment(each["began"]),
        )
    screen = courteous(sys.stdout)
    screen.print(table)
    if (left := page["total"] - len(page["items"])) > 0:
        screen.print(f"and {left} more: --limit and --state choose")
    return 0


@app.command
async def show(batch: str, /, *, pool: str = "default", url: Url = None, json: AsJson = False) -> int:
    """How far a batch came.

    Args:
        batch: its id, as `submit` printed it.
        pool: of which pool.
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: one JSON object, for programs.
    """
    async with asked(url, pool) as remote:
        told = await remote.batch(batch).status()
    print_json(told) if json else _print_batch(courteous(sys.stdout), told)
    return 0


@app.command
async def results(
    batch: str,
    /,
    *,
    follow: Flag = False,
    after: int = 0,
    pool: str = "default",
    url: Url = None,
    json: AsJson = False,
) -> int:
    """The results of a batch, in the order in which its jobs ended.

    Exit code 1 with --follow as `submit` has it.

    Args:
        batch: its id, as `submit` printed it.
        follow: go on with each result as its job ends, and wait for the end.
        after: the number of the last result that you have.
        pool: of which pool.
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: lines of JSON, for programs.
    """
    async with asked(url, pool) as remote:
        known = remote.batch(batch)
        if follow:
            return await _follow(known, after, json=json, pool=pool)
        screen = courteous(sys.stdout)
        while True:
            page = await remote.ask(
                "GET", f"/jobs/{quote(batch, safe='')}/results?after={after}&limit=1000", timeout=QUICK
            )
            for each in page["items"]:
                _print_result(screen, each, json=json)
            if not page["items"]:
                return 0
            after = page["next"]


@app.command
async def cancel(
    batch: str, /, *, wait: Flag = False, pool: str = "default", url: Url = None, json: AsJson = False
) -> int:
    """Send nothing more of a batch; calls in flight may end.

    Args:
        batch: its id, as `submit` printed it.
        wait: until it has ended.
        pool: of which pool.
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: how far it came as a JSON object, for programs.
    """
    async with asked(url, pool) as remote:
        known = remote.batch(batch)
        told = await known.cancel()
        while wait and told["state"] not in ENDED:
            await asyncio.sleep(0.2)
            told = await known.status()
    print_json(told) if json else _print_batch(courteous(sys.stdout), told)
    return 0


@app.command
async def resume(batch: str, /, *, pool: str = "default", url: Url = None, json: AsJson = False) -> int:
    """Go on with a batch that was stopped or has failed; jobs that have a result are not run again.

    Args:
        batch: its id, as `submit` printed it.
        pool: of which pool.
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: how far it came as a JSON object, for programs.
    """
    async with asked(url, pool) as remote:
        told = await remote.batch(batch).resume()
    print_json(told) if json else _print_batch(courteous(sys.stdout), told)
    return 0


@app.command
async def remove(batch: str, /, *, pool: str = "default", url: Url = None) -> int:
    """Let the service forget a batch that has ended, and its results.

    Args:
        batch: its id, as `submit` printed it.
        pool: of which pool.
        url: the service's address; http://127.0.0.1:8700 when not given.
    """
    async with asked(url, pool) as remote:
        await remote.batch(batch).remove()
    courteous(sys.stdout).print("it is removed")
    return 0


def _read(file: str) -> bytes:
    if file == "-":
        if sys.stdin is None:
            raise ConfigError("standard input is closed: name a jobs file")
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"the jobs file {file} cannot be read: {error.strerror}") from None


async def _follow(batch: RemoteBatch, after: int, *, json: bool, pool: str) -> int:
    screen = courteous(sys.stdout)
    errors = courteous(sys.stderr, stderr=True)
    try:
        async with aclosing(batch.results(after)) as ended:
            async for each in ended:
                _print_result(screen, each, json=json)
        told = await batch.status()
    except asyncio.CancelledError:
        errors.print(
            f"it goes on: `twikit-pool jobs results {batch.id} --pool {pool} --follow` follows it, "
            f"`twikit-pool jobs cancel {batch.id} --pool {pool}` ends it",
            soft_wrap=True,
        )
        raise
    _print_batch(errors, told)
    counts = told["counts"]
    well = told["state"] == "done" and counts["outcomes"].get("ok", 0) == told["jobs"]
    return 0 if well else FAILED


def _print_result(screen: Console, result: dict[str, Any], *, json: bool) -> None:
    if json:
        print(msgspec.json.encode(result).decode(), flush=True)
        return
    outcome, latency = result["outcome"], result.get("latency")
    colour = {"ok": "green", "ambiguous": "yellow"}.get(outcome, "red")
    line = Text(f"{result['number']:>6}  {result['id']:<20} {result['action']:<18} ")
    line.append(f"{outcome:<14}", colour)
    line.append(f" {result.get('account') or '':<16}")
    line.append(f" {'' if latency is None else f'{latency:.2f} s'}")
    if "error" in result:
        line.append(f"  {result['error']['reason']}")
    line.rstrip()
    screen.print(line, soft_wrap=True)


def _print_batch(screen: Console, told: dict[str, Any]) -> None:
    counts = told["counts"]
    table = Table(show_header=False)
    table.add_row("batch", told["id"] + (f" ({told['name']})" if told["name"] else ""))
    table.add_row("state", _state(told))
    if told["reason"]:
        table.add_row("why", told["reason"])
    table.add_row("ended", f"{counts['ended']:,} of {told['jobs']:,}")
    for outcome, number in sorted(counts["outcomes"].items(), key=lambda pair: -pair[1]):
        table.add_row(f"  {outcome}", f"{number:,}")
    for what in ("running", "waiting", "undone", "rejected"):
        if counts[what]:
            table.add_row(what, f"{counts[what]:,}")
    table.add_row("began", _moment(told["began"]))
    if told["ended"] is not None:
        table.add_row("ended at", _moment(told["ended"]))
    screen.print(table)


def _state(told: dict[str, Any]) -> Text:
    return Text(told["state"], COLOURS.get(told["state"], "yellow"))


def _moment(told: str) -> str:
    return f"{datetime.fromisoformat(told).astimezone():%Y-%m-%d %H:%M:%S}"
