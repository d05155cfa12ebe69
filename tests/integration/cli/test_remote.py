"""Commands that ask a running service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Program
from tests.integration.cli.test_serve import Daemon, serving


@pytest.fixture
def daemon(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    with serving(home) as running:
        monkeypatch.setenv("TWIKIT_POOL_URL", running.url)
        monkeypatch.setenv("TWIKIT_POOL_TOKEN", running.token)
        yield running


def test_a_pool_is_looked_at_stopped_and_resumed(program: Program, daemon: Daemon) -> None:
    told = program("status")
    assert told.returncode == 0, told.stderr
    assert "default" in told.stdout
    assert "open" in told.stdout
    assert json.loads(program("status", "default", "--json").stdout)[0]["total"] == 3
    stopped = program("stop", "drill", "--pause", "60")
    assert "default is stopped" in stopped.stdout
    assert program("status").returncode == 1
    assert "emergency" in program("explain", "search_tweet").stdout
    assert "default is open" in program("resume").stdout
    assert program("status").returncode == 0


def test_connections_are_shown_and_kept(program: Program, daemon: Daemon) -> None:
    shown = program("connections", "--limit", "2")
    assert "sim_00" in shown.stdout
    assert "and 1 more" in shown.stdout
    made = program("reserve", "spring", "--account", "sim_002", "--seconds", "60", "--priority", "high")
    assert made.returncode == 0, made.stderr
    kept = json.loads(program("connections", "--account", "sim_002", "--json").stdout)
    assert kept["items"][0]["reserved_for"] == "spring"
    assert "1 reserved" in program("explain", "--account", "sim_002").stdout
    assert program("release", made.stdout.strip()).returncode == 0
    again = program("release", made.stdout.strip())
    assert again.returncode == 1
    assert "Traceback" not in again.stderr


def test_what_is_wrong_is_a_sentence(program: Program, daemon: Daemon) -> None:
    for arguments, environment, code, says in (
        (("status",), {"TWIKIT_POOL_TOKEN": ""}, 2, "TWIKIT_POOL_TOKEN is not set"),
        (("status",), {"TWIKIT_POOL_TOKEN": "tp_00000000_x"}, 1, "send a token"),
        (("status",), {"TWIKIT_POOL_URL": "http://127.0.0.1:1"}, 1, "the service takes no requests"),
        (("status",), {"TWIKIT_POOL_URL": "nonsense"}, 2, "the service's URL is"),
        (("status", "news"), {}, 2, "no pool 'news': it has default"),
        (("connections", "news"), {}, 1, "no pool named 'news'"),
        (("reserve", "x", "--priority", "urgent"), {}, 2, "give one of low, normal"),
        (("explain", "serch_tweet"), {}, 1, "serch_tweet"),
    ):
        ended = program(*arguments, environment=environment)
        assert ended.returncode == code, (arguments, ended.stderr)
        assert says in ended.stderr, ended.stderr
        assert "Traceback" not in ended.stderr
        assert daemon.token not in ended.stderr
