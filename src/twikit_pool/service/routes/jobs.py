"""Batches of jobs over HTTP: submitted, followed, cancelled; see docs/jobs.md."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Final
from urllib.parse import quote

import msgspec
from litestar import Controller, Response, delete, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from twikit_pool.service.batch import Batch, Counts
from twikit_pool.service.batch_input import NDJSON, JobLine, read_jobs
from twikit_pool.service.batch_record import State
from twikit_pool.service.idempotency import REPLAYED
from twikit_pool.service.problems import HEADERS
from twikit_pool.service.routes.execution import MOST_DEADLINE, Asking, Key
from twikit_pool.service.routes.paging import USUAL, Limit, Offset, Page, part
from twikit_pool.service.service import Service, Serving
from twikit_pool.service.tokens import Scope

Title = Annotated[str, QueryParameter(max_length=200, description="What its owner calls the batch.")]
Wait = Annotated[
    float | None,
    QueryParameter(
        ge=0,
        le=MOST_DEADLINE,
        description="Seconds that each wait for an account may last; as long as it takes when not given.",
    ),
]
After = Annotated[
    int,
    QueryParameter(
        ge=0, le=1_000_000_000, description="The number of the last result that you have; 0 for none."
    ),
]
InState = Annotated[State | None, QueryParameter(name="state")]
"""`state` itself is a word of Litestar's."""

STREAMED: Final = {**HEADERS, "X-Accel-Buffering": "no"}
"""nginx would keep lines back until it has a buffer full of them."""


class BatchInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A batch.

    Attributes:
        id: names it.
        pool_id: the pool that carries it out.
        name: what its owner calls it.
        state: running, stopping (it was cancelled, and calls in flight may end), done (each job has its
            result), stopped, or failed (it cannot go on: see the reason, then resume it).
        reason: why it failed.
        began: when it was submitted, in UTC.
        ended: when it ended, in UTC.
        jobs: how many it has.
        counts: where they are.
    """

    id: str
    pool_id: str
    name: str
    state: State
    reason: str
    began: datetime
    ended: datetime | None
    jobs: int
    counts: Counts


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a job; fields that say nothing are left out.

    Attributes:
        number: in the order in which jobs ended, from 1.
        id, line, action, tags: the job's.
        outcome: ok, ambiguous (nobody knows whether X carried it out; it is not sent again), or why not; see
            docs/run.md.
        account: who did it, or tried last.
        attempts: how many there were.
        latency: seconds from its turn to its end.
        result: the action's record, when the outcome is ok.
        error: a reason, X's status and code, and whether X carried it out, otherwise.
    """

    number: int
    id: str
    line: int
    action: str
    outcome: str
    account: str | msgspec.UnsetType = msgspec.UNSET
    attempts: int | msgspec.UnsetType = msgspec.UNSET
    latency: float | msgspec.UnsetType = msgspec.UNSET
    tags: list[str] | msgspec.UnsetType = msgspec.UNSET
    result: Any = None
    error: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """Results of a batch, in the order in which its jobs ended.

    Attributes:
        items: these.
        next: what to give as `after` for those that come next; the same as was given when there are none yet.
        total: how many there are by now.
        over: whether there will be no more.
    """

    items: list[Result]
    next: int
    total: int
    over: bool


