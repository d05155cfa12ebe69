"""Where settings come from: flags, the environment, a file.

tomllib's time grows with the square of a dotted key's parts, and nested brackets exhaust its stack, so text
is looked over before it is parsed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import platformdirs

from twikit_pool.accounts.locations import expanded
from twikit_pool.errors import ConfigError
from twikit_pool.service.setting_words import masked, shown, tamed, unknown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from twikit_pool.service.setting_words import Complaints

FILE_NAME: Final = "twikit-pool.toml"
PREFIX: Final = "TWIKIT_POOL__"
POOLS: Final = "pools"

MOST_BYTES: Final = 65_536
"""Of a file. `twikit-pool config init` writes 15 KB."""

MOST_PARTS: Final = 8
"""Parts of a dotted key; ours have three."""

MOST_NESTED: Final = 8
"""Brackets within each other; ours are two."""

MOST_POOLS: Final = 256

POOL_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
"""What a pool may be called here: it stands in paths of the API, and in names of variables."""

POOL_NAME_WORDS: Final = "1 to 64 letters, digits, - and _, and begins with a letter or a digit"

_PIECES: Final = re.compile(
    r'''
    """ (?: [^"\\] | \\. | "(?!"") )*+ (?: "{3,5} | \Z )?
    | \'{3} .*? (?: \'{3,5} | \Z )
    | " (?: [^"\\\n] | \\. )*+ "?
    | ' [^'\n]*+ '?
    | \# [^\n]*+
    | [\[\]{}.=,\n]
    ''',
    re.VERBOSE | re.DOTALL,
)
"""What matters of TOML's grammar here. A missing end is the end of the text, so that this stays linear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A value that somebody gave.

    Attributes:
        value: as it was parsed.
        origin: where it comes from.
        folder: where its relative paths begin.
        text: the words that were parsed, if they may have been meant literally.
    """

    value: Any
    origin: str
    folder: Path
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """All that comes from one source: by section and setting, and by pool and setting."""

    sections: dict[str, dict[str, Given]] = field(default_factory=dict[str, dict[str, Given]])
    pools: dict[str, dict[str, Given]] = field(default_factory=dict[str, dict[str, Given]])

    def setting(self, section: str, name: str) -> Given | None:
        """What this source says of a setting."""
        return self.sections.get(section, {}).get(name)


# ---------------------------------------------------------------- tables: flags and files


def layer_of(
    tables: Mapping[str, Any],
    sections: Collection[str],
    known: Collection[str],
    complaints: Complaints,
    *,
    origin: str,
    folder: Path,
) -> Layer:
    """What nested tables say; `sections` are those but pools, and `known` the names that may be meant."""
    layer = Layer()

    def taken(table: Mapping[str, Any]) -> dict[str, Given]:
        return {
            name: Given(value=tamed(value), origin=origin, folder=folder) for name, value in table.items()
        }

    def no_table(name: str, value: object, header: str) -> None:
        # A setting's own value is not shown: nobody knows what it is.
        kind = type(value).__name__
        complaints.add(
            lambda: f"{masked(name)} must be a table, as [{header}] begins, not a {kind} ({origin})"
        )

    for section, content in tables.items():
        if section not in (*sections, POOLS):
            complaints.add(lambda section=section: f"{unknown(section, known)} ({origin})")
        elif not isinstance(content, Mapping):
            no_table(section, content, f"{POOLS}.default" if section == POOLS else section)
        elif section != POOLS:
            layer.sections[section] = taken(cast("Mapping[str, Any]", content))
        else:
            for name, settings in cast("Mapping[str, Any]", content).items():
                if isinstance(settings, Mapping):
                    layer.pools[name] = taken(cast("Mapping[str, Any]", settings))
                else:
                    no_table(f"{POOLS}.{name}", settings, f"{POOLS}.default")
    return layer


# ---------------------------------------------------------------- files


def find_file(given: Path | None, cwd: Path) -> tuple[Path, str] | None:
    """The file of settings and its text; None if there is none, and none was asked for.

    Raises:
        ConfigError: it is too large, or cannot be read.
    """
    if given is not None:
        path = cwd / expanded(given)
        text = _text_of(path)
        if text is None:
            raise ConfigError(f"there is no file {path}: `twikit-pool config init {path}` writes one")
        return path, text
    for path in (
        cwd / FILE_NAME,
        platformdirs.user_config_path("twikit-pool", appauthor=False) / "config.toml",
    ):
        text = _text_of(path)
        if text is not None:
            return path, text
    return None


def _text_of(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError:  # a path with a NUL
        raise ConfigError(f"{str(path)!r} cannot be the path of a file") from None
    if len(content) > MOST_BYTES:
        raise ConfigError(f"{path} is larger than {MOST_BYTES // 1024} KB: that is no file of settings")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path} is no UTF-8 text (line {line}): save it as UTF-8") from None


def tables_of(path: Path, text: str) -> dict[str, Any]:
    """The tables in a file's text.

    Raises:
        ConfigError: it is no TOML; with line and column.
    """
    try:
        return parsed(text)
    except ValueError as error:
        raise ConfigError(f"{path} is broken: {_shortened(str(error))}") from None


def parsed(text: str) -> dict[str, Any]:
    """What TOML says.

    Raises:
        ValueError: it is broken, or would take too long; the words say where.
    """
    absurd = _absurd(text)
    if absurd is not None:
        raise ValueError(absurd)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:  # int's own limit of digits
        raise ValueError("a number in it has too many digits") from None


def _absurd(text: str) -> str | None:
    """What in it nobody would write, and where."""
    parts, nested = 1, 0
    for piece in _PIECES.finditer(text):
        match piece[0]:
            case ".":
                parts += 1
            case "\n" | "=" | ",":
                parts = 1
            case "[" | "{":
                parts, nested = 1, nested + 1
            case "]" | "}":
                nested = max(nested - 1, 0)
            case _:
                continue
        if parts > MOST_PARTS or nested > MOST_NESTED:
            what = (
                f"a key of more than {MOST_PARTS} parts" if parts > MOST_PARTS else "brackets nested too deep"
            )
            before = text[: piece.start()]
            column = len(before) - before.rfind("\n")
            return f"{what} (at line {before.count(chr(10)) + 1}, column {column})"
    return None


def _shortened(words: str) -> str:
    """The beginning and the end, which tells line and column."""
    return words if len(words) <= 240 else f"{words[:160]} … {words[-60:]}"


# ---------------------------------------------------------------- the environment


def layer_of_environment(
    environ: Mapping[str, str],
    sections: Collection[str],
    known: Collection[str],
    pools: Collection[str],
    complaints: Complaints,
    *,
    folder: Path,
) -> Layer:
    """What the variables say whose names have the double underscore; empty ones say nothing.

    Args:
        environ: the environment.
        sections: those but pools.
        known: the names that may be meant.
        pools: pools that are named elsewhere: variables know them without regard to case, - and _ as one.
        complaints: about what is wrong.
        folder: where relative paths begin.
    """
    layer = Layer()
    for variable in sorted(each for each in environ if each.startswith(PREFIX)):
        text = environ[variable]
        if not text:
            continue
        origin = f"environment {variable}"
        section, *names = variable.removeprefix(PREFIX).lower().split("__")
        given = Given(value=_value_of(text), origin=origin, folder=folder, text=text)
        if section == POOLS and len(names) >= 2:
            for name in _pools_called("__".join(names[:-1]), pools, origin, complaints):
                layer.pools.setdefault(name, {})[names[-1]] = given
        elif section in sections and names:
            layer.sections.setdefault(section, {})["__".join(names)] = given
        else:
            name = ".".join([section, *names])
            complaints.add(lambda name=name, origin=origin: f"{unknown(name, known)} ({origin})")
    return layer


def _pools_called(name: str, pools: Collection[str], origin: str, complaints: Complaints) -> Iterator[str]:
    """The pool that a variable means."""
    meant = [each for each in pools if each.lower().replace("-", "_") == name]
    if len(meant) > 1:
        complaints.add(
            lambda: f"pools {' and '.join(map(shown, meant))} cannot be told apart here ({origin})"
        )
    else:
        yield meant[0] if meant else name


def _value_of(text: str) -> Any:
    """The TOML value that a variable holds, or its text if that is none."""
    if len(text) > MOST_BYTES:
        return text
    try:
        tables = parsed(f"value = {text}")
    except ValueError:
        return text
    return tamed(tables["value"]) if tables.keys() == {"value"} else text
