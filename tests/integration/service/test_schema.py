"""The API's description: complete, and true under whatever schemathesis makes of it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.integration.service.served import Served, served
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.pool import Mode
from twikit_pool.safety import PostGuard, SafetySettings
from twikit_pool.service.app import application
from twikit_pool.service.examples import EXAMPLES
from twikit_pool.service.openapi import Described
from twikit_pool.service.tokens import Scope

PHASES = {"examples,coverage,fuzzing": 35, "stateful": 15}
"""In what ways the API is tried, and for how many seconds."""

SETTINGS = """
[dictionaries.pools]
values = ["default"]
[dictionaries.accounts]
values = ["sim_001", "sim_002"]
[dictionaries.connections]
values = ["sim_002#1", "sim_003#1"]
[dictionaries.budgets]
values = ["post_tweet", "CreateTweet", "friendships/create"]
[parameters]
"path.what" = { dictionary = "budgets", probability = 0.8 }
"path.pool" = { dictionary = "pools", probability = 0.9 }
"path.account" = { dictionary = "accounts", probability = 0.8 }
"path.connection" = { dictionary = "connections", probability = 0.8 }
[checks]
max_response_time = 35
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 502, 503]
[checks.negative_data_rejection]
expected-statuses = ["4xx", 502, 503]
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 304, 401, 403, 404, 409, 410, 412, 422, 429, 502, 503]
"""
"""What exists, most of the time; and answers that tell of the pool and of X, not of the service.

422 is among them: no schema says which settings go together, or what is a log-in.
"""


async def described(daemon: Served) -> dict[str, Any]:
    async with daemon.client(Scope.READ) as http:
        return (await http.get("/v1/openapi/openapi.json")).json()


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method} {path}": each for path, item in document["paths"].items() for method, each in item.items()
    }


async def test_every_route_is_described(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon:
        document = await described(daemon)
    every = operations(document)
    assert len({each["operationId"] for each in every.values()}) == len(every) > 40
    for name, each in every.items():
        assert each["summary"], name
        assert each["description"].endswith("."), name
        for status, answer in each["responses"].items():
            if status.startswith(("4", "5")) and name != "get /readyz":
                problem = answer["content"]["application/problem+json"]["schema"]
                assert problem == {"$ref": "#/components/schemas/Problem"}, (name, status)
        assert "security" not in each or {"401", "403", "429"} <= each["responses"].keys(), name
        assert "{" not in name or "404" in each["responses"], name


async def test_every_body_has_an_example_that_can_be_read(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon:
        document = await described(daemon)
        plugin = application(daemon.service).plugins.get(Described)
    for name, each in operations(document).items():
        if "requestBody" in each:
            [content] = each["requestBody"]["content"].values()
            assert content.get("examples"), f"{name} wants one in service/examples.py: {each['operationId']}"
    for name, example in EXAMPLES.items():
        msgspec.convert(example, plugin.bodies[name].taken)


async def test_descriptions_of_bodies_know_their_bounds(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon:
        schemas = (await described(daemon))["components"]["schemas"]
    size = schemas["Size"]
    assert size["additionalProperties"] is False
    assert size["properties"]["size"]["minimum"] == 0
    assert schemas["NewReservation"]["properties"]["duration"]["description"] == "seconds until it expires."
    assert "Attributes" not in str(schemas["NewReservation"])


@pytest.mark.timeout(120)
@pytest.mark.parametrize("phases", PHASES)
async def test_schemathesis_finds_nothing(tmp_path: Path, phases: str) -> None:
    # Nobody waits for a connection: there is no time for it.
    config = ConnectionPoolConfig(max_waiting=0, acquire_timeout=0.2, call_timeout=2)
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    guard = PostGuard.of(SafetySettings())
    async with served(
        tmp_path, config, access={"rate": 1e6, "burst": 1e6}, guard=guard, accounts=30
    ) as daemon:
        opener = asyncio.create_task(keep_open(daemon))
        code, told = await tried(
            daemon,
            tmp_path,
            *("--phases", phases, "--max-time", str(PHASES[phases])),
            # Without its pool there is little left to try; and a drain waits for as long as it is told to.
            *("--exclude-operation-id", "pools_shut_down", "--exclude-operation-id", "pools_drain"),
        )
        opener.cancel()
        await asyncio.wait([opener])
        assert code == 0, told


async def keep_open(daemon: Served) -> None:
    """Some of the routes close the pool; the others are tried on one that serves, most of the time."""
    while True:
        await asyncio.sleep(0.2)
        pool = daemon.service.pool("default")
        if pool.mode in (Mode.SUSPENDED, Mode.EMERGENCY, Mode.DRAINED):
            pool.resume()


async def tried(daemon: Served, folder: Path, *arguments: str) -> tuple[int, str]:
    """Let schemathesis try the API, with all its checks; its exit code, and what it tells."""
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).parent / "schemathesis"), "--config-file", "schemathesis.toml"),
        *("run", f"{daemon.url}/v1/openapi/openapi.json", "--no-color", "--checks", "all"),
        *("--header", f"Authorization: Bearer {daemon.tokens[Scope.ADMIN]}"),
        *("--max-examples", "10", "--seed", "1", "--no-shrink"),
        *("--request-timeout", "30", "--generation-database", "none", "--warnings", "off"),
        *arguments,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, told.decode()
