"""Jobs behind the content filter: what is refused is told, and the others go on."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from twikit_pool.jobs import Job, JobResult, JobRunner, ResultsFile
from twikit_pool.pool import TwikitConnectionPool
from twikit_pool.safety import PostGuard, SafetySettings, overriding
from twikit_pool.sessions.actions import PostTweet
from twikit_pool.simulator import Simulator

Open = Callable[[Simulator], AbstractAsyncContextManager[TwikitConnectionPool]]
Command = Callable[..., "subprocess.Popen[str]"]
NEWS = "The bridge over the harbour opens again on Monday morning"


async def outcomes(pool: TwikitConnectionPool, jobs: list[Job], results: ResultsFile) -> dict[str, JobResult]:
    async def given() -> AsyncIterator[Job]:
        for job in jobs:
            yield job

    found: dict[str, JobResult] = {}
    async for each in JobRunner(pool, results=results).run(given()):
        assert isinstance(each, JobResult)
        found[each.id] = each
    return found


async def test_each_job_is_told_why(open_pool: Open, tmp_path: Path) -> None:
    jobs = [
        *(
            Job(id=f"n{each}", action=PostTweet(content=f"{NEWS} {'!' * each}"), account=f"sim_00{each}")
            for each in (1, 2, 3)
        ),
        Job(id="long", action=PostTweet(content="x" * 281)),
        Job(id="card", action=PostTweet(content="Call 4111 1111 1111 1111"), account="sim_001"),
        Job(id="fine", action=PostTweet(content="Bakers of the old town teach children to bake bread")),
    ]
    guard = PostGuard.of(SafetySettings())
    async with Simulator(accounts=3) as x, open_pool(x) as pool:
        pool.guard = guard
        with ResultsFile(tmp_path / "r.jsonl") as results:
            found = await outcomes(pool, jobs, results)
        assert sorted(found[f"n{each}"].outcome for each in (1, 2, 3)) == ["blocked", "blocked", "ok"]
        told = {name: (each.outcome, each.error.reason if each.error else "") for name, each in found.items()}
        assert told["fine"][0] == "ok"
        assert told["long"][0] == "blocked"
        assert "length.too_long" in told["long"][1]
        assert told["card"][0] == "held"
        assert "review 1" in told["card"][1]
        assert len([each for each in x.world.tweets.values() if each.text.startswith(NEWS)]) == 1
        with ResultsFile(tmp_path / "r.jsonl") as results:  # nothing is left open: they are not run again
            assert results.lost == 0
            assert await outcomes(pool, jobs, results) == {}
        with ResultsFile(tmp_path / "again.jsonl") as results, overriding("agreed", by="anna"):
            found = await outcomes(pool, jobs[:2], results)
        assert sum(each.outcome == "ok" for each in found.values()) >= 1
    guard.close()


def test_the_command_says_so(command: Command, tmp_path: Path, results_in: Any) -> None:
    lines = [
        {"id": f"n{each}", "action": "post_tweet", "params": {"content": NEWS}, "account": f"sim_00{each}"}
        for each in (1, 2)
    ]
    (tmp_path / "jobs.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    process = command("jobs.jsonl", "--sandbox", "3", "--progress", "none")
    out, err = process.communicate(timeout=50)
    assert process.returncode == 1, err
    assert "1 blocked" in out
    off = command(
        "jobs.jsonl",
        "--sandbox",
        "3",
        "--progress",
        "none",
        "--results",
        "o.jsonl",
        "--override",
        "ours",
    )
    out, err = off.communicate(timeout=50)
    assert (off.returncode, "2 ok" in out) == (0, True), out + err


def test_a_setting_turns_it_off(command: Command, tmp_path: Path) -> None:
    (tmp_path / "twikit-pool.toml").write_text("[safety]\nenabled = false\n")
    line = {"action": "post_tweet", "params": {"content": NEWS}}
    (tmp_path / "jobs.jsonl").write_text(
        "".join(json.dumps({**line, "id": f"n{each}", "account": f"sim_00{each}"}) + "\n" for each in (1, 2))
    )
    process = command("jobs.jsonl", "--sandbox", "3", "--progress", "none")
    out, err = process.communicate(timeout=50)
    assert process.returncode == 0, out + err
