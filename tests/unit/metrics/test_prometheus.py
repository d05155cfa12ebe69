from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks._silent_pool import account, silent_pool
from twikit_pool.events import (
    AccountLoggedIn,
    AcquireTimedOut,
    CallFinished,
    PoolResized,
    ResourcesOptimized,
    ScalingDecided,
)
from twikit_pool.metrics import PoolCollector, Usage
from twikit_pool.metrics.prometheus import PrometheusExporter
from twikit_pool.pool import TwikitConnectionPool

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "prometheus"
NAME = re.compile(r"\btwikit_pool_\w+")


@pytest.fixture(params=[False, True], ids=["pools", "accounts"])
async def exporter(request: pytest.FixtureRequest) -> AsyncIterator[PrometheusExporter]:
    """Of a pool in which two leases, three calls, a timeout, a decision and a resizing happened."""
    usage = Usage(memory=2**20, cpu=0.25, network=1000.0)
    async with (
        silent_pool([account(0)], heard=False) as pool,
        PoolCollector(pool, interval=3600, measure=lambda _: usage) as collector,
    ):
        exporter = PrometheusExporter(collector, accounts=request.param)
        collector.collect()
        (await pool.acquire()).release()
        (await pool.acquire()).release()
        tell(pool)
        collector.collect()
        collector.collect()
        yield exporter


def tell(pool: TwikitConnectionPool) -> None:
    at, about = pool.clock.now(), {"pool_id": pool.pool_id, "account_id": "account_0"}
    for outcome, latency in (("ok", 0.2), ("ok", 0.4), ("transient", 7.0)):
        pool.events.publish(
            CallFinished(
                **about, at=at, action="like_tweet", outcome=outcome, latency=latency, status=200, code=None
            )
        )
    pool.events.publish(AcquireTimedOut(**about, at=at, action=None, priority=3, waited=2.0))
    pool.events.publish(PoolResized(pool_id=pool.pool_id, at=at, size=2, before=1))
    pool.events.publish(
        ScalingDecided(
            pool_id=pool.pool_id,
            at=at,
            action="scale_up",
            size=1,
            target_size=2,
            wanted_size=5,
            reason="",
            confidence=1.0,
            predicted_load=None,
            constraints=("maximum",),
        )
    )
    pool.events.publish(AccountLoggedIn(pool_id=pool.pool_id, at=at, account_id="account_0", today=1))
    for dry in (False, True):
        result = {"dry_run": dry, "actions": [{"kind": "lower"}, {"kind": "close"}, {"kind": "lower"}]}
        pool.events.publish(ResourcesOptimized(pool_id=pool.pool_id, at=at, result=result))


async def samples(exporter: PrometheusExporter) -> dict[tuple[str, ...], float]:
    """Values by name and labels but the pool's and the account's, as the parser reads them."""
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families((await exporter.render()).decode()):
        for each in family.samples:
            labels = dict(each.labels)
            assert labels.pop("pool_id") == "default"
            by_account = each.name.startswith("twikit_pool_account_")
            assert labels.pop("account_id", None) == ("account_0" if by_account else None)
            found[each.name, *labels.values()] = each.value
    return found


