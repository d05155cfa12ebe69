"""`twikit-pool events`: what happens in the pools of a service, a line for each event."""

from __future__ import annotations

import sys
from contextlib import aclosing
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

import msgspec
from cyclopts import Parameter

from twikit_pool.cli.courtesy import Courtesy, courteous
from twikit_pool.cli.event_lines import FIGURES, line_of
from twikit_pool.cli.remote import QUICK, AsJson, Url, asked

Topic = Literal["pool_updates", "connection_events", "scaling", "alerts", "jobs"]
EVERY: Final[tuple[Topic, ...]] = ("pool_updates", "connection_events", "scaling", "alerts", "jobs")

MISSED: Final = frozenset({"gap", "lost"})
"""They say that something is not told."""


async def events(
    *,
    follow: Annotated[bool, Parameter(negative=())] = False,
    topic: tuple[Topic, ...] = (),
    pool: str | None = None,
    limit: int = 100,
    url: Url = None,
    json: AsJson = False,
) -> int:
    """What has happened of late, a line for each event; with --follow also what happens from now on.

    Args:
        follow: go on until Ctrl-C, also when the service goes and comes back.
        topic: of this topic; may be given several times. All of them when not given, but without figures.
        pool: of this pool alone.
        limit: how many that have happened, 1 to 1000.
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: one JSON object for each, for programs.
    """
    out = _Lines(json=json, figures=bool(topic))
    topics = topic or EVERY
    query = [f"limit={limit}", *(f"topic={each}" for each in topics)]
    if pool is not None:
        query.append(f"pool={quote(pool, safe='')}")
    try:
        async with asked(url) as remote:
            recent = await remote.wire.ask("GET", f"/v1/events/recent?{'&'.join(query)}", timeout=QUICK)
            for each in recent["items"]:
                out.write(each)
            if not follow:
                return 0
            pools = None if pool is None else [pool]
            async with aclosing(remote.follow(*topics, pools=pools, since=recent["seq"])) as heard:
                async for message in heard:
                    out.heard(message)
    except BrokenPipeError:  # nobody reads on: `| head`
        Courtesy(sys.stdout).fall_silent()
    return 0


class _Lines:
    """What is written of what is heard."""

    def __init__(self, *, json: bool, figures: bool) -> None:
        self._json = json
        self._figures = figures
        self._connected = 0
        self._cut_off = False

    def heard(self, message: dict[str, Any]) -> None:
        """Write an event; tell of the connection on stderr, once for each time that it breaks."""
        match message["type"]:
            case "disconnected":
                if not self._cut_off:
                    self._note(f"{message['reason']}: trying again until it is back")
                self._cut_off = True
            case "subscribed":
                if self._cut_off:
                    self._note("connected again")
                self._connected, self._cut_off = self._connected + 1, False
            case "gap" if self._connected == 1:
                pass  # leases were not made before we asked for them
            case kind if kind in MISSED:
                if self._json:
                    self._print(message)
                else:
                    self._note(f"{message.get('count', 'some')} events before these are not told")
            case _:
                if "topic" in message:
                    self.write(message)

    def write(self, message: dict[str, Any]) -> None:
        """Write one, unless it is a figure that was not asked for."""
        if self._figures or message["type"] not in FIGURES:
            self._print(message)

    def _print(self, message: dict[str, Any]) -> None:
        line = msgspec.json.encode(message).decode() if self._json else line_of(message)
        print(line, flush=True)

    def _note(self, text: str) -> None:
        courteous(sys.stderr, stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)
