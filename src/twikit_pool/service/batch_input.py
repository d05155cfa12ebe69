"""The jobs that a request brings: all of them can be run, or the whole batch is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar.exceptions import HTTPException, ValidationException

from twikit_pool.jobs import Rejected, engagement, read_job
from twikit_pool.jobs.reader import LONGEST_LINE
from twikit_pool.sessions.actions import Action, UploadMedia, WithMedia

if TYPE_CHECKING:
    from twikit_pool.jobs import Job

NDJSON: Final = "application/x-ndjson"

MOST_TOLD: Final = 100
"""Of the lines that are wrong."""

AT_A_TIME: Final = 200
"""Jobs that are checked before others have their turn: some milliseconds."""


class JobLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A job; as a line of a jobs file.

    Attributes:
        action: by name.
        params: the action's parameters. Media are URLs.
        id: what its result is known by, unique in the batch; line-N when not given.
        account: who does it; any account that can when not given.
        priority: LOW, NORMAL, HIGH, CRITICAL, EMERGENCY, or 1 to 5.
        tags: free words that are copied to its result.
    """

    action: Annotated[str, msgspec.Meta(max_length=200)]
    params: dict[str, Any] = {}
    id: str | int | None = None
    account: str | None = None
    priority: str | int = "NORMAL"
    tags: list[str] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenJobs:
    """Jobs that can be run: as lines, and how many there are."""

    lines: bytes
    count: int

    @property
    def digest(self) -> str:
        """Tells them from others."""
        return sha256(self.lines).hexdigest()


class JobsRefused(HTTPException):
    """Some jobs are none that can be run; `extra` tells which, and why. Nothing is started."""

    status_code = 422


def names_files(action: Action) -> bool:
    """Whether an action would send files of the machine that carries it out."""
    if isinstance(action, WithMedia):
        return bool(action.media)
    return isinstance(action, UploadMedia) and action.path is not None


async def read_jobs(
    body: bytes, content_type: str, *, accounts: Container[str], most: int, allow_engagement: bool
) -> GivenJobs:
    """The jobs in a request's body: a JSON array, or lines of JSON where that is its content type.

    Args:
        body: what was sent.
        content_type: as it was said.
        accounts: whom jobs may name.
        most: jobs that there may be.
        allow_engagement: whether they may like, repost and follow.

    Raises:
        JobsRefused: some are wrong, there are too many, or none.
        ValidationException: the body is no array.
    """
    whole = _lines(body) if content_type.partition(";")[0].strip().lower() == NDJSON else _array(body)
    wrong: list[dict[str, str]] = []
    seen: dict[str, int] = {}
    count = bad = 0
    for line, text in enumerate(whole.split(b"\n"), 1):
        if not text.strip():
            continue
        count += 1
        if count > most:
            raise JobsRefused(
                detail=f"a batch has {most:,} jobs at most (jobs.max_jobs): send several; nothing was started"
            )
        job = read_job(text, line, accounts)
        why = _why_not(job, text, seen, allow_engagement=allow_engagement)
        if why is not None:
            bad += 1
            if len(wrong) < MOST_TOLD:
                wrong.append({"line": str(line), "id": job.id or "", "error": why})
        elif job.id is not None:
            seen[job.id] = line
        if not count % AT_A_TIME:
            await asyncio.sleep(0)
    if bad:
        raise JobsRefused(detail=f"{bad:,} of {count:,} jobs cannot be run; nothing was started", extra=wrong)
    if not count:
        raise JobsRefused(detail="there is no job in it; nothing was started")
    return GivenJobs(lines=whole, count=count)


def _lines(body: bytes) -> bytes:
    return body if body.endswith(b"\n") else body + b"\n"


def _array(body: bytes) -> bytes:
    """A JSON array as lines."""
    try:
        jobs = msgspec.json.decode(body, type=list[msgspec.Raw])
    except msgspec.ValidationError as error:
        raise ValidationException(detail=f"the body must be an array of jobs: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValidationException(detail=f"the body is no JSON: {error}") from None
    return b"".join(_compact(jobs))


def _compact(jobs: list[msgspec.Raw]) -> Iterator[bytes]:
    for each in jobs:
        yield msgspec.json.format(bytes(each), indent=-1)
        yield b"\n"


def _why_not(job: Job | Rejected, text: bytes, seen: dict[str, int], *, allow_engagement: bool) -> str | None:
    """Why this is no job that can be run here; None if it is one."""
    if len(text) > LONGEST_LINE:
        return f"the line is longer than {LONGEST_LINE:,} bytes"
    if isinstance(job, Rejected):
        return job.error
    if names_files(job.action):
        return f"{job.action.name}: files of the service's machine are not sent; give a URL to fetch"
    if job.action.engages and not allow_engagement:
        return engagement.why_refused(job.action)
    if job.id in seen:
        return f"the id {job.id!r} is used on line {seen[job.id]} already; each job needs its own"
    return None
