"""The runner over a real pool, real sessions and the simulator."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from twikit_pool.errors import EmergencyStopped, PoolClosed, ResultsError
from twikit_pool.jobs import Job, JobResult, JobRunner, Rejected, ResultsFile, Summary, run_jobs
from twikit_pool.pool import ConnectionPriority
from twikit_pool.sessions.actions import (
    Action,
    FollowUser,
    GetUser,
    LikeTweet,
    PostTweet,
    SearchTweet,
    UploadMedia,
)
from twikit_pool.simulator import Simulator

InTurn = Callable[[Iterable[Job | Rejected]], AsyncIterator[Job | Rejected]]
Open = Callable[[Simulator], Any]


def post(number: int, account: str | None = None) -> Job:
    return Job(id=f"post-{number}", line=number, action=PostTweet(content=f"Post {number}"), account=account)


def read(job_id: str, action: Action | None = None, account: str | None = None) -> Job:
    return Job(id=job_id, action=action or GetUser(handle="sim_001"), account=account)


async def run(runner: JobRunner, jobs: AsyncIterator[Job | Rejected]) -> dict[str, JobResult]:
    async with aclosing(runner.run(jobs)) as ended:
        return {each.id: each async for each in ended if isinstance(each, JobResult)}


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - what it looks at lies in the simulator and on disk
            await asyncio.sleep(0.005)


async def test_jobs_of_all_kinds_end_with_their_records(open_pool: Open, in_turn: InTurn) -> None:
    jobs = [
        post(1),
        post(2, "sim_002"),
        read("user"),
        Job(
            id="search", action=SearchTweet(query="python"), tags=("a", "b"), priority=ConnectionPriority.LOW
        ),
        Rejected(line=9, error="no job"),
    ]
    async with Simulator(accounts=3) as x, open_pool(x) as pool:
        ended = [each async for each in run_jobs(pool, in_turn(jobs))]
        results = {each.id: each for each in ended if isinstance(each, JobResult)}
        assert [each for each in ended if isinstance(each, Rejected)] == [Rejected(line=9, error="no job")]
        assert {each.outcome for each in results.values()} == {"ok"}
        assert results["post-2"].account == "sim_002"
        assert results["user"].result.handle == "sim_001"
        assert results["search"].tags == ("a", "b")
        assert results["search"].result.items
        assert all(each.latency and each.attempts == 1 for each in results.values())
        assert sorted(write.key for write in x.writes) == ["Post 1", "Post 2"]


async def test_what_x_refuses_is_told_with_its_reason(
    open_pool: Open, in_turn: InTurn, tmp_path: Path
) -> None:
    async with Simulator(accounts=1) as x, open_pool(x) as pool:
        missing = read("file", UploadMedia(path=str(tmp_path / "none.png")))
        jobs = [
            read("gone", GetUser(handle="nobody_here")),
            missing,
            post(1, "sim_001"),
            read("who", account="x"),
        ]
        runner = JobRunner(pool)
        results = await run(runner, in_turn(jobs))
        again = await run(JobRunner(pool), in_turn([post(1, "sim_001")]))
    assert results["gone"].outcome == "caller_fault"
    assert results["file"].outcome == "refused"
    assert results["who"].outcome == "no_account"
    assert again["post-1"].outcome == "caller_fault"
    assert again["post-1"].error
    assert again["post-1"].error.code == 187
    assert again["post-1"].error.taken == "no"
    assert runner.outcomes == {"ok": 1, "caller_fault": 1, "refused": 1, "no_account": 1}


async def test_rate_limits_are_met_by_waiting(open_pool: Open, in_turn: InTurn) -> None:
    jobs = [read(str(number), SearchTweet(query="python"), "sim_001") for number in range(8)]
    async with (
        Simulator(accounts=2, time_scale=900, overrides={"SearchTimeline": 3}) as x,
        open_pool(x) as pool,
    ):
        results = await run(JobRunner(pool), in_turn(jobs))
        refused = x.calls.count("SearchTimeline", status=429)
    assert {each.outcome for each in results.values()} == {"ok"}
    assert refused == 0


async def test_an_account_without_budget_does_not_hold_up_the_jobs_behind_it(
    open_pool: Open, in_turn: InTurn
) -> None:
    blocked = [read(f"blocked-{number}", SearchTweet(query="python"), "sim_001") for number in range(60)]
    free = [read(f"free-{number}", account=f"sim_{1 + number % 2:03d}") for number in range(20)]
    order: list[str] = []
    async with (
        Simulator(accounts=2, time_scale=300, overrides={"SearchTimeline": 1}) as x,
        open_pool(x) as pool,
    ):
        runner = JobRunner(pool)
        async with aclosing(runner.run(in_turn([*blocked, *free]))) as ended:
            async for each in ended:
                order.append(each.id or "")
                if len(order) == 21:
                    break
    assert sum(each.startswith("free") for each in order) == 20
    assert runner.under_way > 0  # of those that were left, and were cancelled unsent


async def test_jobs_of_ill_accounts_end_at_once(open_pool: Open, in_turn: InTurn) -> None:
    async with Simulator(accounts=2) as x, open_pool(x) as pool:
        x.fault("lock", account="sim_001")
        named = await run(JobRunner(pool), in_turn([post(number, "sim_001") for number in range(5)]))
        anyone = await run(JobRunner(pool), in_turn([post(7)]))
        x.fault("expire")
        nobody = await run(JobRunner(pool), in_turn([post(8), post(9), read("r")]))
        assert [write.key for write in x.writes] == ["Post 7"]
    assert {each.outcome for each in named.values()} <= {"account_ill", "no_account"}
    assert anyone["post-7"].outcome == "ok"
    assert {each.outcome for each in nobody.values()} == {"no_account"}


async def test_an_operation_that_x_has_changed_ends_its_jobs_and_not_the_run(
    open_pool: Open, in_turn: InTurn
) -> None:
    searches = [read(f"search-{number}", SearchTweet(query="python")) for number in range(20)]
    others = [read(f"other-{number}") for number in range(20)]
    async with Simulator(accounts=3) as x, open_pool(x) as pool:
        x.fault("stale_query", endpoint="SearchTimeline")
        results = await run(JobRunner(pool), in_turn([*searches, *others]))
    assert {results[each.id].outcome for each in searches} == {"library_stale"}
    assert {results[each.id].outcome for each in others} == {"ok"}


async def test_a_timeout_bounds_the_wait_for_an_account(open_pool: Open, in_turn: InTurn) -> None:
    jobs = [read(str(number), SearchTweet(query="python"), "sim_001") for number in range(2)]
    async with Simulator(accounts=1, overrides={"SearchTimeline": 1}) as x, open_pool(x) as pool:
        results = await run(JobRunner(pool, timeout=0.3), in_turn(jobs))
    assert [results["0"].outcome, results["1"].outcome] == ["ok", "timeout"]


async def test_a_write_whose_answer_is_lost_is_ambiguous_and_never_sent_again(
    open_pool: Open, in_turn: InTurn, tmp_path: Path
) -> None:
    async with Simulator(accounts=2) as x, open_pool(x) as pool:
        x.fault("reset", when="after", endpoint="CreateTweet", times=1)
        for _ in range(2):
            with ResultsFile(tmp_path / "results.jsonl") as results:
                await run(JobRunner(pool, results=results), in_turn([post(1)]))
                assert results.outcomes() == {"ambiguous": 1}
        assert [write.key for write in x.writes] == ["Post 1"]


async def test_a_later_run_has_only_what_is_left(open_pool: Open, in_turn: InTurn, tmp_path: Path) -> None:
    async with Simulator(accounts=2) as x, open_pool(x) as pool:
        for number, (skipped, taken) in ((3, (0, 3)), (3, (3, 0)), (5, (3, 2))):
            with ResultsFile(tmp_path / "results.jsonl") as results:
                runner = JobRunner(pool, results=results)
                await run(runner, in_turn([post(each) for each in range(number)]))
                assert (runner.skipped, runner.taken) == (skipped, taken)
        assert len(x.writes) == 5


async def test_ids_that_are_taken_are_rejected(open_pool: Open, in_turn: InTurn, tmp_path: Path) -> None:
    twice = Job(id="post-1", line=2, action=LikeTweet(tweet_id="20"))
    async with Simulator(accounts=1) as x, open_pool(x) as pool:
        with ResultsFile(tmp_path / "results.jsonl") as results:
            runner = JobRunner(pool, results=results)
            ended = [each async for each in runner.run(in_turn([post(1), twice]))]
        [rejected] = [each for each in ended if isinstance(each, Rejected)]
        assert (rejected.line, rejected.id) == (2, "post-1")
        assert "line 1 already" in rejected.error
        with ResultsFile(tmp_path / "results.jsonl") as results:
            [changed] = [each async for each in run_jobs(pool, in_turn([twice]), results=results)]
        assert isinstance(changed, Rejected)
        assert "has changed" in changed.error
        assert len(x.writes) == 1


async def test_stopping_lets_calls_in_flight_end_and_leaves_the_rest_undone(
    open_pool: Open, in_turn: InTurn, tmp_path: Path
) -> None:
    jobs = [post(number) for number in range(40)]
    async with Simulator(accounts=3, latency=0.2) as x, open_pool(x) as pool:
        with ResultsFile(tmp_path / "results.jsonl") as results:
            runner = JobRunner(pool, results=results, window=20)
            running = asyncio.create_task(run(runner, in_turn(jobs)))
            await until(lambda: runner.outcomes.total() >= 3)
            runner.stop()
            ended = await running
        assert {each.outcome for each in ended.values()} == {"ok"}
        assert 3 <= len(ended) <= 9
        assert len(x.writes) == len(ended)
        assert runner.taken == len(ended) + runner.undone
        with ResultsFile(tmp_path / "results.jsonl") as results:
            assert results.lost == 0
            await run(JobRunner(pool, results=results), in_turn(jobs))
        assert sorted(write.key for write in x.writes) == sorted(f"Post {number}" for number in range(40))


async def test_a_write_that_does_not_end_within_the_grace_is_ambiguous(
    open_pool: Open, in_turn: InTurn, tmp_path: Path
) -> None:
    async with Simulator(accounts=2) as x, open_pool(x) as pool:
        x.fault("hang", endpoint="CreateTweet")
        x.fault("hang", endpoint="UserByScreenName")
        with ResultsFile(tmp_path / "results.jsonl") as results:
            runner = JobRunner(pool, results=results)
            running = asyncio.create_task(run(runner, in_turn([post(1), read("r")])))
            await until(lambda: x.calls.count("CreateTweet") + x.calls.count("UserByScreenName") > 1)
            runner.stop(grace=0.1)
            ended = await running
            assert ended["post-1"].outcome == "ambiguous"
            assert "r" not in ended
            assert runner.undone == 1
        with ResultsFile(tmp_path / "results.jsonl") as results:
            assert results.has(post(1))
            assert not results.has(read("r"))


async def test_after_a_stop_a_write_that_x_refused_is_held_back_and_not_ambiguous(
    open_pool: Open, in_turn: InTurn, tmp_path: Path
) -> None:
    """The first attempt was in flight and X did not take it: the next one must not leave."""
    async with Simulator(accounts=2, latency=0.3) as x, open_pool(x) as pool:
        x.fault("rate_limited", endpoint="CreateTweet", times=1)
        with ResultsFile(tmp_path / "results.jsonl") as results:
            runner = JobRunner(pool, results=results)
            running = asyncio.create_task(run(runner, in_turn([post(1)])))
            journal = results.journal_path
            before = journal.stat().st_mtime_ns
            await until(lambda: journal.stat().st_mtime_ns > before)  # the intent: the request is leaving
            runner.stop()
            assert await running == {}
            assert runner.undone == 1
        assert x.calls.count("CreateTweet") == 1
        with ResultsFile(tmp_path / "results.jsonl") as results:
            assert results.lost == 0
            assert not results.has(post(1))


async def test_a_write_that_waits_for_a_rate_limit_is_not_ambiguous_when_the_run_ends(
    open_pool: Open, in_turn: InTurn, tmp_path: Path
) -> None:
    """X refused it over the daily cap, so it was sent, did nothing, and is now waiting for an hour."""
    async with Simulator(accounts=1, daily_posts=1) as x, open_pool(x) as pool:
        with ResultsFile(tmp_path / "results.jsonl") as results:
            runner = JobRunner(pool, results=results)
            running = asyncio.create_task(run(runner, in_turn([post(1), post(2)])))
            await until(lambda: x.calls.count("CreateTweet") == 2 and pool.waiting == 1)
            began = asyncio.get_running_loop().time()
            runner.stop()
            assert len(await running) == 1
            assert asyncio.get_running_loop().time() - began < 1, "nothing was in flight to wait for"
            assert runner.undone == 1
        with ResultsFile(tmp_path / "results.jsonl") as results:
            assert results.lost == 0
            assert results.outcomes() == {"ok": 1}


async def test_leaving_early_keeps_what_may_have_been_sent(
    open_pool: Open, in_turn: InTurn, tmp_path: Path
) -> None:
    async with Simulator(accounts=1) as x, open_pool(x) as pool:
        x.fault("hang", endpoint="CreateTweet")
        with ResultsFile(tmp_path / "results.jsonl") as results:
            running = asyncio.create_task(run(JobRunner(pool, results=results), in_turn([post(1)])))
            await until(lambda: bool(x.calls.count("CreateTweet")))
            running.cancel()
            await asyncio.wait([running])
            assert running.cancelled()
            assert results.outcomes() == {"ambiguous": 1}


async def test_results_that_cannot_be_kept_stop_the_run_before_more_is_sent(
    open_pool: Open, in_turn: InTurn, tmp_path: Path
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with Simulator(accounts=2) as x, open_pool(x) as pool:
        with ResultsFile(tmp_path / "results.jsonl") as results:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
            try:
                with pytest.raises(ResultsError):
                    await run(JobRunner(pool, results=results), in_turn(post(each) for each in range(500)))
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        sent = len(x.writes)
        assert 0 < sent < 400
        with ResultsFile(tmp_path / "results.jsonl") as results:
            kept = results.outcomes()
            await run(JobRunner(pool, results=results), in_turn(post(each) for each in range(30)))
        assert sent <= kept.total()
        keys = [write.key for write in x.writes]
        assert len(set(keys)) == len(keys)


async def test_a_pool_that_closes_ends_the_run(open_pool: Open, in_turn: InTurn) -> None:
    async with Simulator(accounts=1) as x, open_pool(x) as pool:
        await pool.shutdown()
        with pytest.raises(PoolClosed):
            await run(JobRunner(pool), in_turn([post(1)]))


async def test_a_pool_that_stops_ends_the_run_once_calls_in_flight_have_ended(
    open_pool: Open, in_turn: InTurn, tmp_path: Path
) -> None:
    for stop, error in (("emergency_stop", EmergencyStopped), ("shutdown", PoolClosed)):
        async with Simulator(accounts=2, latency=0.2, limits=False) as x, open_pool(x) as pool:
            path = tmp_path / f"{stop}.jsonl"
            with ResultsFile(path) as results:
                runner = JobRunner(pool, results=results)
                running = asyncio.create_task(run(runner, in_turn(post(each) for each in range(40))))
                await until(lambda: runner.sending == 2 and len(x.writes) >= 1)  # noqa: B023 - in this turn
                if stop == "shutdown":
                    await pool.shutdown(5)
                else:
                    pool.emergency_stop("a wrong link")
                with pytest.raises(error):
                    await running
                assert set(results.outcomes()) == {"ok"}
                assert results.outcomes().total() == len(x.writes) < 40
                assert runner.undone == 40 - len(x.writes)


async def test_a_run_that_was_stopped_before_it_began_takes_nothing(open_pool: Open, in_turn: InTurn) -> None:
    async with Simulator(accounts=1) as x, open_pool(x) as pool:
        runner = JobRunner(pool)
        runner.stop(grace=0.0)
        assert await run(runner, in_turn([post(1)])) == {}
        assert not x.writes


async def test_what_the_input_raises_ends_the_run(open_pool: Open) -> None:
    async def broken() -> AsyncIterator[Job | Rejected]:
        yield post(1)
        raise OSError("the input is gone")

    async with Simulator(accounts=1) as x, open_pool(x) as pool:
        with pytest.raises(OSError, match="the input is gone"):
            await run(JobRunner(pool), broken())


async def test_the_window_bounds_what_is_taken(open_pool: Open) -> None:
    taken = 0

    async def many() -> AsyncIterator[Job | Rejected]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield read(str(number)) if number % 2 else Rejected(line=number, error="no")

    async with Simulator(accounts=1) as x, open_pool(x) as pool:
        runner = JobRunner(pool, window=10)
        seen = 0
        async with aclosing(runner.run(many())) as ended:
            async for _ in ended:
                seen += 1
                assert taken <= seen + 11
                if seen == 30:
                    await asyncio.sleep(0.2)  # a reader that is slow: nothing piles up behind it
        assert seen == 100


async def test_a_summary_of_results(open_pool: Open, in_turn: InTurn) -> None:
    summary = Summary()
    jobs = [*(read(str(number)) for number in range(10)), read("gone", GetUser(handle="nobody_here"))]
    follow = Job(id="f", action=FollowUser(user_id="1000500001"), account="sim_002")
    async with Simulator(accounts=2) as x, open_pool(x) as pool:
        async for each in run_jobs(pool, in_turn([*jobs, follow]), allow_engagement=True):
            assert isinstance(each, JobResult)
            summary.add(each)
    assert (summary.actions["get_user"].jobs, summary.actions["get_user"].ok) == (11, 10)
    assert summary.actions["follow_user"].accounts == {"sim_002"}
    assert summary.accounts == {"sim_001", "sim_002"}
