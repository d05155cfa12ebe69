"""What a fleet costs, and how much of the work that can wait may be done now.

Three things are counted: hours in which accounts have a connection, bytes through proxies, seconds of CPU.
The operator gives each its price. Electricity and carbon are estimates, from the seconds of CPU alone.

All of this leads to one number, the share of the connections that LOW requests may have. Nobody else's share
can be lowered: there is no field for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, inf
from types import MappingProxyType
from typing import Final, TypeVar

from twikit_pool.errors import ConfigError

N = TypeVar("N", int, float)

GIGABYTE: Final = 1e9

JOULES_PER_KWH: Final = 3.6e6

WATTS_PER_CORE: Final = 3.5
"""What a virtual core draws at full load: the average over AWS's machines in the Cloud Carbon Footprint
methodology (https://www.cloudcarbonfootprint.org/docs/methodology, appendix I, from SPECpower)."""

STEPS: Final = 10
"""A day's budget lowers LOW's share by tenths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumption:
    """What was used.

    Attributes:
        account_hours: hours in which an account had a connection, over all accounts.
        cpu_seconds: seconds of CPU of the whole process.
        traffic: bytes through proxies; None where nobody measures them.
    """

    account_hours: float = 0.0
    cpu_seconds: float = 0.0
    traffic: int | None = None

    def __add__(self, other: Consumption) -> Consumption:
        return Consumption(
            account_hours=self.account_hours + other.account_hours,
            cpu_seconds=self.cpu_seconds + other.cpu_seconds,
            traffic=_sum(self.traffic, other.traffic),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What it cost, in the operator's currency.

    Attributes:
        accounts, cpu: parts of the sum.
        traffic: likewise; None where nobody measures it.
        electricity: an estimate; None where no price was known. Negative while the market's price is.
        carbon: grams of CO2, an estimate and no part of the sum; None where no carbon intensity was known.
    """

    accounts: float = 0.0
    cpu: float = 0.0
    traffic: float | None = None
    electricity: float | None = None
    carbon: float | None = None

    @property
    def total(self) -> float:
        """The sum of the parts that are known."""
        return self.accounts + self.cpu + (self.traffic or 0.0) + (self.electricity or 0.0)

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            accounts=self.accounts + other.accounts,
            cpu=self.cpu + other.cpu,
            traffic=_sum(self.traffic, other.traffic),
            electricity=_sum(self.electricity, other.electricity),
            carbon=_sum(self.carbon, other.carbon),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CostModel:
    """Prices, in any currency; with a price feed, in the feed's.

    Attributes:
        per_account_hour: of an hour in which an account has a connection.
        per_gb: of 10^9 bytes through proxies.
        per_cpu_hour: of an hour of one core, its electricity not included if a feed tells the price of that.
        watts_per_core: what a core draws while it computes, an estimate; see `WATTS_PER_CORE`.

    Raises:
        ConfigError: a price is negative, or no finite number.
    """

    per_account_hour: float = 0.0
    per_gb: float = 0.0
    per_cpu_hour: float = 0.0
    watts_per_core: float = WATTS_PER_CORE

    def __post_init__(self) -> None:
        for name in ("per_account_hour", "per_gb", "per_cpu_hour", "watts_per_core"):
            _check(name, getattr(self, name))

    def cost(self, used: Consumption, *, price: float | None = None, carbon: float | None = None) -> Cost:
        """What it costs.

        Args:
            used: what was used.
            price: of a megawatt-hour of electricity meanwhile; None when it is not known.
            carbon: grams of CO2 per kilowatt-hour meanwhile; None when it is not known.
        """
        kilowatt_hours = used.cpu_seconds * self.watts_per_core / JOULES_PER_KWH
        return Cost(
            accounts=used.account_hours * self.per_account_hour,
            cpu=used.cpu_seconds / 3600 * self.per_cpu_hour,
            traffic=None if used.traffic is None else used.traffic / GIGABYTE * self.per_gb,
            electricity=None if price is None else kilowatt_hours / 1000 * price,
            carbon=None if carbon is None else kilowatt_hours * carbon,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LowWork:
    """How much of the work that can wait, LOW requests, may be done now; nobody else is meant.

    Attributes:
        share: of the connections that a pool may have, 0 to 1; 1 is no limit.
        reason: what limits it; "" when nothing does.
    """

    share: float = 1.0
    reason: str = ""

    def connections(self, capacity: int) -> int | None:
        """How many LOW requests may lease of so many: rounded up, so one of any share; None is no limit."""
        if self.share >= 1:
            return None
        return max(ceil(round(self.share * capacity, 6)), 1) if self.share else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLimits:
    """When work that can wait has to. The strictest rule counts; what is not known limits nothing.

        CostLimits(carbon_above={250: 0.5, 400: 0}, budget_per_day=20)

    Attributes:
        carbon_above: gCO2/kWh, and the share of the connections that LOW requests may have above it.
        price_above: the same for the price of a megawatt-hour.
        budget_per_day: what a day (UTC) may cost before LOW work ends for that day.
        budget_eases: share of that budget from which on LOW's share falls, by tenths, to none at its end.
        hysteresis: share of a threshold by which the value must fall below it before it no longer counts.

    Raises:
        ConfigError: a number is out of its range.
    """

    carbon_above: Mapping[float, float] = field(default_factory=dict[float, float])
    price_above: Mapping[float, float] = field(default_factory=dict[float, float])
    budget_per_day: float | None = None
    budget_eases: float = 0.5
    hysteresis: float = 0.1

    def __post_init__(self) -> None:
        for name in ("carbon_above", "price_above"):
            steps = dict(getattr(self, name))
            for threshold, share in steps.items():
                _check(f"a threshold of {name}", threshold)
                _check(f"a share of {name}", share, 1.0)
            object.__setattr__(self, name, MappingProxyType(steps))
        if self.budget_per_day is not None:
            _check("budget_per_day", self.budget_per_day)
        _check("budget_eases", self.budget_eases, 1.0)
        _check("hysteresis", self.hysteresis, 1.0)


class LowWorkRules:
    """Decides by the limits, and remembers which thresholds were passed, so that nothing flaps about them."""

    def __init__(self, limits: CostLimits) -> None:
        self._limits = limits
        self._passed: set[tuple[str, float]] = set()

    def decide(
        self, *, carbon: float | None = None, price: float | None = None, spent: float = 0.0
    ) -> LowWork:
        """How much LOW work there may be.

        Args:
            carbon: gCO2/kWh now; None when it is not known.
            price: of a megawatt-hour now; None when it is not known.
            spent: what today has cost so far.
        """
        limits = self._limits
        rules = (
            self._above("carbon intensity", carbon, "gCO2/kWh", limits.carbon_above),
            self._above("electricity", price, "a MWh", limits.price_above),
            self._budget(spent),
        )
        return min(rules, key=lambda each: each.share)

    def _above(self, what: str, value: float | None, unit: str, steps: Mapping[float, float]) -> LowWork:
        passed: list[tuple[float, float]] = []
        for threshold, share in steps.items():
            key = (what, threshold)
            margin = threshold * self._limits.hysteresis if key in self._passed else 0.0
            if value is not None and value > threshold - margin:
                self._passed.add(key)
                passed.append((share, threshold))
            else:
                self._passed.discard(key)
        if not passed or value is None:
            return LowWork()
        share, threshold = min(passed)
        if share >= 1:
            return LowWork()
        where = "above" if value > threshold else "not yet well below"
        return LowWork(share=share, reason=f"{what} is {value:g} {unit}, {where} {threshold:g}")

    def _budget(self, spent: float) -> LowWork:
        budget, eases = self._limits.budget_per_day, self._limits.budget_eases
        if budget is None:
            return LowWork()
        left = 1 - spent / budget if budget else 0.0
        if left <= 0:
            return LowWork(share=0.0, reason=f"the day's budget of {budget:g} is used up")
        if left >= 1 - eases:
            return LowWork()
        share = ceil(left / (1 - eases) * STEPS) / STEPS
        if share >= 1:
            return LowWork()
        return LowWork(share=share, reason=f"most of the day's budget of {budget:g} is used up")


def _check(name: str, value: float, most: float = inf) -> None:
    if not 0 <= value <= most or value == inf:
        bounds = "0 or more, and finite" if most == inf else f"from 0 to {most:g}"
        raise ConfigError(f"{name} must be {bounds}, not {value!r}")


def _sum(one: N | None, other: N | None) -> N | None:
    if one is None or other is None:
        return one if other is None else other
    return one + other
