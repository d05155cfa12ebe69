"""Jobs from lines of JSON, read as they are needed: a file of any length takes the same memory.

    {"id": "a", "action": "like_tweet", "params": {"tweet_id": "20"}, "account": "brand_uk",
     "priority": "HIGH", "tags": ["spring"]}

Only `action` is required. A line that is no such thing becomes a `Rejected` and the next one is read.
"""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import AsyncGenerator, Container
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from twikit_pool.errors import ActionError
from twikit_pool.jobs.job import Job, Rejected
from twikit_pool.pool.request import ConnectionPriority
from twikit_pool.sessions.actions import parse_action

LONGEST_LINE: Final = 1_000_000
"""Bytes of a line; a longer one is rejected without being kept."""

SHOWN: Final = 300
"""Characters of a rejected line that are shown with it."""

LONGEST_ID: Final = 200
"""Characters of a job's id."""

_CHUNK: Final = 65_536
_BOM: Final = b"\xef\xbb\xbf"
_BLANK: Final = b" \t\r\n"

JobId = Annotated[str, Meta(min_length=1)]


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """A job as it is written."""

    action: str
    id: JobId | int | None = None
    params: dict[str, Any] = {}
    account: str | None = None
    priority: str | int = ConnectionPriority.NORMAL.value
    tags: list[str] = []


class _OnlyId(msgspec.Struct):
    """Enough of a line to name it, when the rest is wrong."""

    id: str | int | None = None


_HALF_A_CHARACTER: Final = r"it has half a character: \ud83d, say, without the \ude00 that completes it"

_lines: Final = msgspec.json.Decoder(_Line)
_only_ids: Final = msgspec.json.Decoder(_OnlyId)


class JobReader:
    """The jobs of an open file or pipe, as an async iterator of `Job` and `Rejected`.

    Args:
        descriptor: an open file descriptor; it stays open.
        accounts: the accounts that jobs may name; None accepts any name.

    Attributes:
        size: bytes of the file; None for a pipe.
        position: bytes read so far.
        ended: whether everything was read.
    """

    def __init__(self, descriptor: int, *, accounts: Container[str] | None = None) -> None:
        status = os.fstat(descriptor)
        self.size = status.st_size if stat.S_ISREG(status.st_mode) else None
        self.position = 0
        self.ended = False
        self._descriptor = descriptor
        self._accounts = accounts

    async def __aiter__(self) -> AsyncGenerator[Job | Rejected]:
        number = 0
        async for line in self._split():
            number += 1
            if line is None:
                yield Rejected(line=number, error=f"the line is longer than {LONGEST_LINE:,} bytes")
                continue
            text = (line.removeprefix(_BOM) if number == 1 else line).strip(_BLANK)
            if text:
                yield read_job(text, number, self._accounts)
        self.ended = True

    async def _split(self) -> AsyncGenerator[bytes | None]:
        """Lines without their ends; None for one that is too long."""
        kept = bytearray()
        too_long = False
        while chunk := await self._read():
            self.position += len(chunk)
            *ended, rest = chunk.split(b"\n")
            for piece in ended:
                kept += piece
                yield None if too_long or len(kept) > LONGEST_LINE else bytes(kept)
                kept.clear()
                too_long = False
            kept += rest
            if len(kept) > LONGEST_LINE:
                too_long = True
                kept.clear()
        if kept or too_long:
            yield None if too_long else bytes(kept)

    async def _read(self) -> bytes:
        """The next bytes; nothing at the end. Waits on a pipe without holding up the loop."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        try:
            loop.add_reader(self._descriptor, readable.set)
        except (PermissionError, NotImplementedError):
            # A regular file is always readable, which epoll says by refusing it.
            await asyncio.sleep(0)
        else:
            try:
                await readable.wait()
            finally:
                loop.remove_reader(self._descriptor)
        return os.read(self._descriptor, _CHUNK)


def read_job(text: bytes, line: int, accounts: Container[str] | None = None) -> Job | Rejected:
    """The job in one line, or why there is none."""
    try:
        written = _lines.decode(text)
        action = parse_action(written.action, written.params)
        priority = _priority(written.priority)
    except RecursionError:
        return _rejected(text, line, "it is nested too deeply")
    except (msgspec.ValidationError, ActionError) as error:
        return _rejected(text, line, str(error))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        why = _HALF_A_CHARACTER if _halves_a_character(text) else f"it is not JSON: {error}"
        return _rejected(text, line, why)
    except ValueError as error:
        return _rejected(text, line, str(error))
    if written.account is not None and accounts is not None and written.account not in accounts:
        return _rejected(text, line, f"there is no account {written.account!r} among those of this run")
    job_id = f"line-{line}" if written.id is None else str(written.id)
    if len(job_id) > LONGEST_ID:
        return _rejected(text, line, f"its id is longer than {LONGEST_ID} characters")
    return Job(
        id=job_id,
        action=action,
        account=written.account,
        priority=priority,
        tags=tuple(written.tags),
        line=line,
    )


def _halves_a_character(text: bytes) -> bool:
    """Whether it is JSON but for that: the standard library takes it, and cannot write it."""
    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    except (ValueError, RecursionError):
        return False
    return False


def _priority(written: str | int) -> ConnectionPriority:
    try:
        if isinstance(written, int):
            return ConnectionPriority(written)
        return ConnectionPriority[written.upper()]
    except (KeyError, ValueError):
        names = ", ".join(each.name for each in ConnectionPriority)
        raise ValueError(f"priority must be one of {names} or 1 to 5, not {written!r}") from None


def _rejected(text: bytes, line: int, error: str) -> Rejected:
    try:
        found = _only_ids.decode(text).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    return Rejected(
        line=line,
        id=None if found is None else str(found)[:SHOWN],
        error=error,
        text=text[: 4 * SHOWN].decode(errors="replace")[:SHOWN],
    )
