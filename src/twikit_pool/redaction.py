"""Keeping secrets out of sight.

A secret travels wrapped: its repr, str and format show nothing, so it cannot reach a log line, a
traceback with locals or an f-string by accident. Only `reveal()` gives it back.
"""

from __future__ import annotations

from typing import NoReturn, final

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
