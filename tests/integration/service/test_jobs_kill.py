"""Killing a service, and stopping it, in the midst of a batch of writes: none is lost, none is sent twice."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.cli.test_serve import serving
from twikit_pool.service.tokens import Scope, TokenBook
from twikit_pool.simulator import SimulatorProcess

JOBS = "/v1/pools/default/jobs"
KILLS = 6
STOPS = 20
POSTS = 150


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TWIKIT_POOL_HOME", str(tmp_path / "home"))
    return tmp_path


def posts(number: int) -> list[dict[str, Any]]:
    return [
        {"id": f"post-{each}", "action": "post_tweet", "params": {"content": f"Post {each}"}}
        for each in range(number)
    ]


def submit(http: httpx.Client, jobs: list[dict[str, Any]], key: str = "spring") -> str:
    answer = http.post(JOBS, json=jobs, headers={"Idempotency-Key": key})
    assert answer.status_code == 202, answer.text
    return answer.headers["location"]


def results_of(http: httpx.Client, path: str) -> list[dict[str, Any]]:
    """All results, in the end."""
    with http.stream("GET", f"{path}/results/stream") as answer:
        return [json.loads(line) for line in answer.iter_lines() if line]


def ended(http: httpx.Client, path: str, least: int) -> int:
    """How many jobs have ended, once that many have."""
    deadline = time.monotonic() + 20
    while (number := http.get(path).json()["counts"]["ended"]) < least and time.monotonic() < deadline:
        time.sleep(0.01)
    return number


def each_once_or_ambiguous(results: list[dict[str, Any]], writes: Counter[str], jobs: int) -> Counter[str]:
    assert len({each["id"] for each in results}) == len(results) == jobs, "each job has one result"
    assert [each["number"] for each in results] == list(range(1, jobs + 1))
    assert max(writes.values()) == 1, "no write was seen twice"
    for each in results:
        content = f"Post {each['id'].removeprefix('post-')}"
        if each["outcome"] == "ok":
            assert writes[content] == 1
        else:
            assert each["outcome"] == "ambiguous", each
            assert each["account"], "whose it was is known"
            assert each["error"]["taken"] == "unknown"
    return Counter(each["outcome"] for each in results)


@pytest.mark.timeout(240)
def test_kill_9_again_and_again(home: Path) -> None:
    chance = random.Random(9)
    with SimulatorProcess(accounts=4, limits=False, latency=0.08, latency_sigma=0.5) as x:
        path, reached = "", 0
        token = TokenBook(home / "home" / "tokens.json").create("the same", Scope.EXECUTE)[1]
        for kill in range(KILLS):
            with serving(home, simulator=x.url) as daemon, daemon.client() as http:
                http.headers["Authorization"] = f"Bearer {token}"  # keys belong to a token
                path = submit(http, posts(POSTS))
                assert http.get(JOBS).json()["total"] == 1, "the key holds over a kill"
                reached = ended(http, path, reached + chance.randrange(3, 15))
                time.sleep(chance.uniform(0.0, 0.1))
                assert kill or reached < POSTS
                daemon.process.kill()
                daemon.process.wait()
        with serving(home, simulator=x.url) as daemon, daemon.client() as http:
            assert http.get(path).json()["counts"]["ended"] >= reached, "what was told is kept"
            results = results_of(http, path)
            told = http.get(path).json()
            writes = Counter(write.key for write in x.writes)
    outcomes = each_once_or_ambiguous(results, writes, POSTS)
    assert (told["state"], told["counts"]["outcomes"]) == ("done", dict(outcomes))


@pytest.mark.timeout(300)
def test_sigterm_again_and_again_loses_nothing(home: Path) -> None:
    chance = random.Random(15)
    number = STOPS * 20
    with SimulatorProcess(accounts=4, limits=False, latency=0.1, latency_sigma=0.5) as x:
        path, reached = "", 0
        token = TokenBook(home / "home" / "tokens.json").create("the same", Scope.EXECUTE)[1]
        for _ in range(STOPS):
            with serving(home, simulator=x.url) as daemon, daemon.client() as http:
                http.headers["Authorization"] = f"Bearer {token}"
                path = submit(http, posts(number))
                reached = ended(http, path, reached + chance.randrange(1, 12))
                assert reached < number, "it is under load"
                daemon.process.send_signal(signal.SIGTERM)
                assert daemon.ends(30) == 0, "within its deadline, and not killed"
                assert "Traceback" not in "".join(daemon.log)
        with serving(home, simulator=x.url) as daemon, daemon.client() as http:
            assert http.get(path).json()["counts"]["ended"] >= reached
            results = results_of(http, path)
            writes = Counter(write.key for write in x.writes)
    assert each_once_or_ambiguous(results, writes, number) == {"ok": number}, "nothing was cut short"


@pytest.mark.timeout(120)
def test_one_that_was_being_cancelled_stays_so_over_a_kill(home: Path) -> None:
    with SimulatorProcess(accounts=2, limits=False) as x:
        x.fault("slow", seconds=30, endpoint="CreateTweet")
        with serving(home, simulator=x.url) as daemon, daemon.client() as http:
            path = submit(http, posts(20))
            deadline = time.monotonic() + 20
            while not http.get(path).json()["counts"]["running"] and time.monotonic() < deadline:
                time.sleep(0.02)
            assert http.post(f"{path}/cancel").json()["state"] == "stopping"
            daemon.process.kill()
            daemon.process.wait()
        with serving(home, simulator=x.url) as daemon, daemon.client() as http:
            results = results_of(http, path)
            told = http.get(path).json()
    assert told["state"] == "stopped"
    assert {each["outcome"] for each in results} == {"ambiguous"}
    assert told["counts"]["undone"] == 20 - len(results)