class Jobs(Controller):
    """Many jobs at once, each run once, on disk before they are acknowledged."""

    path = "/v1/pools/{pool:str}/jobs"
    tags = ("jobs",)

    @post(opt={"scope": Scope.EXECUTE, "takes": list[JobLine]}, status_code=202)
    async def submit(
        self,
        service: Serving,
        request: Asking,
        pool: FromPath[str],
        name: Title = "",
        timeout: Wait = None,
        idempotency_key: Key = None,
    ) -> Response[BatchInfo]:
        """Submit a batch: an array of jobs, or lines of JSON with `Content-Type: application/x-ndjson`.

        If one of them is wrong the whole batch is refused, and `errors` names each line. What is acknowledged
        is on disk, and goes on after a restart. With the same `Idempotency-Key` the same batch is answered,
        as long as it is kept, over restarts too.
        """
        found, batches, body = service.pool(pool), service.batches, await request.body()
        kind, owner = request.headers.get("content-type", ""), request.auth.token.id
        asked = sha256(f"{pool}\n{name}\n{timeout}\n".encode() + body).hexdigest()
        batch = None if idempotency_key is None else batches.submitted(owner, idempotency_key, asked)
        if batch is not None:
            return _accepted(batch, {REPLAYED: "true"})
        jobs = await read_jobs(
            body,
            kind,
            accounts=found.account_ids,
            most=batches.settings.max_jobs,
            allow_engagement=batches.settings.allow_engagement,
        )
        # Another with this key may have come meanwhile; from here on nothing comes in between.
        batch = None if idempotency_key is None else batches.submitted(owner, idempotency_key, asked)
        if batch is not None:
            return _accepted(batch, {REPLAYED: "true"})
        batch = batches.submit(
            pool, jobs, name=name, timeout=timeout, owner=owner, key=idempotency_key, asked=asked
        )
        return _accepted(batch, {})

    @get(opt={"scope": Scope.READ}, sync_to_thread=False)
    def list_jobs(
        self,
        service: Serving,
        pool: FromPath[str],
        in_state: InState = None,
        offset: Offset = 0,
        limit: Limit = USUAL,
    ) -> Page[BatchInfo]:
        """The batches of a pool that are kept, the latest first: those in a `state`, or all."""
        every = service.batches.all(pool)
        if not every:
            service.pool(pool)  # there may be none of this name
        found = [each for each in every if in_state in (None, each.record.state)]
        shown = [_told(each) for each in part(found, offset, limit)]
        return Page(total=len(found), offset=offset, items=shown)

    @get("/{batch:str}", opt={"scope": Scope.READ}, sync_to_thread=False)
    def show(self, service: Serving, pool: FromPath[str], batch: FromPath[str]) -> BatchInfo:
        """How far a batch came."""
        return _told(_found(service, pool, batch))

    @get("/{batch:str}/results", opt={"scope": Scope.READ}, sync_to_thread=False)
    def results(
        self,
        service: Serving,
        pool: FromPath[str],
        batch: FromPath[str],
        after: After = 0,
        limit: Limit = USUAL,
    ) -> Response[Results]:
        """Results after a number, in the order in which jobs ended. A page of long results may be shorter."""
        found = _found(service, pool, batch)
        over, total = found.over, found.counts().ended
        lines = found.results(after, limit)
        body = b'{"items":[%b],"next":%d,"total":%d,"over":%b}' % (
            b",".join(lines),
            after + len(lines),
            total,
            b"true" if over else b"false",
        )
        answer: Response[Any] = Response(body, media_type="application/json", headers=HEADERS)
        return answer

    @get("/{batch:str}/results/stream", opt={"scope": Scope.READ}, media_type=NDJSON, sync_to_thread=False)
    def stream(self, service: Serving, pool: FromPath[str], batch: FromPath[str], after: After = 0) -> Stream:
        """Results after a number, a line of JSON each, as jobs end, until the batch does.

        Empty lines only keep the connection. When it breaks, ask again `after` the number of the last line.
        """
        return Stream(_found(service, pool, batch).follow(after), media_type=NDJSON, headers=STREAMED)

    @post("/{batch:str}/cancel", opt={"scope": Scope.EXECUTE}, status_code=200, sync_to_thread=False)
    def cancel(self, service: Serving, pool: FromPath[str], batch: FromPath[str]) -> BatchInfo:
        """Send nothing more of it, let calls in flight end, and end it. Harmless when it has ended."""
        found = _found(service, pool, batch)
        found.cancel()
        return _told(found)

    @post("/{batch:str}/resume", opt={"scope": Scope.EXECUTE}, status_code=200, sync_to_thread=False)
    def resume(self, service: Serving, pool: FromPath[str], batch: FromPath[str]) -> BatchInfo:
        """Go on with a batch that was stopped or has failed. Jobs that have a result are not run again."""
        found = _found(service, pool, batch)
        service.batches.resume(found)
        return _told(found)

    @delete("/{batch:str}", opt={"scope": Scope.EXECUTE}, sync_to_thread=False)
    def remove(self, service: Serving, pool: FromPath[str], batch: FromPath[str]) -> None:
        """Keep nothing of a batch that has ended: neither its jobs nor its results, nor its key."""
        service.batches.remove(_found(service, pool, batch))


def _found(service: Service, pool: str, batch_id: str) -> Batch:
    # The pool need not be there any more: results outlive it.
    batch = service.batches.find(pool, batch_id)
    if batch is None:
        raise NotFoundException(
            f"pool {pool!r} has no batch {batch_id!r}: it was removed, was kept for long enough, or never was"
        )
    return batch


def _told(batch: Batch) -> BatchInfo:
    record = batch.record
    return BatchInfo(
        id=record.id,
        pool_id=record.pool_id,
        name=record.name,
        state=record.state,
        reason=record.reason,
        began=record.began,
        ended=record.ended,
        jobs=record.jobs,
        counts=batch.counts(),
    )


def _accepted(batch: Batch, headers: dict[str, str]) -> Response[BatchInfo]:
    place = f"/v1/pools/{quote(batch.record.pool_id, safe='')}/jobs/{batch.record.id}"
    return Response(_told(batch), status_code=202, headers={**HEADERS, "Location": place, **headers})
