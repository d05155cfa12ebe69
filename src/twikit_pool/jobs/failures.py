"""What a job that did not succeed is told as, in its result line."""

from __future__ import annotations

from typing import Final

import msgspec

from twikit_pool.errors import (
    AccountError,
    AcquireTimeoutError,
    ActionError,
    LeaseLost,
    LibraryOutOfDate,
    NoAccountAvailable,
    PoolOverloadedError,
    PostBlocked,
    PostHeld,
    TwikitPoolError,
)
from twikit_pool.jobs.job import Job, JobError, JobResult
from twikit_pool.jobs.results import ambiguous
from twikit_pool.sessions.outcomes import CallFailed, Outcome, Taken

_OUTCOMES: Final[dict[type[TwikitPoolError], str]] = {
    AcquireTimeoutError: "timeout",
    PoolOverloadedError: "overloaded",
    PostBlocked: "blocked",
    PostHeld: "held",
    ActionError: "refused",
    LibraryOutOfDate: Outcome.LIBRARY_STALE.value,
    AccountError: "no_account",
    NoAccountAvailable: "no_account",
    LeaseLost: Outcome.TRANSIENT.value,
}

WITHOUT_A_CALL: Final = tuple(_OUTCOMES)
"""Why the pool makes no call for a job, or cuts it short, though it makes others. What else it raises ends
the run."""


def result_of_failure(job: Job, failure: CallFailed) -> JobResult:
    """The result of a job whose call did not succeed."""
    verdict = failure.verdict
    why = JobError(
        reason=verdict.reason,
        status=verdict.status,
        code=verdict.code,
        taken=verdict.taken.value if job.action.writes else None,
    )
    if job.action.writes and verdict.taken is Taken.UNKNOWN:
        result = ambiguous(job, why, account=failure.account_id)
        return msgspec.structs.replace(result, attempts=failure.attempts)
    return JobResult(
        id=job.id,
        line=job.line,
        action=job.action.name,
        outcome=verdict.outcome.value,
        account=failure.account_id,
        attempts=failure.attempts,
        tags=job.tags,
        error=why,
    )


def result_of_refusal(job: Job, error: TwikitPoolError) -> JobResult:
    """The result of a job for which no call was made, or that was cut short, for one of those reasons."""
    return JobResult(
        id=job.id,
        line=job.line,
        action=job.action.name,
        outcome=next(outcome for kind, outcome in _OUTCOMES.items() if isinstance(error, kind)),
        account=job.account,
        tags=job.tags,
        error=JobError(reason=str(error)),
    )
