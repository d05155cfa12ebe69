"""The daemon's settings as TOML: those in force, and a file to begin with."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.redaction import Secret
from twikit_pool.service.sections import (
    DEFAULT_POOL,
    POOL_KINDS,
    PRIORITIES,
    SECTIONS,
    PoolSettings,
    ServiceSettings,
)
from twikit_pool.service.setting_sources import POOLS
from twikit_pool.service.setting_words import NONE, bounds, kinds, meanings, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH: Final = 100
"""Characters of a line of description."""

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_OPENING: Final = f"""\
Settings of `twikit-pool serve`. Each stands here with its default: to change one, take away the first
character of its line, and change the value. Flags and the environment (TWIKIT_POOL__SECTION__NAME, and for
pools TWIKIT_POOL__POOLS__POOL__NAME) come before this file. "{NONE}" is how to say that there is none.
Relative paths begin in the folder of this file. `twikit-pool config check` says whether all is right."""

_POOLS_OPENING: Final = """\
A pool. There may be several, each with a name of its own, as [pools.brand-uk]; an account belongs to one
pool, unless those that have it are shared."""


def tables(settings: ServiceSettings) -> dict[str, dict[str, Any]]:
    """Every setting's value by its table's name; secrets masked."""
    found: dict[str, dict[str, Any]] = {
        name: {each: getattr(getattr(settings, name), each) for each in kinds(section)}
        for name, section in SECTIONS.items()
    }
    for name, pool in settings.pools.items():
        found[f"{POOLS}.{name}"] = {each: _of_pool(pool, each) for each in POOL_KINDS}
    return {
        name: {each: without_secrets(_plain(value)) for each, value in table.items()}
        for name, table in found.items()
    }


def _of_pool(pool: PoolSettings, name: str) -> Any:
    return getattr(pool.config if name in ConnectionPoolConfig.__struct_fields__ else pool, name)


def _plain(value: Any) -> Any:
    """The value, as JSON and TOML have them."""
    if isinstance(value, Path | Secret):
        return str(value)
    return [_plain(each) for each in cast("tuple[Any, ...]", value)] if isinstance(value, tuple) else value


def as_toml(settings: ServiceSettings, origins: Mapping[str, str] | None) -> str:
    """The settings that are in force, and with `origins` where each comes from."""
    lines: list[str] = []
    for header, table in tables(settings).items():
        lines += ["", f"[{header}]"]
        for name, value in table.items():
            line = f"{name} = {_toml(_named(name, value))}"
            if origins is not None:
                line += f"  # {_one_line(origins.get(f'{header}.{name}', 'default'))}"
            lines.append(line)
    return "\n".join(lines[1:])


def as_json(settings: ServiceSettings, origins: Mapping[str, str], file: Path | None) -> str:
    """The same for programs."""
    told: dict[str, Any] = {}
    for header, table in tables(settings).items():
        section, _, pool = header.partition(".")
        if pool:
            told.setdefault(POOLS, {})[pool] = table
        else:
            told[section] = table
    # The standard library's: msgspec refuses names of files that are no text.
    return json.dumps(
        {"settings": told, "origins": dict(origins), "file": None if file is None else str(file)}, indent=2
    )


def commented() -> str:
    """A file with every section and every setting: its meaning, what it must be, its default."""
    lines = [*_described(_OPENING)]
    defaults = ServiceSettings()
    for name, section in SECTIONS.items():
        lines += ["", "", *_described(_summary(section)), f"[{name}]"]
        for each, kind in kinds(section).items():
            lines += _setting(each, kind, getattr(getattr(defaults, name), each), meanings(section))
    lines += ["", "", *_described(_POOLS_OPENING), f"[{POOLS}.{DEFAULT_POOL}]"]
    meant = {**meanings(PoolSettings), **meanings(ConnectionPoolConfig)}
    for each, kind in POOL_KINDS.items():
        lines += _setting(each, kind, _of_pool(defaults.pools[DEFAULT_POOL], each), meant)
    return "\n".join([*lines, ""])


def _setting(name: str, kind: Any, default: Any, meant: Mapping[str, str]) -> Iterator[str]:
    yield ""
    meaning = meant.get(name, "").rstrip(".").replace("None", f'"{NONE}"').replace("`", "")
    yield from _described(f"{meaning[:1].upper()}{meaning[1:]}. Must be {bounds(kind)}.".removeprefix(". "))
    yield f"#{name} = {_toml(_named(name, _plain(default)))}"


def _summary(section: type[msgspec.Struct]) -> str:
    words, _, _ = (section.__doc__ or "").partition("\n")
    return words.replace("`", "")


def _described(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(" ".join(text.split()), WIDTH, break_on_hyphens=False)]


def _named(name: str, value: Any) -> Any:
    """The value, with priorities by their names."""
    if name != "priorities":
        return value
    names = {number: word for word, number in PRIORITIES.items()}
    return {pool: names[number] for pool, number in value.items()}


def _toml(value: Any) -> str:
    match value:
        case None:
            return f'"{NONE}"'
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(_toml, cast('list[Any]', value)))}]"
        case Mapping():
            entries = cast("Mapping[str, Any]", value).items()
            inside = ", ".join(f"{_key(name)} = {_toml(each)}" for name, each in entries)
            return f"{{ {inside} }}" if inside else "{}"
        case str():
            return _quoted(value)
        case _:
            return repr(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    # JSON's strings are TOML's but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _one_line(text: str) -> str:
    """What may follow a #: a path can have any character."""
    return "".join(each if each.isprintable() else "?" for each in text)
