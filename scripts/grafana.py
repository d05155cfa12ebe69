"""Makes the Grafana dashboard: `python scripts/grafana.py > examples/prometheus/dashboard.json`."""

from __future__ import annotations

import json
from typing import Any, Final

WIDTH: Final = 8
HEIGHT: Final = 8
ACROSS: Final = 3

POOL: Final = 'pool_id=~"$pool"'
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

PANELS: Final[tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...]] = (
    ("Connections", "short", (("sum by (state) (twikit_pool_connections{%s})", "{{state}}"),)),
    (
        "Utilization",
        "percentunit",
        (("twikit_pool_utilization_ratio{%s}", "{{pool_id}}"),),
    ),
    (
        "Requests that wait",
        "short",
        (("sum by (priority) (twikit_pool_queued_requests{%s})", "{{priority}}"),),
    ),
    (
        "Time to a connection",
        "s",
        tuple(
            (
                f"histogram_quantile({share}, sum by (le)"
                " (rate(twikit_pool_acquire_seconds_bucket{%s}[$__rate_interval])))",
                f"p{share * 100:g}",
            )
            for share in (0.5, 0.95, 0.99)
        ),
    ),
    (
        "Time of calls, p95",
        "s",
        (
            (
                "histogram_quantile(0.95, sum by (le, action)"
                " (rate(twikit_pool_call_seconds_bucket{%s}[$__rate_interval])))",
                "{{action}}",
            ),
        ),
    ),
    ("Longest wait now", "s", (("twikit_pool_longest_wait_seconds{%s}", "{{pool_id}}"),)),
    (
        "Calls by outcome",
        "ops",
        (("sum by (outcome) (rate(twikit_pool_calls_total{%s}[$__rate_interval]))", "{{outcome}}"),),
    ),
    (
        "Leases and timeouts",
        "ops",
        (
            ("sum(rate(twikit_pool_acquire_seconds_count{%s}[$__rate_interval]))", "leases"),
            (
                "sum by (priority) (rate(twikit_pool_acquire_timeouts_total{%s}[$__rate_interval]))",
                "timeouts, {{priority}}",
            ),
        ),
    ),
    (
        "Busy connections and what there may be",
        "short",
        (
            ("sum(rate(twikit_pool_lease_seconds_total{%s}[$__rate_interval]))", "busy on average"),
            ("sum(twikit_pool_connections{%s})", "connections"),
            ("sum(twikit_pool_connections_max{%s})", "at most"),
            ("sum(twikit_pool_connections_unhealthy{%s})", "unhealthy"),
        ),
    ),
    (
        "Opened, closed, failed to open",
        "ops",
        (
            ("sum(rate(twikit_pool_connections_opened_total{%s}[$__rate_interval]))", "opened"),
            ("sum(rate(twikit_pool_connections_closed_total{%s}[$__rate_interval]))", "closed"),
            ("sum(rate(twikit_pool_connection_open_failures_total{%s}[$__rate_interval]))", "failed"),
        ),
    ),
    (
        "Health checks and resizing",
        "ops",
        (
            (
                "sum by (result) (rate(twikit_pool_health_checks_total{%s}[$__rate_interval]))",
                "checks {{result}}",
            ),
            (
                "sum by (direction) (rate(twikit_pool_scalings_total{%s}[$__rate_interval]))",
                "scaled {{direction}}",
            ),
        ),
    ),
    ("Memory", "bytes", (("twikit_pool_memory_bytes{%s}", "{{pool_id}}"),)),
    (
        "Connections: there are, are decided, are wanted",
        "short",
        (
            ("sum(twikit_pool_connections{%s})", "there are"),
            ("sum(twikit_pool_scaling_target_connections{%s})", "decided"),
            ("sum(twikit_pool_scaling_wanted_connections{%s})", "wanted"),
        ),
    ),
    (
        "CPU",
        "percentunit",
        (("twikit_pool_cpu_ratio{%s}", "{{pool_id}}, of a core"),),
    ),
    (
        "Log-ins, and what the optimizer did, in a day",
        "short",
        (
            ("sum(increase(twikit_pool_logins_total{%s}[1d]))", "log-ins"),
            ("sum by (kind) (increase(twikit_pool_optimizations_total{%s}[1d]))", "{{kind}}"),
        ),
    ),
)
"""Title, unit, and queries with their legends; `%s` is the choice of pools."""


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    return {
        "uid": "twikit-pool",
        "title": "twikit-pool",
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "tags": ["twikit-pool"],
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus"},
                {
                    "name": "pool",
                    "type": "query",
                    "datasource": SOURCE,
                    "query": "label_values(twikit_pool_connections_max, pool_id)",
                    "includeAll": True,
                    "multi": True,
                    "current": {"text": "All", "value": "$__all"},
                    "refresh": 2,
                },
            ]
        },
        "panels": [_panel(number, *each) for number, each in enumerate(PANELS)],
    }


def _panel(number: int, title: str, unit: str, queries: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": SOURCE,
        "gridPos": {
            "x": number % ACROSS * WIDTH,
            "y": number // ACROSS * HEIGHT,
            "w": WIDTH,
            "h": HEIGHT,
        },
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "expr": query % POOL, "legendFormat": legend}
            for place, (query, legend) in enumerate(queries)
        ],
    }


if __name__ == "__main__":
    print(json.dumps(dashboard(), indent=2))
