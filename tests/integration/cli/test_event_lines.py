"""`twikit-pool events` and `pools`: what has happened, and what happens, a line for each."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.house import silent
from tests.integration.cli.conftest import MAIN, Program
from tests.integration.cli.test_serve import Daemon, serving
from twikit_pool.service.tokens import Scope


@pytest.fixture
def daemon(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    with serving(home) as running:
        monkeypatch.setenv("TWIKIT_POOL_URL", running.url)
        monkeypatch.setenv("TWIKIT_POOL_TOKEN", running.token)
        yield running


class Follower:
    """`twikit-pool events --follow`, read line by line."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*MAIN, "events", "--follow", *arguments],
            env={**os.environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until(self, text: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if text in line:
                return line
        raise AssertionError(f"no {text!r} came: {self.end()}")

    def end(self, number: signal.Signals = signal.SIGINT) -> str:
        self.process.send_signal(number)
        return self.process.communicate(timeout=30)[1]


def test_pools_are_listed(program: Program, daemon: Daemon) -> None:
    shown = program("pools")
    assert shown.returncode == 0, shown.stderr
    assert "default" in shown.stdout
    assert "by itself" in shown.stdout
    (pool,) = json.loads(program("pools", "--json").stdout)
    assert (pool["pool_id"], pool["total"], pool["config"]["max_connections"]) == ("default", 3, 100)


def test_what_has_happened_is_told_and_it_ends(program: Program, daemon: Daemon) -> None:
    program("stop", "drill", "--pause", "60")
    program("resume")
    told = program("events")
    assert told.returncode == 0, told.stderr
    assert "emergency_stop  reason=drill" in told.stdout
    assert "pool_status_update" not in told.stdout
    lines = program("events", "--json", "--topic", "alerts").stdout.splitlines()
    assert [json.loads(each)["type"] for each in lines] == ["emergency_stop"]
    assert program("events", "--limit", "1", "--json").stdout.count("\n") == 1
    unknown = program("events", "--pool", "news")
    assert unknown.returncode == 1
    assert "no pool named 'news'" in unknown.stderr


def test_figures_are_told_to_who_asks_for_them(program: Program, daemon: Daemon) -> None:
    following = Follower("--topic", "pool_updates")
    program("stop", "first")
    assert "status={" in following.until("pool_status_update")
    following.end()


def test_it_follows_and_ends_quietly(program: Program, daemon: Daemon) -> None:
    following = Follower("--topic", "alerts", "--json")
    program("stop", "first")
    assert json.loads(following.until("first"))["type"] == "emergency_stop"
    program("resume")
    told = following.end()
    assert following.process.returncode == 130
    assert told == ""


def test_it_ends_when_nobody_reads_on(program: Program, daemon: Daemon) -> None:
    following = Follower("--topic", "alerts")
    program("stop", "first")
    following.until("first")
    assert following.process.stdout is not None
    following.process.stdout.close()
    program("stop", "second")
    program("stop", "third")
    assert following.process.wait(30) == 0
    assert following.process.stderr is not None
    assert following.process.stderr.read() == ""
    following.process.stderr.close()


async def test_it_goes_on_when_the_service_comes_back(tmp_path: Path) -> None:
    async with silent(tmp_path, 2) as house:
        environment = {"TWIKIT_POOL_URL": house.url, "TWIKIT_POOL_TOKEN": house.tokens[Scope.READ]}
        following = await asyncio.create_subprocess_exec(
            *MAIN,
            *("events", "--follow", "--topic", "alerts", "--json"),
            env=os.environ | environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert following.stdout is not None
        house.pool.emergency_stop("before")
        assert json.loads(await following.stdout.readline())["reason"] == "before"
        await house.stop()
        house.pool.emergency_stop("meanwhile")
        await asyncio.sleep(1)
        await house.begin()
        assert json.loads(await following.stdout.readline())["reason"] == "meanwhile"
        house.pool.emergency_stop("after")
        assert json.loads(await following.stdout.readline())["reason"] == "after"
        following.send_signal(signal.SIGINT)
        _, told = await following.communicate()
        assert b"trying again until it is back" in told
        assert b"connected again" in told
        assert following.returncode == 130
