"""Which call does what: endpoints register themselves here, by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import msgspec

from twikit_pool.simulator.refusals import Refusal
from twikit_pool.simulator.shapes.tweets import tweet_result
from twikit_pool.simulator.shapes.users import user_result

if TYPE_CHECKING:
    from twikit_pool.simulator.http import Request
    from twikit_pool.simulator.state import State
    from twikit_pool.simulator.world import Tweet, User

MOST: Final = 100
"""Items a page, whatever is asked for."""


class _GraphQL(msgspec.Struct):
    variables: dict[str, Any] = {}


_decode_graphql = msgspec.json.Decoder(_GraphQL).decode
_decode_variables = msgspec.json.Decoder(dict[str, Any]).decode


class Call:
    """One call as an endpoint sees it: who asks, for what, when."""

    def __init__(
        self, request: Request, endpoint: Endpoint, account_id: str, user: User, state: State, now: float
    ) -> None:
        self.request = request
        self.endpoint = endpoint
        self.account_id = account_id
        self.user = user
        self.state = state
        self.now = now
        self.empty_legacy = False
        self.status = 200

    @cached_property
    def variables(self) -> dict[str, Any]:
        """A GraphQL call's variables, or the parameters of any other: query, form or JSON body.

        Raises:
            Refusal: they are not what they should be (214).
        """
        try:
            return self._read()
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refusal(214, "The body or the variables are not valid JSON.", 400) from error

    def _read(self) -> dict[str, Any]:
        request = self.request
        if self.endpoint.path is None:
            if request.method == "POST":
                return _decode_graphql(request.body).variables
            return _decode_variables(request.parameter("variables") or "{}")
        found: dict[str, Any] = dict(parse_qsl(request.query, keep_blank_values=True))
        kind = request.headers.get("content-type", "")
        if kind.startswith("application/json"):
            found |= _decode_variables(request.body) if request.body else {}
        elif kind.startswith("application/x-www-form-urlencoded"):
            found |= request.form
        return found

    def need(self, name: str) -> Any:
        """A variable that must be there.

        Raises:
            Refusal: it is not (214).
        """
        if name not in self.variables:
            raise Refusal(214, f"The variable {name} is missing.", 400)
        return self.variables[name]

    def count(self, usual: int = 20, most: int = MOST) -> int:
        """How many items are asked for.

        Raises:
            Refusal: it is no number (214).
        """
        try:
            return max(1, min(most, int(self.variables.get("count", usual))))
        except (TypeError, ValueError) as error:
            raise Refusal(214, "The variable count is no number.", 400) from error

    @property
    def cursor(self) -> object:
        """The cursor that was handed in, if any."""
        return self.variables.get("cursor")

    def show(self, tweet: Tweet) -> Any:
        """A post as GraphQL shows it to this caller."""
        return tweet_result(tweet, self.user, self.state.world, empty_legacy=self.empty_legacy)

    def show_user(self, user: User) -> Any:
        """A user as GraphQL shows him to this caller."""
        return user_result(user, self.user, empty_legacy=self.empty_legacy)

    def wrote(self, key: object) -> None:
        """Note that a write took effect."""
        self.state.note_write(self.account_id, self.endpoint.name, str(key))


Handler = Callable[[Call], Any]
"""Answers with what is to be encoded as JSON; None means an empty body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An operation. `path` is None for GraphQL, where the name is the operation's."""

    name: str
    method: str | None
    path: str | None
    handle: Handler
    posts: bool = False


GRAPHQL: Final[dict[str, Endpoint]] = {}
REST: Final[dict[tuple[str, str], Endpoint]] = {}

_ID: Final = re.compile(r"(?<=[a-z_])/[0-9]+(?:-[0-9]+)?(?=[/.]|$)")


def graphql(name: str, *, posts: bool = False) -> Callable[[Handler], Handler]:
    """Register a GraphQL operation; `posts` when it counts against the daily cap on posts."""

    def register(handle: Handler) -> Handler:
        GRAPHQL[name] = Endpoint(name=name, method=None, path=None, handle=handle, posts=posts)
        return handle

    return register


def rest(method: str, path: str, name: str | None = None) -> Callable[[Handler], Handler]:
    """Register any other operation by its path without `/i/api`; `id` stands for an id in it.

    Its name is the path without version and ending, as in `friendships/create`, unless it is given.
    """

    def register(handle: Handler) -> Handler:
        REST[method, path] = Endpoint(name=name or name_of(path), method=method, path=path, handle=handle)
        return handle

    return register


def name_of(path: str) -> str:
    """The name of an operation by its path."""
    name = path.removesuffix(".json").removeprefix("/i/").strip("/")
    version, _, rest_of_it = name.partition("/")
    return rest_of_it if version in {"1.1", "2"} else name


def find(request: Request) -> tuple[str, Endpoint | None]:
    """The operation's name, and what answers it, if anything does."""
    path = request.path
    if "/graphql/" in path:
        name = path.rpartition("/")[2]
        return name, GRAPHQL.get(name)
    path = path.removeprefix("/i/api")
    found = REST.get((request.method, path))
    if found is None:
        path = _ID.sub("/id", path)
        found = REST.get((request.method, path))
    return (found.name if found else name_of(path)), found
