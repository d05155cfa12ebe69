"""What is to be done, what came of it, and the lines that cannot be done."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import msgspec

from twikit_pool.pool.request import ConnectionPriority
from twikit_pool.sessions.actions import Action

AMBIGUOUS: Final = "ambiguous"
"""The outcome of a write that X may or may not have carried out. It is never sent again by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One action to carry out.

    Attributes:
        id: what its result is known by; unique in a run.
        action: what to do, with checked parameters.
        account: who does it; None for any account that can.
        priority: how urgent it is.
        tags: free words that are copied to its result.
        line: where it stands in the jobs file, from 1; 0 when it comes from elsewhere.
    """

    id: str
    action: Action
    account: str | None = None
    priority: ConnectionPriority = ConnectionPriority.NORMAL
    tags: tuple[str, ...] = ()
    line: int = 0

    @property
    def digest(self) -> bytes:
        """8 bytes that tell this job from another one with the same id; tags and layout do not count."""
        what = (self.action.name, self.action, self.account, self.priority)
        return blake2b(msgspec.json.encode(what), digest_size=8).digest()


class JobError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a job did not succeed: a sentence, and X's HTTP status and code where it gave any.

    `taken` is there for writes that were sent: whether X carried them out (`yes`, `no`, `unknown`).
    """

    reason: str
    status: int | None = None
    code: int | None = None
    taken: str | None = None


class JobResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of a job; one line of the results file.

    Attributes:
        id, line, action, tags: the job's.
        outcome: `ok`, `ambiguous`, `no_account`, `timeout`, `overloaded`, `refused`, `blocked` and `held` (by
            the content filter) or what the attempt meant (`caller_fault`, `transient`, …).
        account: who did it or tried last, when known.
        attempts: how many attempts were made; 0 when nothing was sent, or nobody knows.
        latency: seconds from its turn to its end, waiting for an account and for rate limits included;
            None when nobody knows.
        result: the action's record, when the outcome is `ok`.
        error: why not, otherwise.
    """

    id: str
    line: int
    action: str
    outcome: str
    account: str | None = None
    attempts: int = 0
    latency: float | None = None
    tags: tuple[str, ...] = ()
    result: Any = None
    error: JobError | None = None


class Rejected(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line that is no job that can be run; one line of the rejects file. `text` is its beginning."""

    line: int
    id: str | None = None
    error: str
    text: str = ""
