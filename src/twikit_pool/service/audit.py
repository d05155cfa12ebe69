"""The audit log: who changed what, one JSON object a line, in a private file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from twikit_pool.accounts.private_files import PRIVATE_FILE, make_private_folder
from twikit_pool.errors import ConfigError
from twikit_pool.service.tokens import Scope

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Message, Receive, Send
    from litestar.types import Scope as Connection

    from twikit_pool.clock import Clock

MOST_BYTES: Final = 10_000_000
"""Of the file; then it is put aside as `….1`, and what was there before is gone."""

WRITTEN: Final = frozenset({Scope.OPERATE, Scope.ADMIN})


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call: when, with which token, what, and what was answered. Bodies are never written.

    `note` is what was decided, where that is more than a call tells; `status` is 0 then: it is yet to come.
    """

    at: str
    token: str | None
    name: str | None
    client: str | None
    method: str
    path: str
    status: int
    note: str | None = None


class Audit:
    """Writes entries, each at once.

    Args:
        path: the file.
        clock: the time.

    Raises:
        ConfigError: the file cannot be written.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        try:
            make_private_folder(path.parent)
            self._file = self._open()
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}") from None

    def write(self, connection: Connection, status: int) -> None:
        """Enter a call.

        Raises:
            OSError: the file cannot be written.
        """
        told: Any = connection  # its keys depend on its type, which is known here
        caller, client = told.get("auth"), told.get("client")
        entry = Entry(
            at=self._clock.now().isoformat(),
            token=None if caller is None else caller.token.id,
            name=None if caller is None else caller.token.name,
            client=None if client is None else client[0],
            method=str(told["method"]),
            path=str(told["path"]),
            status=status,
        )
        self._enter(entry)

    def note(self, token: str, what: str) -> None:
        """Enter that somebody has decided something, before it is done.

        Raises:
            OSError: the file cannot be written.
        """
        self._enter(
            Entry(
                at=self._clock.now().isoformat(),
                token=token,
                name=None,
                client=None,
                method="",
                path="",
                status=0,
                note=what,
            )
        )

    def _enter(self, entry: Entry) -> None:
        os.write(self._file, msgspec.json.encode(entry) + b"\n")
        if os.fstat(self._file).st_size > MOST_BYTES:
            os.close(self._file)
            self._path.replace(self._path.with_name(self._path.name + ".1"))
            self._file = self._open()

    def close(self) -> None:
        """Write no more."""
        os.close(self._file)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE_FILE)


def audited(app: ASGIApp) -> ASGIApp:
    """An ASGI middleware that enters each call of a route that takes `operate` or `admin`."""

    async def middleware(connection: Connection, receive: Receive, send: Send) -> None:
        if connection["type"] != "http":
            await app(connection, receive, send)
            return

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                told: Any = connection
                handler = told.get("route_handler")
                if handler is not None and handler.opt.get("scope") in WRITTEN:
                    told["litestar_app"].state.service.audit.write(connection, message["status"])
            await send(message)

        await app(connection, receive, watched)

    return middleware
