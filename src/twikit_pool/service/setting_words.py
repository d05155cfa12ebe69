"""How settings are spoken of: what is wrong with them, and nothing of what is secret in them."""

from __future__ import annotations

import difflib
import math
import re
import reprlib
from collections.abc import Iterable
from functools import cache
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, Final, cast, get_type_hints

from msgspec import inspect

from twikit_pool.errors import ConfigError
from twikit_pool.redaction import MASK

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

NONE: Final = "none"
"""How None is written: TOML has no word for it."""

MOST_TOLD: Final = 40
"""Of what is wrong. A whole file of nonsense is not worth more lines, nor the search for what was meant."""

MOST_GUESSED: Final = 80
"""Characters of a name for which the nearest known one is looked for."""

_USER: Final = re.compile(r"://[^:/@]*:")
_PASSWORD: Final = re.compile(r"(passw(?:or)?d\s*=\s*)\S+", re.IGNORECASE)
_TOKEN: Final = re.compile(r"(tp_[0-9a-f]{8}_)[\w-]+")

_SHORT: Final = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


class Complaints:
    """All that is wrong, to be told at once."""

    def __init__(self) -> None:
        self._told: list[str] = []
        self._count = 0

    def add(self, words: Callable[[], str]) -> None:
        """Complain; the words are not looked for when there are too many already."""
        self._count += 1
        if len(self._told) < MOST_TOLD:
            self._told.append(words())

    def end(self) -> None:
        """Tell them.

        Raises:
            ConfigError: there are any.
        """
        if self._count == 1:
            raise ConfigError(self._told[0])
        if self._count:
            more = self._count - len(self._told)
            rest = [f"and {more} more"] if more else []
            raise ConfigError("\n- ".join([f"{self._count} things are wrong:", *self._told, *rest]))


# ---------------------------------------------------------------- values


def masked(text: str) -> str:
    """The text without the passwords of its URLs, and without tokens."""
    # By hand, since patterns with two open ends take quadratic time.
    user, end = _USER.search(text), text.rfind("@")  # the last one: passwords are not always escaped
    if user is not None and user.end() <= end:
        text = f"{text[: user.end()]}{MASK}{text[end:]}"
    query = (
        text.find("?", text.find("://")) if "://" in text else -1
    )  # PostgreSQL takes a password there, too
    if query >= 0 and len(text) > query + 1:
        text = f"{text[: query + 1]}{MASK}"
    return _TOKEN.sub(rf"\1{MASK}", _PASSWORD.sub(rf"\1{MASK}", text))


def without_secrets(value: Any) -> Any:
    """The value, with `masked` texts wherever it has any."""
    match value:
        case str():
            return masked(value)
        case dict():
            entries = cast("dict[object, object]", value)
            return {without_secrets(name): without_secrets(each) for name, each in entries.items()}
        case list() | tuple():
            return [without_secrets(each) for each in cast("Iterable[object]", value)]
        case _:
            return value


def tamed(value: Any) -> Any:
    """The value, with infinity for integers beyond 64 bits: Python refuses to print the longest of them."""
    match value:
        case int() if not -(2**63) <= value < 2**63:
            return math.inf
        case dict():
            return {name: tamed(each) for name, each in cast("dict[object, object]", value).items()}
        case list() | tuple():
            return [tamed(each) for each in cast("Iterable[object]", value)]
        case _:
            return value


def shown(value: object) -> str:
    """The value for people: short, and without secrets. What was cut short could not be masked any more."""
    if value is None or isinstance(value, bool):
        return NONE if value is None else str(value).lower()
    return _SHORT.repr(without_secrets(value))


# ---------------------------------------------------------------- settings


@cache
def kinds(settings: type[msgspec.Struct]) -> dict[str, Any]:
    """The type of each setting, bounds included."""
    hints = get_type_hints(settings, include_extras=True)
    return {name: hints[name] for name in settings.__struct_fields__}


def bounds(kind: Any) -> str:
    """What a setting of this type must be, in words."""
    return _bounds(inspect.type_info(kind))


def _bounds(kind: inspect.Type) -> str:
    match kind:
        case inspect.UnionType(types=(some, inspect.NoneType())):
            return f'{_bounds(some)}, or "{NONE}"'
        case inspect.Metadata(type=some, extra={"bounds": str(words)}):
            if words.startswith("a "):
                return words
            if isinstance(some, inspect.IntType):
                return f"a whole number, {words}"
            return f"a number, {words}" if isinstance(some, inspect.FloatType) else in_toml(words)
        case inspect.LiteralType(values=values):
            return f"one of {', '.join(map(repr, values))}"
        case _:
            return "true or false"


def in_toml(words: str) -> str:
    """Words about Python's values, as whoever writes a file knows them."""
    return re.sub(r"\bNone\b", f'"{NONE}"', words.replace("True or False", "true or false"))


@cache
def meanings(settings: type[msgspec.Struct]) -> dict[str, str]:
    """What each setting means, from the docstring; nothing where Python left those away."""
    _, _, text = cleandoc(settings.__doc__ or "").partition("Attributes:\n")
    attributes, _, _ = text.partition("\nRaises:")
    found = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", attributes, re.MULTILINE)
    return {name: " ".join(words.split()) for name, words in found}


def unknown(name: str, known: Iterable[str]) -> str:
    """What to say of a setting that there is not: which may be meant."""
    near: list[str] = []
    if len(name) <= MOST_GUESSED:
        every = list(known)
        near = difflib.get_close_matches(name, every, n=1, cutoff=0.75)
        if not near:  # right, but in a wrong place
            last = name.rpartition(".")[2]
            ends = {each.rpartition(".")[2]: each for each in reversed(every)}
            near = [ends[each] for each in difflib.get_close_matches(last, ends, n=1)]
    hint = (
        f"did you mean {near[0]}?" if near else "`twikit-pool config init` writes a file with all there are"
    )
    return f"there is no setting {_SHORT.repr(masked(name))}: {hint}"
