"""`twikit-pool jobs`: batches of a running service."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli.conftest import MAIN, Program
from tests.integration.cli.test_serve import Daemon, serving


@pytest.fixture
def daemon(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    with serving(home) as running:
        monkeypatch.setenv("TWIKIT_POOL_URL", running.url)
        monkeypatch.setenv("TWIKIT_POOL_TOKEN", running.token)
        yield running


def jobs_file(home: Path, number: int, action: str = "post_tweet", parameter: str = "content") -> str:
    lines = [{"id": f"job-{n}", "action": action, "params": {parameter: f"No. {n}"}} for n in range(number)]
    (home / "jobs.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    return "jobs.jsonl"


def test_a_file_is_submitted_followed_shown_and_removed(program: Program, daemon: Daemon, home: Path) -> None:
    file = jobs_file(home, 8)
    followed = program("jobs", "submit", file, "--follow", "--name", "spring")
    assert followed.returncode == 0, followed.stderr
    assert len(followed.stdout.splitlines()) == 8
    assert "job-7" in followed.stdout
    assert "done" in followed.stderr
    listed = json.loads(program("jobs", "list", "--json").stdout)
    [batch] = listed["items"]
    assert (batch["name"], batch["state"], batch["counts"]["ended"]) == ("spring", "done", 8)
    table = program("jobs", "list").stdout
    assert "spring" in table
    assert "8 of 8" in table
    shown = program("jobs", "show", batch["id"])
    assert "8 of 8" in shown.stdout
    assert json.loads(program("jobs", "show", batch["id"], "--json").stdout)["id"] == batch["id"]
    results = program("jobs", "results", batch["id"], "--after", "6", "--json").stdout.splitlines()
    assert [json.loads(each)["number"] for each in results] == [7, 8]
    assert program("jobs", "remove", batch["id"]).returncode == 0
    gone = program("jobs", "show", batch["id"])
    assert gone.returncode == 1
    assert "has no batch" in gone.stderr


def test_one_is_cancelled_and_goes_on(program: Program, daemon: Daemon, home: Path) -> None:
    file = jobs_file(home, 40, "search_tweet", "query")
    submitted = program("jobs", "submit", file, "--key", "spring")
    batch_id = submitted.stdout.strip()
    assert submitted.returncode == 0, submitted.stderr
    assert program("jobs", "submit", file, "--key", "spring").stdout.strip() == batch_id
    cancelled = program("jobs", "cancel", batch_id, "--wait", "--json")
    told = json.loads(cancelled.stdout)
    assert told["state"] in ("stopped", "done")
    followed = program("jobs", "results", batch_id, "--follow")
    assert followed.returncode == (0 if told["state"] == "done" else 1)
    if told["state"] == "stopped":
        assert program("jobs", "resume", batch_id).returncode == 0
        assert program("jobs", "results", batch_id, "--follow", "--json").returncode == 0


def test_who_stops_following_leaves_it_running(program: Program, daemon: Daemon, home: Path) -> None:
    file = jobs_file(home, 300, "search_tweet", "query")
    process = subprocess.Popen(
        [*MAIN, "jobs", "submit", file, "--follow", "--json"],
        cwd=home,
        env=os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["number"] == 1
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "jobs cancel" in err
    assert "Traceback" not in err
    [batch] = json.loads(program("jobs", "list", "--json").stdout)["items"]
    assert batch["state"] == "running"
    program("jobs", "cancel", batch["id"], "--wait")


def test_what_is_wrong_is_a_sentence(program: Program, daemon: Daemon, home: Path) -> None:
    (home / "wrong.jsonl").write_text('{"action": "post_tweet"}\nnonsense\n')
    refused = program("jobs", "submit", "wrong.jsonl")
    assert refused.returncode == 3
    assert "line 1: post_tweet" in refused.stderr
    assert "line 2: it is not JSON" in refused.stderr
    assert "2 of 2 jobs cannot be run; nothing was started" in refused.stderr
    for arguments, code, says in (
        (("submit", "none.jsonl"), 2, "cannot be read"),
        (("submit", "wrong.jsonl", "--pool", "news"), 1, "no pool named 'news'"),
        (("cancel", "none"), 1, "has no batch 'none'"),
        (("results", "none"), 1, "has no batch 'none'"),
        (("results", "none", "--follow"), 1, "has no batch 'none'"),
        (("list", "--state", "odd"), 1, "state"),
    ):
        ended = program("jobs", *arguments)
        assert ended.returncode == code, (arguments, ended.stderr)
        assert says in ended.stderr, ended.stderr
        assert "Traceback" not in ended.stderr
    assert not program("jobs", "list", "--json").stdout.count('"id"')
