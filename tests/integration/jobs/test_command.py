"""`twikit-pool run` as a program."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from twikit_pool.accounts import Account, AccountState, AccountStore, Credentials, Keyring, Standing
from twikit_pool.redaction import Cookies
from twikit_pool.simulator import SimulatorProcess

Command = Callable[..., "subprocess.Popen[str]"]
ACCOUNTS = 4


@pytest.fixture
def x() -> Iterator[SimulatorProcess]:
    with SimulatorProcess(accounts=ACCOUNTS, latency=0.02, limits=False) as running:
        yield running


def jobs_file(folder: Path, *lines: str | dict[str, Any]) -> str:
    path = folder / "jobs.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path.name


def posts(number: int) -> list[dict[str, Any]]:
    return [
        {"id": f"p{each}", "action": "post_tweet", "params": {"content": f"Post {each}"}}
        for each in range(number)
    ]


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=50)
    return process.returncode, out, err


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_all_well(command: Command, x: SimulatorProcess, tmp_path: Path, results_in: Any) -> None:
    name = jobs_file(tmp_path, *posts(8), {"action": "get_user", "params": {"handle": "sim_001"}})
    code, out, err = finish(command(name, "--simulator", x.url, "--progress", "none"))
    assert (code, err) == (0, "")
    assert "9 ok" in out
    assert "jobs.sandbox.results.jsonl" in out
    results = results_in(tmp_path / "jobs.sandbox.results.jsonl")
    assert results.outcomes == {**{f"p{each}": "ok" for each in range(8)}, "line-9": "ok"}
    assert set(results.lines[0]) == {
        "id",
        "line",
        "action",
        "outcome",
        "account",
        "attempts",
        "latency",
        "result",
    }
    made = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert made == {"jobs.jsonl", "jobs.sandbox.results.jsonl", "jobs.sandbox.results.jsonl.journal"}
    for each in made - {"jobs.jsonl"}:
        assert stat.S_IMODE((tmp_path / each).stat().st_mode) == 0o600

    code, out, _ = finish(command(name, "--simulator", x.url, "--progress", "none"))
    assert code == 0
    assert "9 ok, with what earlier runs ended" in out
    assert len(x.writes) == 8


def test_failed_jobs_and_rejected_lines_have_their_exit_codes(
    command: Command, x: SimulatorProcess, tmp_path: Path
) -> None:
    fails = {"action": "get_user", "params": {"handle": "nobody_here"}}
    name = jobs_file(tmp_path, fails)
    assert finish(command(name, "--simulator", x.url))[0] == 1
    assert finish(command(name, "--simulator", x.url))[0] == 1, "an earlier run's failures count too"

    name = jobs_file(tmp_path, fails, "nonsense", *["{}"] * 7, {"action": "like_tweet", "account": "who"})
    code, out, err = finish(command(name, "--simulator", x.url, "--results", "out/r.jsonl"))
    assert code == 3
    assert "9 lines" in out
    assert "line 2: it is not JSON" in err
    assert "line 6: " in err
    assert "line 7: " not in err
    rejects = [json.loads(line) for line in (tmp_path / "out/r.jsonl.rejects.jsonl").read_text().splitlines()]
    assert [each["line"] for each in rejects] == list(range(2, 11))


def test_jobs_from_standard_input(command: Command, x: SimulatorProcess, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    process = command("-", "--simulator", x.url, "--results", path.name, stdin=subprocess.PIPE)
    assert process.stdin
    for job in posts(3):  # each runs as it arrives; the end of the input is not waited for
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        until(lambda job=job: path.exists() and job["id"] in path.read_text())
    assert finish(process)[0] == 0
    assert len(x.writes) == 3


def test_progress_in_lines(command: Command, x: SimulatorProcess, tmp_path: Path) -> None:
    x.fault("slow", seconds=6.0)
    name = jobs_file(tmp_path, *posts(2))
    _, _, err = finish(command(name, "--simulator", x.url, "--progress", "plain"))
    assert "0/2 jobs | 0.0/s | ETA ? | nothing ended yet | accounts: 2 busy, 2 free" in err


def test_progress_on_a_terminal(command: Command, x: SimulatorProcess, tmp_path: Path) -> None:
    x.fault("slow", seconds=0.5)
    ours, theirs = pty.openpty()
    process = command(jobs_file(tmp_path, *posts(2), "nonsense"), "--simulator", x.url, stderr=theirs)
    os.close(theirs)
    drawn = b""
    with contextlib.suppress(OSError):  # the terminal's end, once the program has gone
        while piece := os.read(ours, 4096):
            drawn += piece
    os.close(ours)
    assert process.wait(10) == 3
    for part in (b"line 3: it is not JSON", b"1 of 3", b"accounts", b"2 busy", b"1 rejected"):
        assert part in re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", drawn)
    assert drawn.rindex(b"\x1b[?25h") > drawn.rindex(b"\x1b[?25l"), "the cursor is shown again"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("none.jsonl",), 2, "none.jsonl cannot be read"),
        ((".",), 2, ". is a folder: name a jobs file in it"),
        (("jobs.jsonl", "--window", "0"), 2, "--window must be at least 1"),
        (("jobs.jsonl", "--timeout", "nan"), 2, "--timeout must be at least 0, not nan"),
        (("jobs.jsonl", "--sandbox", "3", "--results", "jobs.jsonl"), 2, "would be written over"),
        (("jobs.jsonl", "--store", ""), 2, "path is empty"),
        (("jobs.jsonl", "--store", "typo.db"), 2, "there is no account store"),
        (("jobs.jsonl", "--cookies", "nothing_here"), 2, "no cookie file"),
        (("jobs.jsonl", "--simulator", "http://127.0.0.1:1"), 2, "no simulator answers"),
    ],
)
def test_what_keeps_a_run_from_starting_is_told(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    jobs_file(tmp_path, *posts(1))
    ended, _, err = finish(command(*arguments))
    assert ended == code
    assert says in err
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.jsonl"]
    assert "Post 0" in (tmp_path / "jobs.jsonl").read_text()


def test_a_jobs_file_that_the_rejects_would_be_written_over(command: Command, tmp_path: Path) -> None:
    (tmp_path / jobs_file(tmp_path, *posts(1))).rename(tmp_path / "r.rejects.jsonl")
    code, _, err = finish(command("./r.rejects.jsonl", "--sandbox", "3", "--results", "r"))
    assert code == 2
    assert "would be written over" in err
    assert [path.name for path in tmp_path.iterdir()] == ["r.rejects.jsonl"]
    assert "Post 0" in (tmp_path / "r.rejects.jsonl").read_text()


async def test_a_store_without_accounts_is_told(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = Keyring.generate()
    monkeypatch.setenv("TWIKIT_POOL_KEY", keyring.render())
    monkeypatch.setenv("TWIKIT_POOL_STORE", str(tmp_path / "accounts.db"))
    await (await AccountStore.open(tmp_path / "accounts.db", keyring=keyring)).aclose()
    code, _, err = finish(command(jobs_file(tmp_path, *posts(1))))
    assert code == 2
    assert "there are no accounts there: nothing was run" in err
    assert not (tmp_path / "jobs.results.jsonl").exists()


def test_accounts_come_from_one_place(command: Command, tmp_path: Path) -> None:
    code, out, err = finish(
        command(jobs_file(tmp_path), "--sandbox", "3", "--simulator", "http://127.0.0.1:1")
    )
    assert code not in (0, 3)
    assert "utually exclusive" in out + err


def test_two_runs_cannot_share_their_results(command: Command, x: SimulatorProcess, tmp_path: Path) -> None:
    x.fault("slow", seconds=2.0)
    name = jobs_file(tmp_path, *posts(1))
    first = command(name, "--simulator", x.url)
    until((tmp_path / "jobs.sandbox.results.jsonl.journal").exists)
    time.sleep(0.3)
    code, _, err = finish(command(name, "--simulator", x.url))
    assert code == 1
    assert "another run is using" in err
    assert finish(first)[0] == 0
    assert len(x.writes) == 1


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_ends_well_and_goes_on_later(
    command: Command, x: SimulatorProcess, tmp_path: Path, results_in: Any, signum: signal.Signals, code: int
) -> None:
    x.fault("slow", seconds=0.2)
    path = tmp_path / "jobs.sandbox.results.jsonl"
    name = jobs_file(tmp_path, *posts(30))
    process = command(name, "--simulator", x.url)
    until(lambda: path.exists() and path.read_bytes().count(b"\n") >= 3)
    process.send_signal(signum)
    ended, out, err = finish(process)
    assert ended == code
    assert "again to go on" in err
    assert "outcomes" in out
    first = results_in(path).outcomes
    assert set(first.values()) == {"ok"}
    assert 3 <= len(first) < 30
    assert len(x.writes) == len(first)

    x.clear_faults()
    assert finish(command(name, "--simulator", x.url))[0] == 0
    assert set(results_in(path).outcomes.values()) == {"ok"}
    assert sorted(write.key for write in x.writes) == sorted(f"Post {each}" for each in range(30))


def test_a_second_signal_leaves_at_once_and_is_as_safe_as_a_kill(
    command: Command, x: SimulatorProcess, tmp_path: Path, results_in: Any
) -> None:
    x.fault("hang", endpoint="CreateTweet")
    name = jobs_file(tmp_path, *posts(10))
    process = command(name, "--simulator", x.url)
    until(lambda: sum(row["count"] for row in x.calls if row["endpoint"] == "CreateTweet") >= ACCOUNTS)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(2) == 130

    x.clear_faults()
    code, out, _ = finish(command(name, "--simulator", x.url))
    assert code == 1
    assert f"{ACCOUNTS} writes of a run that died" in out
    outcomes = results_in(tmp_path / "jobs.sandbox.results.jsonl").outcomes
    assert sorted(outcomes.values()) == ["ambiguous"] * ACCOUNTS + ["ok"] * (10 - ACCOUNTS)


def test_no_file_and_no_output_has_a_secret(command: Command, x: SimulatorProcess, tmp_path: Path) -> None:
    x.fault("expire", account="sim_001")
    x.fault("code", code=226, account="sim_002", times=1)
    name = jobs_file(tmp_path, *posts(12), "nonsense", {"action": "get_timeline", "account": "sim_001"})
    secrets = [value for account in x.accounts for value in account.cookies.values()]
    _, out, err = finish(command(name, "--simulator", x.url, "--progress", "plain"))
    written = (
        out + err + "".join(path.read_text(errors="replace") for path in tmp_path.iterdir() if path.is_file())
    )
    assert not any(secret in written for secret in secrets)


def test_the_sandbox_does_a_mixed_load(command: Command, tmp_path: Path) -> None:
    lines = (Path(__file__).parents[3] / "examples" / "mixed.jsonl").read_text().splitlines()
    kinds = {
        json.loads(line)["action"]: line for line in lines if '"media": [' not in line and "path" not in line
    }
    name = jobs_file(tmp_path, *kinds.values())
    code, out, err = finish(command(name, "--sandbox", "25", "--progress", "none"))
    assert (code, err) == (0, "")
    assert f"{len(kinds)} ok" in out


async def test_accounts_of_a_store(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = Keyring.generate()
    monkeypatch.setenv("TWIKIT_POOL_KEY", keyring.render())
    away = Standing(state=AccountState.DISABLED, reason="on holiday")
    cookies = Credentials(cookies=Cookies(auth_token="0" * 40))
    async with await AccountStore.open(tmp_path / "accounts.db", keyring=keyring) as store:
        await store.add(Account(id="bob", credentials=cookies, standing=away))
    name = jobs_file(
        tmp_path,
        *posts(2),
        {"action": "get_timeline", "account": "bob"},
        {"action": "get_trends", "account": "who"},
    )
    code, out, err = finish(command(name, "--store", str(tmp_path / "accounts.db")))
    assert code == 3
    assert "line 4: there is no account 'who'" in err
    assert "3 no_account" in out
    assert "on holiday" in (tmp_path / "jobs.results.jsonl").read_text()


def test_accounts_of_cookie_files(command: Command, tmp_path: Path) -> None:
    (tmp_path / "cookies").mkdir()
    (tmp_path / "cookies" / "bob.json").write_text(json.dumps({"auth_token": "0" * 40, "ct0": "1" * 32}))
    name = jobs_file(tmp_path, {"action": "get_trends", "account": "who"})
    code, out, _ = finish(command(name, "--cookies", "cookies"))
    assert code == 3
    assert "0 used of 1" in out
