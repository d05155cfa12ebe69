"""Killing a run, again and again: nothing is lost and no write is sent twice."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from twikit_pool.simulator import SimulatorProcess

Command = Callable[..., "subprocess.Popen[str]"]
KILLS = 20
ACCOUNTS = 6
FIRST_PERSON = 1_000_500_000
"""The id of the first user who is no account, in every simulator."""


def mixed(chance: random.Random) -> list[dict[str, Any]]:
    """260 jobs, most of them writes; no two writes are alike."""
    jobs: list[dict[str, Any]] = [
        {"action": "post_tweet", "params": {"content": f"Post {number}"}} for number in range(120)
    ]
    for number in range(60):
        person, account = divmod(number, ACCOUNTS)
        user_id = FIRST_PERSON + person * 5  # of five people, the first takes messages from anyone
        params = {"user_id": str(user_id), "text": f"Message {number}"}
        jobs.append({"action": "send_dm", "params": params, "account": f"sim_{account + 1:03d}"})
    jobs += [{"action": "create_list", "params": {"name": f"List {number}"}} for number in range(40)]
    jobs += [{"action": "search_tweet", "params": {"query": "python", "count": 5}} for _ in range(40)]
    chance.shuffle(jobs)
    return [{"id": f"job-{number}"} | job for number, job in enumerate(jobs)]


def content_of(job: dict[str, Any]) -> str | None:
    """What tells a write from all others, None for a read."""
    params = job["params"]
    return params.get("content") or params.get("text") or params.get("name")


@pytest.mark.timeout(180)
def test_kill_9_twenty_times(command: Command, tmp_path: Path, results_in: Any) -> None:
    chance = random.Random(20)
    jobs = mixed(chance)
    path = tmp_path / "results.jsonl"
    (tmp_path / "jobs.jsonl").write_text("".join(json.dumps(job) + "\n" for job in jobs))
    with SimulatorProcess(accounts=ACCOUNTS, people=80, limits=False, latency=0.08, latency_sigma=0.5) as x:
        arguments = ("jobs.jsonl", "--simulator", x.url, "--results", path.name, "--progress", "none")
        for _ in range(KILLS):
            before = path.stat().st_size if path.exists() else 0
            process = command(*arguments)
            deadline = time.monotonic() + chance.uniform(2.0, 4.0)
            while time.monotonic() < deadline and not (path.exists() and path.stat().st_size > before):
                time.sleep(0.002)
            time.sleep(chance.uniform(0.0, 0.25))
            process.kill()
            process.communicate()
        last = command(*arguments)
        out, err = last.communicate(timeout=60)
        assert last.returncode in (0, 1), err
        writes = Counter(write.key for write in x.writes)

    found = results_in(path)
    assert all(line["account"] for line in found.lines), "whose write it was is known, ambiguous or not"
    outcomes = found.outcomes
    assert set(outcomes) == {job["id"] for job in jobs}, "every job has a result"
    assert set(outcomes.values()) == {"ok", "ambiguous"}
    assert max(writes.values()) == 1, "no write was seen twice"
    for job in jobs:
        content, outcome = content_of(job), outcomes[job["id"]]
        if content is None:
            assert outcome == "ok"
        elif outcome == "ok":
            assert _seen(content, writes) == 1
    assert "ambiguous" in out


def _seen(content: str, writes: Counter[str]) -> int:
    return sum(number for key, number in writes.items() if key.endswith(content))
