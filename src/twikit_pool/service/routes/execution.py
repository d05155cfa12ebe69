"""Acting: the named actions, and doing one of them through a pool."""

from __future__ import annotations

import inspect
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Annotated, Any, Final, TypeAlias, cast

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.exceptions import PermissionDeniedException
from litestar.params import FromPath, HeaderParameter, JSONBody

from twikit_pool.errors import InvalidParameters
from twikit_pool.pool import ConnectionPriority
from twikit_pool.safety.guard import LONGEST_REASON, overriding
from twikit_pool.service.access import Caller
from twikit_pool.service.acts import Act, Answer, Work
from twikit_pool.service.batch_input import names_files
from twikit_pool.service.idempotency import HEADER
from twikit_pool.service.problems import HEADERS
from twikit_pool.service.service import Service, Serving
from twikit_pool.service.tokens import Scope
from twikit_pool.sessions import ACTIONS, Action, parse_action
from twikit_pool.sessions.actions import action_named
from twikit_pool.sessions.records import Page

DEADLINE: Final = 50.0
"""Seconds for an act whose client says nothing: proxies in between give up after 60 by default (nginx's
`proxy_read_timeout`, the idle timeout of AWS's load balancers)."""

MOST_DEADLINE: Final = 1_000.0
"""Seconds at most: a rate window's 900, which an act may have to wait for, a call's 30, and some to spare."""

LOCAL_FILES: Final = frozenset({"media", "path"})
"""Parameters that name files of the machine that carries an action out, which here is the service's."""

Key: TypeAlias = Annotated[str | None, HeaderParameter(name=HEADER)]
"""With the same key the same request is carried out once; see docs/remote.md."""

Asking: TypeAlias = Request[Any, Caller, Any]

Wait = Annotated[float, msgspec.Meta(ge=0, le=MOST_DEADLINE)]
Allowed = Annotated[float, msgspec.Meta(gt=0, le=MOST_DEADLINE)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Why = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_REASON, pattern=r"\S")]


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something to do.

    Attributes:
        action: by name.
        parameters: of the action.
        account: who does it; any account that can when not given.
        priority: 1 (LOW) to 5 (EMERGENCY).
        reserved_for: the owner whose reserved connections it may use.
        timeout: seconds for each wait for a connection; the pool's setting when not given.
        deadline: seconds for everything.
        override: why a post is to go whatever the content filter says; takes a token that may operate.
    """

    action: Name
    parameters: dict[str, Any] = {}
    account: Name | None = None
    priority: ConnectionPriority = ConnectionPriority.NORMAL
    reserved_for: Name | None = None
    timeout: Wait | None = None
    deadline: Allowed = DEADLINE
    override: Why | None = None


class Executed(msgspec.Struct, frozen=True, kw_only=True):
    """What was done: the record, who did it, in how many attempts, and in how many seconds.

    The record has no fields that are as nothing: empty, 0, false, null. Of a paged action it is always
    `{"items": […], "next_cursor": …}`; the cursor is null with the last page.
    """

    result: Any
    account_id: str
    attempts: int
    seconds: float


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A page, with nothing left out."""

    items: tuple[Any, ...]
    next_cursor: str | None


class ActionSummary(msgspec.Struct, frozen=True, kw_only=True):
    """An action: what it does, the endpoint whose rate window it spends, and whether it changes something."""

    name: str
    about: str
    endpoint: str
    writes: bool


class ActionInfo(ActionSummary, frozen=True, kw_only=True):
    """An action with its parameters.

    Attributes:
        twikit: the method of `twikit.Client` that does the same.
        personal: whether its pages, or what it is about, belong to the account that acts.
        engages: whether it raises the figures of somebody's post or profile.
        paged: whether it comes in pages: give the `next_cursor` of one as the `cursor` of the next.
        needs: what the account must be able to do for some of its calls, in words; empty for nothing.
        parameters: a JSON Schema of them.
    """

    twikit: str
    personal: bool
    engages: bool
    paged: bool
    needs: str
    parameters: dict[str, Any]


