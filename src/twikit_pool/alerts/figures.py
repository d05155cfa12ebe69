"""What rules can be about: every figure by its name, with its unit and what it means.

It imports nothing of the pool, so that settings are checked quickly.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

Unit: TypeAlias = Literal["", "share", "s", "bytes", "bytes/s", "/s", "cores"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number that a rule may be about.

    Attributes:
        words: what it is.
        unit: in what it is told; "" for a mere number, `share` from 0 to 1.
        of_process: whether it is about the whole process, and so about no pool.
    """

    words: str
    unit: Unit = ""
    of_process: bool = False

    def told(self, value: float) -> str:
        """A value of it, for people."""
        match self.unit:
            case "share":
                return f"{value:.0%}"
            case "s":
                return f"{value:.3g} s"
            case "bytes" | "bytes/s":
                return f"{value / 2**20:,.1f} MB{'/s' if self.unit == 'bytes/s' else ''}"
            case "cores":
                return f"{value:.2f} cores"
            case _:
                return f"{value:,.6g}{self.unit}"


def _times(what: str, of: str) -> dict[str, Figure]:
    quantiles = {"average": "mean", "p50": "median", "p95": "95th percentile", "p99": "99th percentile"}
    return {
        f"{name}_{what}_time": Figure(words=f"{words} of the seconds {of}", unit="s")
        for name, words in quantiles.items()
    }


COLLECTED: Final = MappingProxyType(
    {
        "total_connections": Figure(words="connections in any state"),
        "active_connections": Figure(words="leased connections"),
        "idle_connections": Figure(words="free connections"),
        "reserved_connections": Figure(words="free connections that are kept for an owner"),
        "unhealthy_connections": Figure(words="connections that something speaks against using"),
        "queued_requests": Figure(words="requests that wait"),
        "longest_wait": Figure(words="how long the one who came first waits", unit="s"),
        "acquired": Figure(words="leases that began in an interval"),
        "timed_out": Figure(words="requests that waited in vain in an interval"),
        "busy_time": Figure(words="time that connections were leased in an interval, added up", unit="s"),
        "utilization": Figure(words="share of their time that connections were leased", unit="share"),
        **_times("acquisition", "until a request had a connection"),
        **_times("queue", "that requests had to wait"),
        **_times("response", "that calls took"),
        "calls": Figure(words="calls that ended in an interval"),
        "arrival_rate": Figure(words="requests a second", unit="/s"),
        "throughput": Figure(words="calls a second", unit="/s"),
        "success_rate": Figure(words="share of an interval's calls that went well", unit="share"),
        "error_rate": Figure(words="share of an interval's calls that failed", unit="share"),
        "memory_usage": Figure(words="what the connections hold in memory, an estimate", unit="bytes"),
        "cpu_usage": Figure(words="what the pool's calls take of a core", unit="cores"),
        "network_usage": Figure(words="what the pool sends and receives", unit="bytes/s"),
        "scale_up_events": Figure(words="times that the pool grew in an interval"),
        "scale_down_events": Figure(words="times that it shrank in an interval"),
        "target_connections": Figure(words="connections that there should be"),
        "wanted_connections": Figure(words="connections that there would be without ceilings"),
        "health_checks_passed": Figure(words="health checks that passed in an interval"),
        "health_checks_failed": Figure(words="health checks that failed in an interval"),
        "dropped_events": Figure(words="events that came too fast to be counted in an interval"),
    }
)
"""Fields of `PoolMetrics`, which say what they mean there."""

DERIVED: Final = MappingProxyType(
    {
        "active_share": Figure(words="share of the connections that are leased", unit="share"),
        "unhealthy_share": Figure(words="share of the connections that are unhealthy", unit="share"),
        "recent_error_rate": Figure(
            words="share of the calls of the last 5 minutes that failed; unknown below 20 calls", unit="share"
        ),
        "turns": Figure(words="times in the last 10 minutes that the pool grew after it shrank, or back"),
        "missing_connections": Figure(
            words="connections that its load or its forecast wants beyond what the pool may have"
        ),
        "retries_left": Figure(words="retries that the retry budget still allows"),
    }
)
"""What is worked out of them, and what pools themselves know."""

OF_PROCESS: Final = MappingProxyType(
    {
        "process_memory": Figure(words="resident memory of the process", unit="bytes", of_process=True),
        "process_memory_share": Figure(
            words="share of the memory that the container or the machine lets it have",
            unit="share",
            of_process=True,
        ),
        "process_cpu": Figure(words="what the process takes of the cores", unit="cores", of_process=True),
        "process_cpu_share": Figure(
            words="share of the cores that it may use", unit="share", of_process=True
        ),
        "loop_cpu": Figure(
            words="share of one core that the event loop takes", unit="share", of_process=True
        ),
        "loop_lag": Figure(words="how late the event loop was at most", unit="s", of_process=True),
    }
)

FIGURES: Final = MappingProxyType({**COLLECTED, **DERIVED, **OF_PROCESS})
"""All of them."""
