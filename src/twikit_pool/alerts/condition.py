"""Whether what a rule is about holds in one pool, and for how long by now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from twikit_pool.alerts.rules import Rule

ALONE: Final = ""
"""The name of what is about nobody in particular."""


@dataclass(slots=True)
class Holding:
    """Something that holds: since when, by the monotonic clock, and in which words it was told last.

    Before `kept_until` it is not over only because nobody sees it: it was known before a restart, and what
    it is about may not be there yet.
    """

    since: float
    words: str = ""
    kept_until: float = 0.0


class Condition:
    """One rule in one pool.

    Args:
        rule: which.
        pool_id: where; None is the process.

    Attributes:
        value: the figure as it was seen last, for a rule about one.
        holding: what holds, by name; a figure is about nobody in particular.
    """

    def __init__(self, rule: Rule, pool_id: str | None) -> None:
        self.rule: Final = rule
        self.pool_id: Final = pool_id
        self.value: float | None = None
        self.holding: dict[str, Holding] = {}

    def see_value(self, value: float | None, now: float) -> None:
        """The figure is this now; None is known by nobody, and so is beyond no level."""
        self.value = value
        held = self.holding.get(ALONE)
        if value is None:
            self.see({}, now)
        elif self.rule.holds(value, held=held is not None):
            if held is None:
                self.holding[ALONE] = Holding(now)
            else:
                held.kept_until = 0.0
        elif held is not None:
            del self.holding[ALONE]

    def see(self, found: Mapping[str, str], now: float) -> None:
        """The rule is about these now, each with what it meets."""
        for name, words in found.items():
            held = self.holding.get(name)
            if held is None:
                self.holding[name] = Holding(now, words)
            else:
                held.words, held.kept_until = words, 0.0
        for name in self.holding.keys() - found.keys():
            if now >= self.holding[name].kept_until:
                del self.holding[name]

    def ripe(self, now: float) -> dict[str, Holding]:
        """What has held for long enough, in the order of names."""
        latest = now - self.rule.lasting
        return {name: held for name, held in sorted(self.holding.items()) if held.since <= latest}

    def why(self, ripe: Mapping[str, Holding], shown: int) -> str:
        """The numbers against the level, or what each meets."""
        rule = self.rule
        if rule.metric is None:
            told = [
                f"{name}: {each.words}" if name else each.words for name, each in list(ripe.items())[:shown]
            ]
            more = [f"and {len(ripe) - shown} more"] if len(ripe) > shown else []
            return "; ".join([*told, *more])
        figure = rule.figure
        assert rule.level is not None and rule.clears is not None  # noqa: S101, PT018 - a rule about a figure
        value = "unknown by now" if self.value is None else figure.told(self.value)
        side = "above" if rule.above is not None else "below"
        lasting = f" for {rule.lasting:g} s" if rule.lasting else ""
        return (
            f"{rule.metric} ({figure.words}) is {value}; it fires {side} {figure.told(rule.level)}{lasting}, "
            f"and is over at {figure.told(rule.clears)}"
        )
