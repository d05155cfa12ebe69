"""How far back a report goes, and which rates it plans for, as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from twikit_pool.errors import ConfigError

_UNITS: Final[Mapping[str, str]] = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN: Final = re.compile(r"(\d{1,6})([mhdw])")


def span_of(text: str) -> timedelta:
    """What `7d` means: a number of minutes (m), hours (h), days (d) or weeks (w).

    Raises:
        ConfigError: it is none.
    """
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"{text[:20]!r} is no timeframe: give a number and m, h, d or w, as in 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def plan_of(several: Iterable[str]) -> dict[str, float]:
    """What `search_tweet=5` means: calls a second by action or endpoint.

    Raises:
        ConfigError: it is none.
    """
    plan: dict[str, float] = {}
    for each in several:
        what, _, rate = each.partition("=")
        try:
            plan[what.strip()] = float(rate)
        except ValueError:
            raise ConfigError(
                f"{each[:60]!r} is no rate: give an action and calls a second, as in search_tweet=5"
            ) from None
    return plan
