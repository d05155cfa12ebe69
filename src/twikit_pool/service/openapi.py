"""The API's own description, made complete in one place: names, bodies and their examples, problems.

A route says what it does in its docstring and what it takes in its types. What every route has in common is
added here: an id and a summary from its function's name, and the problems that it may answer with, by its
scope and what it takes. Bodies are described by msgspec, which reads and writes them, so that the description
knows each bound, and that unknown fields are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar import Response, Router
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, Example, OpenAPI, Operation, RequestBody, SecurityScheme
from litestar.plugins import ReceiveRoutePlugin

from twikit_pool import __version__
from twikit_pool.service.examples import EXAMPLES
from twikit_pool.service.problems import MEDIA_TYPE, Problem
from twikit_pool.service.tokens import Scope

if TYPE_CHECKING:
    from litestar.routes import BaseRoute
    from litestar.types import Method

PATH: Final = "/v1/openapi"
COMPONENTS: Final = "#/components/schemas/"
JSON: Final = "application/json"
BEARER: Final = "bearer"
TAKES: Final = "takes"
"""In a route's `opt`: the type of a body that it reads by itself."""

PROBLEMS: Final[Mapping[int, str]] = {
    400: "The request is malformed: its body is no JSON, say.",
    401: "No token, or one that does not hold.",
    403: "The token may not do this.",
    404: "There is no such thing.",
    409: "It cannot be done as things are; `detail` says what to do.",
    410: "The lease is over.",
    412: "It has changed since it was read (`If-Match`).",
    413: "The body is too large.",
    422: "The input is wrong: `errors` says where, and why.",
    429: "The token asks too often: wait for as long as `Retry-After` says.",
    500: "An error that nobody foresaw; the service's log names it.",
    502: "X did not do it: `verdict` says what it answered.",
    503: "It cannot be done now, but soon: `Retry-After` says when to try again.",
}
"""What each status of a problem means."""

CALLING: Final = frozenset({"execution", "leases", "jobs", "reviews"})
"""Tags of routes that may call X, or use a lease."""

NO_INPUT: Final = frozenset({"self", "service", "request", "data"})
"""What a route's function is given besides what it takes from the path, the query and headers."""


class Described(ReceiveRoutePlugin):
    """Describes each route that is registered. Give it to an application as a plugin, with its `config`."""

    def __init__(self) -> None:
        self.bodies: dict[str, Bodies] = {}

    @property
    def config(self) -> OpenAPIConfig:
        """How the API describes itself, at `/v1/openapi/openapi.json`."""
        bearer = SecurityScheme(
            type="http", scheme="bearer", description="`twikit-pool tokens create` makes one"
        )
        return _Config(
            self.bodies,
            title="twikit-pool",
            version=__version__,
            description="Pools of X accounts, over HTTP. docs/api.md and docs/service.md tell the rest.",
            openapi_router=Router(
                PATH, route_handlers=[], include_in_schema=False, opt={"scope": Scope.READ}
            ),
            render_plugins=[JsonRenderPlugin()],
            components=Components(security_schemes={BEARER: bearer}),
            operation_id_creator=operation_id,
            use_handler_docstrings=True,
        )

    def receive_route(self, route: BaseRoute) -> None:
        """Complete a route that has just been registered."""
        for handler in getattr(route, "route_handlers", ()):
            if isinstance(handler, HTTPRouteHandler) and "OPTIONS" not in handler.http_methods:
                _complete(handler, in_path=set(route.path_parameters))
                if handler.resolve_include_in_schema():
                    self.bodies[operation_id(handler, "GET", [])] = Bodies.of(handler)


def operation_id(handler: HTTPRouteHandler, _method: Method, _path: list[Any]) -> str:
    """What generated clients call a route: its function's name, led by its tag where that is not in it."""
    name, tag = handler.handler_name, next(iter(handler.resolve_tags()), "")
    return name if not tag or tag.removesuffix("s") in name else f"{tag}_{name}"


# ------------------------------------------------------------ routes


def _complete(handler: HTTPRouteHandler, *, in_path: set[str]) -> None:
    scope, takes = handler.opt.get("scope"), handler.parsed_fn_signature.parameters.keys()
    changes = not handler.http_methods & {"GET", "HEAD"}
    problems = {429, 500}
    if scope is not None:
        problems |= {401, 403, 409, 503}
    if in_path or "pool" in takes:
        problems |= {404}
    if takes - NO_INPUT:
        problems |= {400, 422}
    if "data" in takes or TAKES in handler.opt:
        problems |= {400, 409, 413, 422}
    if changes and scope is None:
        problems |= {401}  # what is exchanged for a cookie may be no token
    if changes and CALLING & set(handler.resolve_tags()):
        problems |= {410, 502}
    if "if_match" in takes:
        problems |= {412}
    told = {each: _problem(each) for each in sorted(problems)}
    if not changes and scope is not None:
        told[304] = ResponseSpec(data_container=None, description="It is as `If-None-Match` says.")
    handler.responses = {**told, **(handler.responses or {})}
    handler.operation_class = DescribedOperation
    handler.summary = handler.summary or handler.handler_name.replace("_", " ").capitalize()
    handler.security = [] if scope is None else [{BEARER: []}]