class Execution(Controller):
    """What can be done, and doing it."""

    path = "/v1"
    tags = ("execution",)

    @get("/actions", opt={"scope": Scope.READ}, sync_to_thread=False)
    def list_actions(self) -> list[ActionSummary]:
        """Every action, those that write first."""
        kinds = sorted(ACTIONS.values(), key=lambda kind: (not kind.writes, kind.name))
        return [
            ActionSummary(name=kind.name, about=_about(kind), endpoint=kind.endpoint, writes=kind.writes)
            for kind in kinds
        ]

    @get("/actions/{name:str}", opt={"scope": Scope.READ}, sync_to_thread=False)
    def show_action(self, name: FromPath[str]) -> ActionInfo:
        """An action with its parameters."""
        return _described(action_named(name))

    @post("/pools/{pool:str}/execute", opt={"scope": Scope.EXECUTE}, status_code=200)
    async def execute(
        self,
        service: Serving,
        request: Asking,
        pool: FromPath[str],
        data: JSONBody[Order],
        idempotency_key: Key = None,
    ) -> Response[Executed]:
        """Do one thing through a pool, and answer when it is done.

        A client that leaves while it waits for a connection frees its place in line. What has left for X goes
        on to its end, and with an `Idempotency-Key` its answer is kept.
        """
        found, action = service.pool(pool), remote_action(data.action, data.parameters)
        past_the_filter = allowed(request, data.override)

        async def work(act: Act) -> Executed:
            with past_the_filter:
                done = await found.perform(
                    action,
                    account=data.account,
                    priority=data.priority,
                    reserved_for=data.reserved_for,
                    timeout=data.timeout,
                    deadline=data.deadline,
                    on_send=act.on_send,
                    on_refused=act.on_refused,
                )
            return Executed(
                result=shown(done.result),
                account_id=done.account_id,
                attempts=done.attempts,
                seconds=done.seconds,
            )

        return await answered(service, request, idempotency_key, data, work)


async def answered(
    service: Service, request: Asking, key: str | None, data: msgspec.Struct, work: Work
) -> Response[Any]:
    """The answer to a request to act, once with each key."""
    asked = msgspec.json.encode(data, order="deterministic")
    return _response(await service.remote.idempotent.answer(request, key, asked, work))


def _response(answer: Answer) -> Response[Any]:
    return Response(
        answer.body,
        status_code=answer.status,
        media_type=answer.media_type,
        headers={**HEADERS, **answer.headers},
    )


def allowed(request: Asking, reason: str | None) -> AbstractContextManager[object]:
    """What is done within goes past the content filter, if there is a reason and the caller may give one.

    Raises:
        PermissionDeniedException: it may not.
    """
    if reason is None:
        return nullcontext()
    token = request.auth.token
    if not token.scope.covers(Scope.OPERATE):
        raise PermissionDeniedException(
            f"token {token.id} may {token.scope}, and an override takes a token that may {Scope.OPERATE}"
        )
    return overriding(reason, by=token.id)


def remote_action(name: str, parameters: dict[str, Any]) -> Action:
    """An action that somebody elsewhere asks for.

    Raises:
        ActionError: it cannot be sent as asked; or it names files, which would be this machine's.
    """
    action = parse_action(name, parameters)
    if names_files(action):
        raise InvalidParameters(f"{name}: files of the service's machine are not sent; give a URL to fetch")
    return action


def shown(result: Any) -> Any:
    """A result as it is answered."""
    if not isinstance(result, Page):
        return result
    page = cast("Page[Any]", result)
    return Listed(items=page.items, next_cursor=page.next_cursor)


def _about(kind: type[Action]) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0]


@cache
def _described(kind: type[Action]) -> ActionInfo:
    schema = msgspec.json.schema(kind)
    shapes: dict[str, Any] = schema["$defs"]
    parameters: dict[str, Any] = shapes.pop(kind.__name__)
    parameters["properties"] = {
        name: shape for name, shape in parameters["properties"].items() if name not in LOCAL_FILES
    }
    if shapes:
        parameters["$defs"] = shapes
    own_needs = kind.needs is not Action.needs
    return ActionInfo(
        name=kind.name,
        about=_about(kind),
        endpoint=kind.endpoint,
        writes=kind.writes,
        twikit=kind.twikit,
        personal=kind.personal,
        engages=kind.engages,
        paged="cursor" in parameters["properties"],
        needs=(inspect.getdoc(kind.needs) or "") if own_needs else "",
        parameters=parameters,
    )
