"""What `twikit-pool run` knows before it begins, and that it comes true."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.house import house
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.jobs import Job, JobRunner, Rejected, Survey, plan_of
from twikit_pool.sessions.actions import FollowUser, LikeTweet, Retweet, SearchTweet, UnlikeTweet
from twikit_pool.simulator import SimulatorProcess

Command = Callable[..., "subprocess.Popen[str]"]
InTurn = Callable[[Iterable[Job | Rejected]], AsyncIterator[Job | Rejected]]

LIKE = {"id": "like", "action": "like_tweet", "params": {"tweet_id": "20"}}
SEARCH = {"action": "search_tweet", "params": {"query": "python"}}


def jobs_file(folder: Path, *jobs: dict[str, Any] | str) -> str:
    lines = (job if isinstance(job, str) else json.dumps(job) for job in jobs)
    (folder / "jobs.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return "jobs.jsonl"


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=50)
    return process.returncode, out, err


@pytest.fixture
def cookies(tmp_path: Path) -> str:
    """A folder of one account, which is on no X that a test could reach."""
    (tmp_path / "cookies").mkdir()
    (tmp_path / "cookies" / "bob.json").write_text(json.dumps({"auth_token": "0" * 40, "ct0": "1" * 32}))
    return "cookies"


async def test_a_run_over_real_windows_takes_as_long_as_its_plan_says(in_turn: InTurn) -> None:
    overrides = {"SearchTimeline": 10}
    config = ConnectionPoolConfig(acquire_timeout=None)
    async with house(config, accounts=3, time_scale=180.0, overrides=overrides, latency=0.05) as home:
        for number in range(3):  # so that limit and length of the windows are learned
            await home.do("search_tweet", query="python", account=home.id(number))
        jobs = [Job(id=str(number), action=SearchTweet(query="python")) for number in range(50)]
        survey = Survey()
        for job in jobs:
            survey.add(job)
        plan = plan_of(survey, home.pool, call_seconds=0.07)
        [search] = plan.endpoints
        assert (search.fleet.left, search.fleet.limit) == (27, 30)
        runner, began = JobRunner(home.pool), time.monotonic()
        async for _ in runner.run(in_turn(jobs)):
            pass
        assert runner.outcomes == {"ok": 50}
        assert plan.seconds == pytest.approx(time.monotonic() - began, rel=0.2)
        assert plan.bottleneck == "SearchTimeline"


def test_a_plan_sends_nothing_and_leaves_nothing(command: Command, tmp_path: Path) -> None:
    with SimulatorProcess(accounts=2) as x:
        name = jobs_file(tmp_path, *[SEARCH] * 150)
        code, out, err = finish(command(name, "--simulator", x.url, "--plan"))
        assert (code, err) == (0, "")
        assert "SearchTimeline   150         2       100       100  about 15 min" in out
        assert "about 15 min: SearchTimeline is the bottleneck" in out
        assert "with 1 more account: about 25 s" in out
        assert "Nothing was sent" in out
        assert not x.calls
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.jsonl"]


def test_a_plan_reckons_with_the_time_of_the_simulator(command: Command, tmp_path: Path) -> None:
    with SimulatorProcess(accounts=2, time_scale=30.0) as x:
        code, out, _ = finish(command(jobs_file(tmp_path, *[SEARCH] * 150), "--simulator", x.url, "--plan"))
    assert code == 0
    assert re.search(r"in all +about [345]\d s: SearchTimeline", out), "a window of 30 s, not of 15 min"


def test_a_plan_is_of_what_is_left_to_do(command: Command, tmp_path: Path) -> None:
    name = jobs_file(tmp_path, *[SEARCH] * 3)
    sandbox = ("--sandbox", "2", "--no-sandbox-faults")
    assert finish(command(name, *sandbox))[0] == 0
    jobs_file(tmp_path, *[SEARCH] * 5)
    code, out, _ = finish(command(name, *sandbox, "--plan"))
    assert code == 0
    assert "2 to do, by 2 accounts; 3 are done already" in out
    code, _, err = finish(command(name, *sandbox))
    assert code == 0
    assert "about 1 s" in err, "a run says how long it will take"


def test_what_can_never_be_done_is_named(command: Command, tmp_path: Path, cookies: str) -> None:
    long = {"id": "too-long", "action": "post_tweet", "params": {"content": "x", "long": True}}
    code, out, _ = finish(command(jobs_file(tmp_path, SEARCH, long), "--cookies", cookies, "--plan"))
    assert code == 1
    assert "1 CreateNoteTweet (too-long): no account can: 1 without long_posts" in out
    code, out, _ = finish(command(jobs_file(tmp_path, SEARCH, "no job"), "--cookies", cookies, "--plan"))
    assert code == 3
    assert "1 of the lines, which are no jobs" in out


def test_a_run_begins_with_what_can_never_be_done(command: Command, tmp_path: Path) -> None:
    long = {"id": "too-long", "action": "post_tweet", "params": {"content": "x", "long": True}}
    name = jobs_file(tmp_path, SEARCH, long)
    code, _, err = finish(command(name, "--sandbox", "2", "--no-sandbox-faults"))
    assert code == 1
    assert "never, as the accounts are now: 1 jobs: 1 CreateNoteTweet (too-long): no account can" in err


def test_a_plan_says_why_lines_are_no_jobs(command: Command, tmp_path: Path, cookies: str) -> None:
    name = jobs_file(tmp_path, "no job", {**SEARCH, "account": "ghost"}, *["{}"] * 7)
    code, out, _ = finish(command(name, "--cookies", cookies, "--plan"))
    assert code == 3
    for part in (
        "9 of the lines, which are no jobs",
        "line 1: it is not JSON",
        "line 2: ",
        "'ghost'",
        "and so on",
    ):
        assert part in out
    assert "0 to do\n" in re.sub(" +\n", "\n", out), "by nobody, though there are accounts"


def test_a_plan_from_standard_input(command: Command, tmp_path: Path, cookies: str) -> None:
    process = command("-", "--cookies", cookies, "--plan", stdin=subprocess.PIPE)
    out, _ = process.communicate(json.dumps(SEARCH) + "\n", timeout=50)
    assert process.returncode == 0
    assert "1 to do, by 1 accounts" in out


# ---------------------------------------------------------------- engagement


def test_likes_by_the_file_are_refused_before_anything_is_sent(
    command: Command, tmp_path: Path, cookies: str
) -> None:
    follow = {"action": "follow_user", "params": {"user_id": "20"}}
    name = jobs_file(tmp_path, SEARCH, LIKE, follow, {**LIKE, "id": "another"})
    code, out, err = finish(command(name, "--cookies", cookies))
    assert (code, out) == (2, "")
    assert "2 like_tweet, 1 follow_user among the jobs: X forbids automated likes" in err
    assert "--allow-engagement" in err
    assert {path.name for path in tmp_path.iterdir()} == {"jobs.jsonl", "cookies"}

    code, out, _ = finish(command(name, "--cookies", cookies, "--plan"))
    assert code == 1
    assert "2 like_tweet, 1 follow_user: refused without --allow-engagement" in out


def test_whoever_turns_it_on_has_caps(command: Command, tmp_path: Path, cookies: str) -> None:
    likes = [{**LIKE, "id": str(number)} for number in range(101)]
    name = jobs_file(tmp_path, *likes)
    code, out, _ = finish(command(name, "--cookies", cookies, "--plan", "--allow-engagement"))
    assert code == 0
    assert "101 like_tweet: allowed by --allow-engagement" in out
    assert "about 1 d: FavoriteTweet is the bottleneck" in out


def test_simulated_accounts_may_like(command: Command, tmp_path: Path) -> None:
    sandbox = ("--sandbox", "2", "--no-sandbox-faults")
    likes = {**LIKE, "params": {"tweet_id": "2006245130498998272"}}
    name = jobs_file(tmp_path, likes)
    code, out, _ = finish(command(name, *sandbox, "--plan"))
    assert code == 0
    assert "1 like_tweet: allowed, the accounts are simulated" in out
    assert finish(command(name, *sandbox))[0] == 0


def test_likes_that_come_through_a_pipe_are_rejected_one_by_one(
    command: Command, tmp_path: Path, cookies: str
) -> None:
    process = command("-", "--cookies", cookies, stdin=subprocess.PIPE)
    out, err = process.communicate(json.dumps(LIKE) + "\n", timeout=50)
    assert process.returncode == 3
    assert "like_tweet is off in jobs: X forbids" in err
    assert "no job ended" in out


async def test_a_program_runs_them_only_if_it_says_so(in_turn: InTurn) -> None:
    async with house(accounts=1) as home:
        tweet = await home.do("post_tweet", content="x")
        engaging = [
            Job(id="like", action=LikeTweet(tweet_id=tweet.id)),
            Job(id="repost", action=Retweet(tweet_id=tweet.id)),
            Job(id="follow", action=FollowUser(user_id="1000500001")),
        ]
        before = len(home.x.writes)
        refused = [each async for each in JobRunner(home.pool).run(in_turn(engaging))]
        assert all(isinstance(each, Rejected) for each in refused)
        assert [each.id for each in refused] == ["like", "repost", "follow"]
        assert len(home.x.writes) == before
        runner = JobRunner(home.pool, allow_engagement=True)
        assert [each.id async for each in runner.run(in_turn(engaging[:1]))] == ["like"]
        assert runner.outcomes == {"ok": 1}
        back = Job(id="back", action=UnlikeTweet(tweet_id=tweet.id))
        runner = JobRunner(home.pool)
        assert [each.id async for each in runner.run(in_turn([back]))] == ["back"]
        assert runner.outcomes == {"ok": 1}, "taking a like back needs no leave"
