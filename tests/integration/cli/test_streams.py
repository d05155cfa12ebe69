"""Standard streams that are closed, full, or that nobody reads any more."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.cli.conftest import MAIN

if TYPE_CHECKING:
    from tests.integration.cli.conftest import Program

full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")

JOBS = [
    *({"id": f"p{each}", "action": "post_tweet", "params": {"content": f"Post {each}"}} for each in range(3)),
    {"id": "bad", "action": "no_such_action"},
]


@pytest.fixture
def jobs(home: Path) -> str:
    """Three posts, and a line that a run complains of on its screen."""
    path = home / "jobs.jsonl"
    path.write_text("".join(json.dumps(job) + "\n" for job in JOBS))
    return path.name


def outcomes(home: Path) -> dict[str, str]:
    results = (home / "jobs.sandbox.results.jsonl").read_text().splitlines()
    return {line["id"]: line["outcome"] for line in map(json.loads, results)}


@pytest.mark.parametrize(
    "redirected",
    ["2>&-", ">&-", pytest.param("2>/dev/full", marks=full), pytest.param(">/dev/full", marks=full)],
)
def test_a_run_goes_on_without_its_screen(program: Program, home: Path, jobs: str, redirected: str) -> None:
    ended = program("run", jobs, "--sandbox", "3", "--no-sandbox-faults", redirected=redirected)
    assert ended.returncode == 3
    assert outcomes(home) == {"p0": "ok", "p1": "ok", "p2": "ok"}
    assert "Traceback" not in ended.stdout + ended.stderr


def test_a_run_goes_on_when_nobody_reads_what_it_says(program: Program, home: Path, jobs: str) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    ended = program("run", jobs, "--sandbox", "3", "--no-sandbox-faults", stderr=writes)
    os.close(writes)
    assert ended.returncode == 3
    assert outcomes(home) == {"p0": "ok", "p1": "ok", "p2": "ok"}
    assert "3 ok" in ended.stdout


@pytest.mark.parametrize("redirected", ["2>&-", pytest.param("2>/dev/full", marks=full)])
def test_an_error_that_cannot_be_told_has_its_exit_code(program: Program, redirected: str) -> None:
    assert program("actions", "no_such_action", redirected=redirected).returncode == 2


@full
@pytest.mark.parametrize("arguments", [("actions",), ("actions", "get_trends")], ids=["much", "little"])
def test_output_that_cannot_be_written_is_told(program: Program, arguments: tuple[str, ...]) -> None:
    ended = program(*arguments, redirected=">/dev/full")
    assert ended.returncode == 1
    assert "No space left" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "-", "--sandbox", "3"), "standard input is closed"),
        (("accounts", "add", "bob", "--auth-token", "-"), "no auth_token of bob was given"),
        (("accounts", "remove", "bob"), "repeat with --yes"),
    ],
)
def test_closed_standard_input_is_told(
    program: Program, home: Path, arguments: tuple[str, ...], says: str
) -> None:
    ended = program(*arguments, redirected="<&-")
    assert ended.returncode == 2
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(home.iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("accounts", "add", "bob", "--auth-token", "-"), 2, b"no auth_token of bob was given"),
        (("accounts", "remove", "bob"), 1, b"Nothing was removed"),
    ],
)
def test_ctrl_d_at_a_prompt_changes_nothing(
    home: Path, arguments: tuple[str, ...], code: int, says: bytes
) -> None:
    ours, theirs = pty.openpty()
    # In a session of its own there is no other terminal that it could ask.
    asking = subprocess.Popen(
        [*MAIN, *arguments], cwd=home, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    shown = b""
    while not shown.endswith(b": "):
        shown += os.read(ours, 4096)
    os.write(ours, b"\x04")
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:
        pass  # the terminal's end, once the program has gone
    os.close(ours)
    assert asking.wait(20) == code
    assert says in shown
    assert b"Traceback" not in shown
    assert not list(home.iterdir())


def test_a_file_whose_name_is_no_text(program: Program, home: Path, jobs: str) -> None:
    (home / jobs).rename(os.fsdecode(bytes(home) + b"/\xff.jsonl"))
    strict = {"PYTHONIOENCODING": "utf-8:strict"}
    ended = program("run", b"\xff.jsonl", "--sandbox", "3", "--no-sandbox-faults", environment=strict)
    assert ended.returncode == 3
    assert "3 ok" in ended.stdout
    assert ended.stderr.count("error") == 0
