"""`twikit-pool check-post` and `twikit-pool reviews`, as programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.cli.conftest import Program
from tests.integration.cli.test_serve import Daemon, serving
from twikit_pool.safety import Post, PostMemory

NEWS = "The bridge over the harbour opens again on Monday morning"
CARD = "Our number is 4111 1111 1111 1111"


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("Hello everybody", 0, "it may go, counting 15"),
        (CARD, 4, "personal.card, content 14-33"),
        ("x" * 281, 1, "length.too_long"),
        ("auth_token=" + "a1b2c3d4e5" * 4, 1, "secrets.x_cookie"),
    ],
)
def test_a_text(program: Program, text: str, code: int, says: str) -> None:
    ended = program("check-post", text)
    assert ended.returncode == code, ended.stderr
    assert says in ended.stdout
    assert "a1b2c3" not in ended.stdout + ended.stderr


def test_files_and_json(program: Program, home: Path) -> None:
    (home / "post.txt").write_text(f"{NEWS}\n")
    told = json.loads(program("check-post", "post.txt", "--json").stdout)
    assert told == {"decision": "allow", "reasons": [], "observed": {"length": len(NEWS)}}
    jobs = [{"id": f"j{each}", "action": "post_tweet", "params": {"content": NEWS}} for each in (1, 2)]
    (home / "jobs.jsonl").write_text("".join(json.dumps(each) + "\n" for each in jobs))
    ended = program("check-post", "jobs.jsonl")
    assert ended.returncode == 1
    assert "j2: it is blocked" in ended.stdout
    assert "2 jobs: 1 go, 1 blocked, 0 for a person" in ended.stdout


def test_what_this_machine_remembers_counts(program: Program, home: Path) -> None:
    memory = PostMemory(home / "home" / "safety.db")
    with memory.exclusive():
        memory.enter(Post(text=NEWS), "a")
    memory.close()
    assert program("check-post", NEWS, "--account", "b").returncode == 1
    (home / "twikit-pool.toml").write_text("[safety]\nsimilar = 'off'\nrepeats = 'off'\n")
    assert program("check-post", NEWS, "--account", "b").returncode == 0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("similar = 'no'", "safety.similar must be one of 'block', 'note', 'off', 'review', not 'no'"),
        ("quiet_zone = 'Mars/Base'", "safety.quiet_zone must be a time zone that there is, not 'Mars/Base'"),
        ("quiet_hours = '22-7'", 'safety.quiet_hours must be hours of the day as "22:00-07:00"'),
        ("words = 'none.txt'", "safety.words must be a file that there is"),
        ("similiar = 'off'", "did you mean safety.similar?"),
        ("profanity_languages = ['it']", 'safety.profanity_languages must be a list of "en", "de"'),
    ],
)
def test_settings_that_are_wrong(program: Program, home: Path, settings: str, says: str) -> None:
    (home / "twikit-pool.toml").write_text(f"[safety]\n{settings}\n")
    for arguments in (("config", "check"), ("check-post", "Hello")):
        ended = program(*arguments)
        assert ended.returncode == 2
        assert says in " ".join(ended.stderr.split()), ended.stderr


# ---------------------------------------------------------------- reviews


@pytest.fixture
def daemon(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    with serving(home) as running:
        monkeypatch.setenv("TWIKIT_POOL_URL", running.url)
        monkeypatch.setenv("TWIKIT_POOL_TOKEN", running.token)
        yield running


def test_a_person_decides(program: Program, daemon: Daemon) -> None:
    assert "nothing waits" in program("reviews", "list").stdout
    headers = {"Authorization": f"Bearer {daemon.token}"}
    with httpx.Client(base_url=daemon.url, headers=headers, trust_env=False, timeout=30) as http:
        for text in (CARD, f"{CARD}, call us any time of day", f"{CARD} is what we print on letters"):
            body = {"action": "post_tweet", "parameters": {"content": text}, "account": "sim_001"}
            assert http.post("/v1/pools/default/execute", json=body).status_code == 422
    listed = program("reviews", "list")
    assert "review 1: pending" in listed.stdout
    assert "personal.card" in listed.stdout
    assert json.loads(program("reviews", "list", "--json").stdout)["total"] == 3
    approved = program("reviews", "approve", "1", "--note", "public")
    assert "was sent as sim_001" in approved.stdout, approved.stderr
    edited = json.loads(program("reviews", "edit", "2", "Call us any time of day", "--json").stdout)
    assert edited["executed"]["result"]["text"] == "Call us any time of day"
    assert "is rejected" in program("reviews", "reject", "3").stdout
    again = program("reviews", "approve", "3")
    assert again.returncode == 1
    assert "rejected already" in again.stderr
    assert json.loads(program("reviews", "list", "--state", "all", "--json").stdout)["total"] == 3