async def test_what_happened_is_read_back(exporter: PrometheusExporter) -> None:
    found = await samples(exporter)
    assert found["twikit_pool_connections", "idle"] == 1
    assert found["twikit_pool_calls_total", "like_tweet", "ok"] == 2
    assert found["twikit_pool_calls_total", "like_tweet", "transient"] == 1
    assert found["twikit_pool_acquire_seconds_count",] == 2
    assert found["twikit_pool_acquire_seconds_bucket", "0.001"] == 2
    assert found["twikit_pool_acquire_timeouts_total", "high"] == 1
    assert found["twikit_pool_queue_seconds_sum", "high"] == pytest.approx(2)
    assert found["twikit_pool_scalings_total", "up"] == 1
    assert found["twikit_pool_scaling_decisions_total", "scale_up"] == 1
    assert found["twikit_pool_scaling_target_connections",] == 2
    assert found["twikit_pool_scaling_wanted_connections",] == 5
    assert found["twikit_pool_memory_bytes",] == 2**20
    assert found["twikit_pool_logins_total",] == 1
    assert found["twikit_pool_optimizations_total", "lower"] == 2, "a dry run does nothing"
    assert found["twikit_pool_optimizations_total", "close"] == 1
    buckets = {
        bound: found["twikit_pool_call_seconds_bucket", "like_tweet", bound]
        for bound in ("0.1", "0.25", "0.5", "5.0", "10.0", "+Inf")
    }
    assert buckets == {"0.1": 0, "0.25": 1, "0.5": 2, "5.0": 2, "10.0": 3, "+Inf": 3}
    assert found["twikit_pool_call_seconds_sum", "like_tweet"] == pytest.approx(7.6)


@pytest.mark.parametrize("exporter", [True], indirect=True)
async def test_accounts_have_series_of_their_own_when_asked(exporter: PrometheusExporter) -> None:
    found = {name: value for name, value in (await samples(exporter)).items() if "_account_" in name[0]}
    seconds = found.pop(("twikit_pool_account_lease_seconds_total",))
    assert seconds > 0
    assert found == {
        ("twikit_pool_account_connections",): 1,
        ("twikit_pool_account_leases_total",): 2,
        ("twikit_pool_account_calls_total", "ok"): 2,
        ("twikit_pool_account_calls_total", "transient"): 1,
        ("twikit_pool_account_errors_total",): 1,
    }


@pytest.mark.parametrize("exporter", [False], indirect=True)
async def test_accounts_have_none_when_nobody_asks(exporter: PrometheusExporter) -> None:
    assert "account_" not in (await exporter.render()).decode()


async def test_every_series_has_help_and_each_comes_once(exporter: PrometheusExporter) -> None:
    text = (await exporter.render()).decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    series = [line.rpartition(" ")[0] for line in lines]
    assert len(series) == len(set(series))
    for family in text_string_to_metric_families(text):
        assert family.documentation.endswith("."), family.name


async def test_a_registry_of_the_programs_own_has_the_same_in_any_thread(
    exporter: PrometheusExporter,
) -> None:
    registry, served = CollectorRegistry(), list[bytes]()
    registry.register(exporter)
    thread = threading.Thread(target=lambda: served.append(generate_latest(registry)))
    thread.start()
    thread.join()
    assert served == [await exporter.render()]


async def test_without_a_collection_there_are_no_series() -> None:
    async with silent_pool([account(0)]) as pool, PoolCollector(pool, interval=3600) as collector:
        text = (await PrometheusExporter(collector).render()).decode()
    assert [line for line in text.splitlines() if not line.startswith("#")] == []


@pytest.mark.parametrize("file", ["alerts.yml", "dashboard.json"])
async def test_what_the_examples_ask_for_is_exported(exporter: PrometheusExporter, file: str) -> None:
    asked = set(NAME.findall((EXAMPLES / file).read_text()))
    assert asked
    assert asked <= {name for name, *_ in await samples(exporter)}


async def test_every_metric_has_its_line_in_the_page(exporter: PrometheusExporter) -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    for family in text_string_to_metric_families((await exporter.render()).decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert f"`{name.removeprefix('twikit_pool_')}`" in page


def test_the_dashboard_is_what_its_script_makes() -> None:
    made = runpy.run_path(str(ROOT / "scripts" / "grafana.py"))["dashboard"]()
    assert json.loads((EXAMPLES / "dashboard.json").read_text()) == made
    assert len({panel["id"] for panel in made["panels"]}) == len(made["panels"])


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_accepts_the_alert_rules() -> None:
    checked = subprocess.run(
        ["promtool", "check", "rules", EXAMPLES / "alerts.yml"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
