"""Keeping secrets out of sight.

A secret travels wrapped: its repr, str and format show nothing, so it cannot reach a log line, a
traceback with locals or an f-string by accident. Only `reveal()` gives it back.

Inside a client library secrets are plain strings in local variables, and error trackers collect the
locals of every frame of a traceback. So an exception that comes out of one loses its frames.
"""

from __future__ import annotations

import traceback
from typing import Final, NoReturn, TypeVar, final

E = TypeVar("E", bound=BaseException)

FRAMES_KEPT: Final = 4
"""How many of the innermost frames a stripped exception still names."""

MASK = "•••"


@final
class Secret:
    """A string that does not show itself. Equal to another `Secret` of the same value; hashable."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself: for the wire and for encryption, never for people."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled; reveal() it on purpose and encrypt it")


@final
class Cookies(dict[str, str]):
    """Cookies by name, shown by name only."""

    def __repr__(self) -> str:
        return f"Cookies({', '.join(sorted(self))})" if self else "Cookies()"

    __str__ = __repr__


def without_frames(error: E) -> E:
    """The same exception without the frames that it, and all it came from, passed through.

    Where it was raised is kept as a note: file, line and function, no variables.
    """
    innermost = traceback.extract_tb(error.__traceback__)[-FRAMES_KEPT:]
    if innermost:
        error.add_note(
            "raised in " + " < ".join(f"{f.name} ({f.filename}:{f.lineno})" for f in reversed(innermost))
        )
    passed: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        each = pending.pop()
        if each is None or id(each) in passed:
            continue
        passed.add(id(each))
        each.__traceback__ = None
        pending += [each.__cause__, each.__context__]
        pending += getattr(each, "exceptions", ())  # an exception group's
    return error