def _problem(status: int) -> ResponseSpec:
    return ResponseSpec(
        data_container=Problem,
        description=PROBLEMS[status],
        media_type=MEDIA_TYPE,
        generate_examples=False,
    )


@dataclass
class DescribedOperation(Operation):
    """A route as it is described, with an example of its body."""

    def __post_init__(self) -> None:
        example = EXAMPLES.get(self.operation_id or "")
        if example is not None and isinstance(self.request_body, RequestBody):
            for content in self.request_body.content.values():
                content.examples = {"example": Example(value=example)}


# ------------------------------------------------------------ bodies


@dataclass(frozen=True, slots=True, kw_only=True)
class Bodies:
    """The types of what a route takes and answers; None for none, or for what is no JSON."""

    taken: Any
    answered: Any
    status: str

    @classmethod
    def of(cls, handler: HTTPRouteHandler) -> Bodies:
        """Those of this route."""
        signature = handler.parsed_fn_signature
        data, answer = signature.parameters.get("data"), signature.return_type
        answered: Any = None
        if handler.media_type in (None, JSON):
            answered = (answer.inner_types[0] if answer.is_subclass_of(Response) else answer).annotation
        return cls(
            taken=handler.opt.get(TAKES) if data is None else data.annotation,
            answered=None if answered is type(None) else answered,
            status=str(handler.status_code),
        )


class _Config(OpenAPIConfig):
    def __init__(self, bodies: Mapping[str, Bodies], **settings: Any) -> None:
        super().__init__(**settings)
        self._bodies = bodies

    def to_openapi_schema(self) -> OpenAPI:
        begun = super().to_openapi_schema()
        return _Document(self._bodies, **{each.name: getattr(begun, each.name) for each in fields(begun)})


class _Document(OpenAPI):
    def __init__(self, bodies: Mapping[str, Bodies], **parts: Any) -> None:
        super().__init__(**parts)
        self._bodies = bodies

    def to_schema(self) -> dict[str, Any]:
        document = super().to_schema()
        _describe_bodies(document, self._bodies)
        return document


def _describe_bodies(document: dict[str, Any], bodies: Mapping[str, Bodies]) -> None:
    """Put msgspec's description in the place of each body's."""
    types = [each for both in bodies.values() for each in (both.taken, both.answered) if each is not None]
    schemas, components = msgspec.json.schema_components(
        [*types, Problem], ref_template=COMPONENTS + "{name}"
    )
    described = iter(schemas)
    operations = {each["operationId"]: each for path in document["paths"].values() for each in path.values()}
    for name, both in bodies.items():
        operation = operations[name]
        if both.taken is not None:
            # A route that reads its body by itself is not known to have one.
            example = {"example": {"value": EXAMPLES.get(name)}}
            read = {"required": True, "content": {JSON: {"examples": example}}}
            for content in operation.setdefault("requestBody", read)["content"].values():
                content["schema"] = next(described)
        if both.answered is not None:
            operation["responses"][both.status]["content"] = {JSON: {"schema": next(described)}}
    for each in components.values():
        _explain(each)
    known = {**document["components"]["schemas"], **components}
    document["components"]["schemas"] = _needed(document["paths"], known)


def _explain(schema: dict[str, Any]) -> None:
    """Tell what each field is where the field is, not in what is told of all of them."""
    for each in schema.get("properties", {}).values():
        first, *others = each.get("prefixItems", [None])
        if first is not None and all(other == first for other in others):
            # Not every tool knows prefixItems by now.
            each["items"] = each.pop("prefixItems")[0]
    whole, _, attributes = cleandoc(schema.get("description", "")).partition("\n\nAttributes:\n")
    if whole:
        schema["description"] = whole
    names: list[str] = []
    for line in attributes.splitlines():
        if line.startswith("     "):  # it goes on
            more = line.strip()
        else:
            told, _, more = line.strip().partition(": ")
            names = told.split(", ")
        for name in names:
            if name in schema.get("properties", {}):
                field = schema["properties"][name]
                field["description"] = f"{field.get('description', '')} {more}".strip()


def _needed(paths: object, known: Mapping[str, Any]) -> dict[str, Any]:
    """Those schemas that the paths refer to, directly or not, by name."""
    found: dict[str, Any] = {}
    to_see: list[Any] = [paths]
    while to_see:
        part = to_see.pop()
        if isinstance(part, dict):
            to_see += part.values()  # pyright: ignore[reportUnknownMemberType] - JSON
        elif isinstance(part, list):
            to_see += part
        elif isinstance(part, str) and part.startswith(COMPONENTS):
            name = part.removeprefix(COMPONENTS)
            if name not in found:
                found[name] = known[name]
                to_see.append(known[name])
    return {name: found[name] for name in sorted(found)}
