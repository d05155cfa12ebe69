"""Caps: the most calls an account may make in any period of a length, whatever X would allow.

Some of X's own limits no header shows (about 50 posts a day), and an owner may want fewer calls than X
would take. Both are caps, written as `50/day`, `15/window`, `10/hour` or `3/90s`, or as a whole number a
day; several that hold at once are joined by commas.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from twikit_pool.clock import in_words
from twikit_pool.errors import ConfigError

PERIODS: Final[Mapping[str, float]] = {"window": 900.0, "hour": 3600.0, "day": 86_400.0}
"""Seconds of the periods that have a name; a window is X's quarter of an hour."""

NONE: Final = "none"
"""How it is written that no cap holds, not even a default one."""

_CAP: Final = re.compile(r"([0-9]{1,9})(?:/(window|hour|day|([0-9]{1,9}(?:\.[0-9]{1,3})?)s))?")
_UNDERSTOOD: Final = "write 50/day, 15/window, 10/hour, 3/90s, a whole number (a day) or none"


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many calls in any so many seconds. None at all, when `calls` is 0.

    Raises:
        ConfigError: the calls are negative, or the period is not longer than nothing.
    """

    calls: int
    seconds: float

    def __post_init__(self) -> None:
        if self.calls < 0 or not 0 < self.seconds <= 1e9:
            raise ConfigError(f"a cap is 0 or more calls in more than 0 seconds, not {self}")

    def __str__(self) -> str:
        named = next((name for name, seconds in PERIODS.items() if seconds == self.seconds), None)
        return f"{self.calls}/{named or f'{self.seconds:.12g}s'}"


GivenCaps: TypeAlias = "int | str | Cap | Iterable[int | str | Cap] | None"
"""What stands for the caps of one endpoint: a number a day, a text, a cap, or several of these."""


def read_caps(given: Mapping[str, GivenCaps]) -> dict[str, tuple[Cap, ...]]:
    """Caps by endpoint or action; none at all where `none` is given.

    Raises:
        ConfigError: one is not understood; the message names it and whose it is.
    """
    caps: dict[str, tuple[Cap, ...]] = {}
    for name, value in given.items():
        try:
            caps[name] = _caps(value)
        except ConfigError:
            raise ConfigError(
                f"the cap {reprlib.repr(value)} of {name} is not understood: {_UNDERSTOOD}"
            ) from None
    return caps


def in_a_period(seconds: float) -> str:
    """A period's length as it follows a number of calls: `a day`, `an hour`, `in 90 s`."""
    named = (
        f"{'an' if name == 'hour' else 'a'} {name}" for name, length in PERIODS.items() if length == seconds
    )
    return next(named, f"in {in_words(seconds)}")


def render_caps(caps: Mapping[str, tuple[Cap, ...]]) -> dict[str, str]:
    """The caps as text that `read_caps` reads back."""
    return {name: ",".join(map(str, several)) or NONE for name, several in caps.items()}


def _caps(value: GivenCaps) -> tuple[Cap, ...]:
    if isinstance(value, Cap):
        return (value,)
    if isinstance(value, int) and not isinstance(value, bool):
        return (Cap(value, PERIODS["day"]),)
    if isinstance(value, str):
        words = value.replace(" ", "").split(",")
        return () if words == [NONE] else tuple(map(_cap, words))
    if value is None or isinstance(value, Iterable):
        return tuple(cap for each in value or () for cap in _caps(each))
    raise ConfigError(_UNDERSTOOD)


def _cap(word: str) -> Cap:
    found = _CAP.fullmatch(word)
    if found is None:
        raise ConfigError(_UNDERSTOOD)
    calls, period, seconds = found.groups()
    return Cap(int(calls), float(seconds) if seconds else PERIODS[period or "day"])
