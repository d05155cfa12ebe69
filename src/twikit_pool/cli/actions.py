"""`twikit-pool actions`: what can be asked of an account."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from twikit_pool.errors import ConfigError, UnknownAction
from twikit_pool.sessions.actions import ACTIONS, Action, action_named


def actions(name: str | None = None, /) -> None:
    """List the named actions, or show one with its parameters.

    Args:
        name: the action to show.

    Raises:
        ConfigError: no action has this name.
    """
    console = Console()
    if name is None:
        table = Table("action", "", "endpoint", "what it does", box=None, pad_edge=False)
        for each in sorted(ACTIONS.values(), key=lambda kind: (not kind.writes, kind.name)):
            table.add_row(each.name, "write" if each.writes else "read", each.endpoint, _about(each))
        console.print(table)
        return
    try:
        kind = action_named(name)
    except UnknownAction as error:
        raise ConfigError(str(error)) from None
    console.print(f"[bold]{kind.name}[/]: {_about(kind)}")
    way = "writes" if kind.writes else "reads"
    if kind.engages:
        way += ", and engages: a file of jobs has it only by leave"
    console.print(f"{way}; endpoint {kind.endpoint}; twikit's {kind.twikit}()")
    schema = msgspec.json.schema(kind)
    definition: dict[str, Any] = schema["$defs"][kind.__name__]
    table = Table("parameter", "type", "", box=None, pad_edge=False)
    for parameter, kept in definition["properties"].items():
        needed = "required" if parameter in definition.get("required", ()) else _default(kept)
        table.add_row(parameter, _shape(kept, schema["$defs"]), needed)
    console.print(table)


def _about(kind: type[Action]) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0]


def _default(kept: dict[str, Any]) -> str:
    return f"default {kept['default']!r}" if kept.get("default") not in (None, "", [], {}) else ""


def _shape(kept: dict[str, Any], definitions: dict[str, Any]) -> str:
    """A JSON schema in a few words: `string`, `list of string`, `Top | Latest`."""
    if "anyOf" in kept:
        shapes = (_shape(each, definitions) for each in kept["anyOf"] if each.get("type") != "null")
        return " | ".join(shapes)
    if "enum" in kept:
        return " | ".join(str(each) for each in kept["enum"])
    if "$ref" in kept:
        fields = definitions[kept["$ref"].rpartition("/")[2]]["properties"]
        return "{" + ", ".join(f"{name}: {_shape(each, definitions)}" for name, each in fields.items()) + "}"
    if kept.get("type") == "array":
        return f"list of {_shape(kept['items'], definitions)}"
    return str(kept.get("description") or kept.get("format") or kept.get("type", "any"))
