"""Which settings might cure what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from twikit_pool.config import SCALING_RULES, ConnectionPoolConfig


@dataclass(frozen=True, slots=True)
class Change:
    """A setting, and its new value."""

    setting: str
    value: Any


class Changes:
    """The changes that may be tried.

    Args:
        needed: the connections that each minute needed.
        accounts: how many accounts the pool may use; None when not known.
    """

    def __init__(self, needed: Sequence[int], accounts: int | None) -> None:
        self._needed = sorted(needed)
        self._accounts = accounts

    def for_waits(self, config: ConnectionPoolConfig) -> Iterator[Change]:
        """For requests that are late."""
        accounts = self._accounts
        peak = self._peak()
        most = ceil(peak * 1.1)
        capacity = None if accounts is None else accounts * config.max_connections_per_account
        if config.max_connections < most and (capacity is None or capacity > config.max_connections):
            yield Change("max_connections", most if capacity is None else min(most, capacity))
        if accounts and capacity is not None and capacity < peak and config.max_connections > capacity:
            yield Change("max_connections_per_account", ceil(peak / accounts))
        if not config.enable_auto_scaling:
            yield Change("enable_auto_scaling", True)
        if config.scaling_dry_run:
            yield Change("scaling_dry_run", False)
        if config.scaling_rules != SCALING_RULES:
            yield Change("scaling_rules", SCALING_RULES)
        if not config.enable_predictive_scaling:
            yield Change("enable_predictive_scaling", True)
        if config.scaling_stabilisation < 600:
            yield Change("scaling_stabilisation", 600.0)
        if (usual := self._share(0.75)) > config.min_connections:
            yield Change("min_connections", min(usual, config.max_connections))

    def for_flapping(self, config: ConnectionPoolConfig) -> Iterator[Change]:
        """For steps that are taken back."""
        for seconds in (300.0, 900.0):
            if config.scaling_stabilisation < seconds:
                yield Change("scaling_stabilisation", seconds)
        if config.scaling_cooldown < 300:
            yield Change("scaling_cooldown", 300.0)
        if config.scale_down_threshold > 0.3:
            yield Change("scale_down_threshold", 0.3)
        if config.scale_up_threshold < 0.8:
            yield Change("scale_up_threshold", 0.8)
        if config.scaling_tolerance < 0.1:
            yield Change("scaling_tolerance", 0.1)
        if config.scaling_rules != SCALING_RULES:
            yield Change("scaling_rules", SCALING_RULES)

    def for_waste(self, config: ConnectionPoolConfig) -> Iterator[Change]:
        """For connections that nobody needs."""
        if (few := self._share(0.05)) < config.min_connections:
            yield Change("min_connections", max(few, 1))
        if not config.enable_auto_scaling:
            yield Change("enable_auto_scaling", True)
        if config.scaling_dry_run:
            yield Change("scaling_dry_run", False)
        if config.scaling_rules != SCALING_RULES:
            yield Change("scaling_rules", SCALING_RULES)
        if config.scaling_stabilisation > 300:
            yield Change("scaling_stabilisation", 300.0)
        if config.scaling_tolerance > 0.1:
            yield Change("scaling_tolerance", 0.1)

    def _share(self, share: float) -> int:
        """The connections that this share of the minutes did not need more than."""
        return self._needed[int(share * (len(self._needed) - 1))]

    def _peak(self) -> int:
        """What the busiest minute of a thousand needed: one minute alone is chance."""
        return self._share(0.999)
