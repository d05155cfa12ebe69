"""The content filter: looking at a post without sending it, and deciding about those that wait."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from twikit_pool.errors import TwikitPoolError
from twikit_pool.safety import Review, ReviewState, Verdict
from twikit_pool.service.acts import Act
from twikit_pool.service.routes.execution import (
    DEADLINE,
    Asking,
    Executed,
    Key,
    Name,
    answered,
    remote_action,
    shown,
)
from twikit_pool.service.routes.paging import USUAL, Limit, Offset, Page
from twikit_pool.service.service import Service, Serving
from twikit_pool.service.tokens import Scope

LONGEST_NOTE: Final = 500

Note = Annotated[str, msgspec.Meta(max_length=LONGEST_NOTE)]
InState = Annotated[
    ReviewState | None, QueryParameter(name="state", description="Those in this state alone.")
]
"""`state` itself is a word of Litestar's."""


class Draft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that may be sent: an action by name, its parameters, and who would send it."""

    action: Name = "post_tweet"
    parameters: dict[str, Any] = {}
    account: Name | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was decided.

    Attributes:
        note: why, to be kept.
        send: whether it is sent at once; if not given, yes, unless a campaign waits to send it.
    """

    note: Note = ""
    send: bool | None = None


class Edit(Decision, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be sent instead: `parameters` replace those of the same names."""

    parameters: dict[str, Any]


class Rejection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That it is not to be sent, and why."""

    note: Note = ""


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A review as it is now, and what came of sending it, if it was sent."""

    review: Review
    executed: Executed | None = None


class Safety(Controller):
    """What may be posted; see docs/safety.md."""

    path = "/v1"
    tags = ("reviews",)

    @post("/pools/{pool:str}/check-post", opt={"scope": Scope.EXECUTE}, status_code=200)
    async def check_post(self, service: Serving, pool: FromPath[str], data: JSONBody[Draft]) -> Verdict:
        """What the content filter says of a post. Nothing is sent, and nothing remembered."""
        service.pool(pool)
        guard, action = service.filtering(), remote_action(data.action, data.parameters)
        account = None if data.account is None else service.sessions.known(data.account)
        return await guard.filter.check(action, account or data.account)

    @get("/reviews", opt={"scope": Scope.OPERATE}, sync_to_thread=False)
    def list_reviews(
        self, service: Serving, in_state: InState = None, offset: Offset = 0, limit: Limit = USUAL
    ) -> Page[Review]:
        """Posts that a person is to decide about, the oldest first; in any state, the latest first."""
        reviews = service.filtering().reviews
        return Page(
            total=reviews.count(in_state),
            offset=offset,
            items=reviews.list(in_state, offset=offset, limit=limit),
        )

    @get("/reviews/{review:int}", opt={"scope": Scope.OPERATE}, sync_to_thread=False)
    def show_review(self, service: Serving, review: FromPath[int]) -> Review:
        """One of them."""
        return service.filtering().reviews.get(review)

    @post("/reviews/{review:int}/approve", opt={"scope": Scope.OPERATE}, status_code=200)
    async def approve_review(
        self,
        service: Serving,
        request: Asking,
        review: FromPath[int],
        data: JSONBody[Decision],
        idempotency_key: Key = None,
    ) -> Response[Decided]:
        """Let it go, once, and send it. What blocks a post, as being like another account's, still does."""
        reviews, by = service.filtering().reviews, request.auth.token.id

        async def work(act: Act) -> Decided:
            return await _sent(service, reviews.approve(review, by=by, note=data.note), data.send, act)

        return await answered(service, request, idempotency_key, data, work)

    @post("/reviews/{review:int}/edit", opt={"scope": Scope.OPERATE}, status_code=200)
    async def edit_review(
        self,
        service: Serving,
        request: Asking,
        review: FromPath[int],
        data: JSONBody[Edit],
        idempotency_key: Key = None,
    ) -> Response[Decided]:
        """Change what is to be sent, and let that go, once."""
        reviews, by = service.filtering().reviews, request.auth.token.id

        async def work(act: Act) -> Decided:
            held = reviews.get(review)
            remote_action(held.action, data.parameters | _needed(held, data.parameters))
            edited = reviews.edit(review, data.parameters, by=by, note=data.note)
            return await _sent(service, edited, data.send, act)

        return await answered(service, request, idempotency_key, data, work)

    @post("/reviews/{review:int}/reject", opt={"scope": Scope.OPERATE}, status_code=200, sync_to_thread=False)
    def reject_review(
        self, service: Serving, request: Asking, review: FromPath[int], data: JSONBody[Rejection]
    ) -> Review:
        """Let it never go."""
        return service.filtering().reviews.reject(review, by=request.auth.token.id, note=data.note)


def _needed(held: Review, given: dict[str, Any]) -> dict[str, Any]:
    """The parameters that an edit leaves as they are."""
    return {name: value for name, value in held.parameters.items() if name not in given}


async def _sent(service: Service, review: Review, send: bool | None, act: Act) -> Decided:
    if send is False or (send is None and review.owner is not None):
        return Decided(review=review)
    reviews = service.filtering().reviews
    try:
        done = await service.pool(review.pool_id).perform(
            review.parsed(),
            account=review.account_id,
            deadline=DEADLINE,
            on_send=act.on_send,
            on_refused=act.on_refused,
        )
    except TwikitPoolError:
        reviews.reopen(review.id)  # unless it has left
        raise
    executed = Executed(
        result=shown(done.result),
        account_id=done.account_id,
        attempts=done.attempts,
        seconds=done.seconds,
    )
    return Decided(review=reviews.get(review.id), executed=executed)
