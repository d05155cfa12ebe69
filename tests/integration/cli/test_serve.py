"""`twikit-pool serve`: it begins, it serves, and it ends when it is told to."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from twikit_pool.service.tokens import Scope, TokenBook
from twikit_pool.simulator import SimulatorProcess

MAIN = (sys.executable, "-c", "from twikit_pool.cli import main; main()")


@dataclass
class Daemon:
    process: subprocess.Popen[str]
    url: str
    token: str
    log: list[str]

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=30)

    def ends(self, seconds: float) -> int:
        return self.process.wait(seconds)


@contextmanager
def serving(home: Path, *, simulator: str | None = None, **environment: str) -> Iterator[Daemon]:
    """Accounts of a sandbox, or of this simulator, that are served until the test is over."""
    token = ""
    if simulator is not None:
        book = TokenBook(home / "home" / "tokens.json")
        token = book.create("test", Scope.ADMIN)[1]
        environment = {**environment, "TWIKIT_POOL__ACCOUNTS__SIMULATOR": simulator}
    process = subprocess.Popen(
        [*MAIN, "serve", "--port", "0", *(("--sandbox", "3") if simulator is None else ())],
        cwd=home,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    log: list[str] = []
    assert process.stderr is not None
    reading = threading.Thread(target=log.extend, args=(process.stderr,))
    reading.start()
    try:
        assert process.stdout is not None
        if simulator is None:
            token = process.stdout.readline().strip()
        while (found := re.search(r"serves at (http://\S+?);", " ".join(log))) is None:
            assert process.poll() is None, log
            time.sleep(0.05)
        yield Daemon(process, found[1], token, log)
    finally:
        process.kill()
        process.wait()
        reading.join()
        assert process.stdout is not None
        process.stdout.close()
        process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_ends_when_it_is_told(home: Path, number: signal.Signals) -> None:
    with serving(home) as daemon:
        with daemon.client() as http:
            assert http.get("/readyz").json()["ready"] is True
            assert http.get("/v1/pools").json()[0]["pool_id"] == "default"
            asked = {"action": "get_user", "parameters": {"handle": "sim_001"}}
            assert http.post("/v1/pools/default/execute", json=asked).status_code == 200
        daemon.process.send_signal(number)
        assert daemon.ends(15) == 0
    text = "".join(daemon.log)
    assert f"{number.name}: ending within 30 s" in text
    assert "Traceback" not in text
    assert daemon.token not in text
    assert not list(home.iterdir()), "a sandbox leaves nothing behind"


def test_calls_under_way_are_answered_while_it_ends(home: Path) -> None:
    asked = {"action": "get_user", "parameters": {"handle": "sim_001"}}
    codes: list[int] = []

    def ask(http: httpx.Client) -> None:
        while True:
            try:
                codes.append(http.post("/v1/pools/default/execute", json=asked).status_code)
            except httpx.TransportError:  # it takes no more
                return
            if codes[-1] == 503:
                return

    with serving(home) as daemon, daemon.client() as http:
        callers = [threading.Thread(target=ask, args=(http,)) for _ in range(8)]
        for each in callers:
            each.start()
        time.sleep(2)
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.ends(25) == 0
        for each in callers:
            each.join()
    assert codes.count(200) > 8
    assert set(codes) <= {200, 409, 429, 502, 503}, codes


@contextmanager
def hanging(home: Path, **environment: str) -> Iterator[Daemon]:
    """A daemon with a call under way that X does not answer."""
    with SimulatorProcess(accounts=2, limits=False) as x:
        x.fault("slow", endpoint="UserByScreenName", seconds=60)
        with serving(home, simulator=x.url, **environment) as daemon, daemon.client() as http:
            asked = {"action": "get_user", "parameters": {"handle": "sim_001"}}

            def ask() -> None:
                with suppress(httpx.TransportError):
                    http.post("/v1/pools/default/execute", json=asked)

            caller = threading.Thread(target=ask)
            caller.start()
            time.sleep(1.5)
            yield daemon
            daemon.process.kill()
            caller.join()


def test_a_second_signal_ends_it_at_once(home: Path) -> None:
    with hanging(home) as daemon:
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert daemon.process.poll() is None, "a call is under way"
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.ends(5) == 128 + signal.SIGTERM


def test_it_ends_within_its_deadline_whatever_hangs(home: Path) -> None:
    with hanging(home, TWIKIT_POOL__SERVICE__SHUTDOWN_TIMEOUT="3") as daemon:
        began = time.monotonic()
        daemon.process.send_signal(signal.SIGTERM)
        daemon.ends(10)
        assert time.monotonic() - began < 6


def test_what_is_wrong_is_a_sentence(home: Path) -> None:
    for arguments, says in (
        (("--host", "192.168.1.2"), "service.allow_remote"),
        (("--port", "99999"), "service.port"),
        (("--config", "none.toml"), "none.toml"),
        ((), "there is no account store"),
    ):
        ended = subprocess.run(
            [*MAIN, "serve", *arguments], cwd=home, capture_output=True, text=True, timeout=50, check=False
        )
        assert ended.returncode in (1, 2), (arguments, ended.stderr)
        assert says in ended.stderr, ended.stderr
        assert "Traceback" not in ended.stderr
