"""Jobs over HTTP: batches that are submitted, followed, cancelled, and kept."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.service.leaving import crash, descriptors, quiet, reading, sent, until
from tests.integration.service.served import served
from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.errors import ConfigError, PoolError
from twikit_pool.service.batch_input import GivenJobs
from twikit_pool.service.batches import Batches
from twikit_pool.service.sections import JobSettings
from twikit_pool.service.tokens import Scope

JOBS = "/v1/pools/default/jobs"
LINES = {"Content-Type": "application/x-ndjson"}


def post(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"post-{number}", "action": "post_tweet", "params": {"content": f"Post {number}"}, **more}


def posts(number: int, **more: Any) -> list[dict[str, Any]]:
    return [post(each, **more) for each in range(number)]


async def submit(http: httpx.AsyncClient, jobs: Sequence[Any], **headers: str) -> str:
    """The path of a batch."""
    answer = await http.post(JOBS, json=jobs, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"{JOBS}/{answer.json()['id']}"
    return answer.headers["location"]


async def state_of(http: httpx.AsyncClient, path: str) -> str:
    return (await http.get(path)).json()["state"]


async def ended(http: httpx.AsyncClient, path: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while (told := (await http.get(path)).json())["state"] in ("running", "stopping"):  # noqa: ASYNC110 - over HTTP
            await asyncio.sleep(0.02)
    return told


async def streamed(http: httpx.AsyncClient, path: str, after: int = 0) -> list[dict[str, Any]]:
    async with http.stream("GET", f"{path}/results/stream?after={after}") as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/x-ndjson"
        return [json.loads(line) async for line in answer.aiter_lines() if line]


async def test_a_batch_is_carried_out_and_its_results_are_kept(tmp_path: Path) -> None:
    jobs = [
        *posts(8),
        {"action": "get_user", "params": {"handle": "sim_001"}, "account": "sim_002", "tags": ["a", "b"]},
        {"action": "get_user", "params": {"handle": "nobody_here"}, "priority": "HIGH"},
    ]
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        path = await submit(http, jobs)
        results = {each["id"]: each for each in await streamed(http, path)}
        told = await ended(http, path)
        assert told["state"] == "done"
        assert told["counts"] == {
            "outcomes": {"ok": 9, "caller_fault": 1},
            "ended": 10,
            "running": 0,
            "waiting": 0,
            "undone": 0,
            "rejected": 0,
        }
        assert told["ended"] > told["began"]
        assert len(results) == 10
        assert (results["line-9"]["account"], results["line-9"]["tags"]) == ("sim_002", ["a", "b"])
        assert results["line-9"]["result"]["handle"] == "sim_001"
        assert results["line-10"]["error"]["reason"]
        assert sorted(each["number"] for each in results.values()) == list(range(1, 11))
        assert Counter(write.key for write in daemon.x.writes) == Counter(f"Post {n}" for n in range(8))
        page = (await http.get(f"{path}/results?after=3&limit=4")).json()
        assert [each["number"] for each in page["items"]] == [4, 5, 6, 7]
        assert (page["next"], page["total"], page["over"]) == (7, 10, True)
        assert (await http.get(f"{path}/results?after=10")).json()["items"] == []
        listed = (await http.get(f"{JOBS}?state=done")).json()
        assert (listed["total"], listed["items"][0]["id"]) == (1, told["id"])
        assert (await http.get(f"{JOBS}?state=failed")).json()["total"] == 0
        assert (await http.delete(path)).status_code == 204
        assert (await http.get(path)).status_code == 404
        assert not [each for each in (tmp_path / "jobs").iterdir() if each.is_dir()]


async def test_lines_of_json_are_the_same(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        lines = "\n".join([json.dumps(post(1)), "", json.dumps({**post(2), "id": None}), ""])
        answer = await http.post(f"{JOBS}?name=spring&timeout=20", content=lines, headers=LINES)
        assert answer.status_code == 202
        assert answer.json()["name"] == "spring"
        results = await streamed(http, answer.headers["location"])
        assert {(each["id"], each["line"]) for each in results} == {("post-1", 1), ("line-3", 3)}


@pytest.mark.parametrize("as_lines", [False, True])
async def test_one_wrong_job_refuses_all_of_them(tmp_path: Path, as_lines: bool) -> None:
    jobs = [
        post(1),
        {"action": "post_twet", "params": {}},
        {**post(3), "account": "nobody"},
        {**post(4), "priority": "URGENT"},
        {"id": "post-1", "action": "get_user", "params": {"handle": "x"}},
        {"action": "like_tweet", "params": {"tweet_id": "20"}},
        {"action": "post_tweet", "params": {"media": ["/etc/passwd"]}},
        {**post(8), "whom": "me"},
    ]
    body = "\n".join(json.dumps(each) for each in jobs) if as_lines else json.dumps(jobs)
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        refused = await http.post(JOBS, headers=LINES if as_lines else {}, content=body)
        assert refused.status_code == 422
        problem = refused.json()
        assert problem["detail"] == "7 of 8 jobs cannot be run; nothing was started"
        assert [each["line"] for each in problem["errors"]] == ["2", "3", "4", "5", "6", "7", "8"]
        for error, says in zip(
            problem["errors"],
            ("did you mean", "no account 'nobody'", "priority", "line 1 already", "is off", "URL", "whom"),
            strict=True,
        ):
            assert says in error["error"]
        assert (await http.get(JOBS)).json()["total"] == 0
        assert not daemon.x.writes


async def test_what_is_no_list_of_jobs_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path, jobs=JobSettings(max_jobs=3)) as daemon, daemon.client(Scope.EXECUTE) as http:
        for body, status in (
            ("{}", 400),
            ("[", 400),
            ("", 400),
            ("[]", 422),
            ("[1]", 422),
            ("[" * 5000, 400),
        ):
            assert (await http.post(JOBS, content=body)).status_code == status, body
        assert "3 jobs at most" in (await http.post(JOBS, json=posts(4))).json()["detail"]
        assert (await http.post("/v1/pools/news/jobs", json=posts(1))).status_code == 404
        assert (await http.get("/v1/pools/news/jobs")).status_code == 404
        for path in ("", "/results", "/results/stream"):
            assert (await http.get(f"{JOBS}/none{path}")).status_code == 404
        assert (await http.get(f"{JOBS}/none/results?after=-1")).status_code == 422


async def test_the_same_key_is_the_same_batch(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        key = {"Idempotency-Key": "spring"}
        first, second = await asyncio.gather(
            *[http.post(JOBS, json=posts(300), headers=key) for _ in range(2)]
        )
        assert first.json()["id"] == second.json()["id"]
        assert [each.headers.get("idempotency-replayed") for each in (first, second)].count("true") == 1
        other = await http.post(JOBS, json=posts(2), headers=key)
        assert (other.status_code, other.json()["title"]) == (422, "the input is wrong")
        async with daemon.client(Scope.ADMIN) as somebody:  # whose keys are its own
            theirs = await somebody.post(JOBS, json=[post(900)], headers=key)
        assert theirs.json()["id"] != first.json()["id"]
        assert (
            await http.post(JOBS, json=posts(1), headers={"Idempotency-Key": "x" * 201})
        ).status_code == 422
        await http.post(first.headers["location"] + "/cancel")


async def test_a_stream_goes_on_after_the_last_number(tmp_path: Path) -> None:
    async with served(tmp_path, latency=0.02) as daemon, daemon.client(Scope.EXECUTE) as http:
        path = await submit(http, posts(40))
        seen: list[int] = []
        while len(seen) < 40:
            async with http.stream("GET", f"{path}/results/stream?after={len(seen)}") as answer:
                async for line in answer.aiter_lines():
                    seen.append(json.loads(line)["number"])
                    if not len(seen) % 7:
                        break  # the connection is closed in the midst of the answer
        assert seen == list(range(1, 41))
        assert await streamed(http, path, after=40) == []


async def test_many_read_one_batch(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        path = await submit(http, posts(60))
        read = await asyncio.gather(*[streamed(http, path, after) for after in (0, 0, 0, 30, 59)])
        assert [len(each) for each in read] == [60, 60, 60, 30, 1]


# ---------------------------------------------------------------- cancelling


async def test_cancelling_lets_calls_in_flight_end_and_the_rest_can_be_resumed(tmp_path: Path) -> None:
    async with served(tmp_path, latency=0.1) as daemon, daemon.client(Scope.EXECUTE) as http:
        path = await submit(http, posts(60))
        await until(lambda: len(daemon.x.writes) >= 4)
        told = (await http.post(f"{path}/cancel")).json()
        assert told["state"] == "stopping"
        assert (await http.delete(path)).status_code == 409
        assert (await http.post(f"{path}/resume")).status_code == 409
        told = await ended(http, path)
        counts = told["counts"]
        assert told["state"] == "stopped"
        assert counts["outcomes"] == {"ok": len(daemon.x.writes)}
        assert counts["undone"] == 60 - counts["ended"] > 0
        assert len(await streamed(http, path)) == counts["ended"]
        assert (await http.post(f"{path}/cancel")).json()["state"] == "stopped", "it is harmless"
        resumed = (await http.post(f"{path}/resume")).json()
        assert (resumed["state"], resumed["ended"]) == ("running", None)
        assert len(await streamed(http, path)) == 60
        assert (await ended(http, path))["counts"]["outcomes"] == {"ok": 60}
        assert Counter(write.key for write in daemon.x.writes) == Counter(f"Post {n}" for n in range(60))
        assert (await http.post(f"{path}/resume")).status_code == 409, "it is done"


async def test_calls_that_take_longer_than_the_grace_are_ambiguous(tmp_path: Path) -> None:
    async with (
        served(tmp_path, jobs=JobSettings(grace=0.3), accounts=1) as daemon,
        daemon.client(Scope.EXECUTE) as http,
    ):
        daemon.x.fault("slow", seconds=20, endpoint="CreateTweet")
        path = await submit(http, posts(3))
        async with asyncio.timeout(10):
            while not (await http.get(path)).json()["counts"]["running"]:  # noqa: ASYNC110 - over HTTP
                await asyncio.sleep(0.02)
        await http.post(f"{path}/cancel")
        told = await ended(http, path)
        assert (told["state"], told["counts"]["outcomes"]) == ("stopped", {"ambiguous": 1})
        [result] = await streamed(http, path)
        assert (result["account"], result["error"]["taken"]) == ("sim_001", "unknown")


async def test_a_connection_that_is_taken_back_costs_one_job_and_no_more(tmp_path: Path) -> None:
    async with served(tmp_path, accounts=2) as daemon, daemon.client(Scope.OPERATE) as http:
        search = {"id": "search", "action": "search_tweet", "params": {"query": "x"}, "account": "sim_002"}
        slow = post(0, account="sim_001")
        for endpoint in ("CreateTweet", "SearchTimeline"):
            daemon.x.fault("slow", seconds=20, endpoint=endpoint, times=1)
        path = await submit(http, [slow, search, *(post(n, account="sim_001") for n in range(1, 10))])
        async with asyncio.timeout(10):
            while (await http.get(path)).json()["counts"]["running"] < 2:  # noqa: ASYNC110 - over HTTP
                await asyncio.sleep(0.02)
        for connection in ("sim_001%231", "sim_002%231"):
            taken = await http.post(f"/v1/pools/default/connections/{connection}/release")
            assert taken.status_code == 200, taken.text
        told = await ended(http, path)
        assert told["state"] == "done"
        outcomes = told["counts"]["outcomes"]
        assert outcomes.pop("ambiguous") == 1
        assert outcomes in ({"ok": 10}, {"ok": 9, "transient": 1}), "a read may be tried again"


async def test_an_emergency_stop_fails_a_batch_and_somebody_lets_it_go_on(tmp_path: Path) -> None:
    async with served(tmp_path, latency=0.05) as daemon, daemon.client(Scope.OPERATE) as http:
        path = await submit(http, posts(40))
        await until(lambda: len(daemon.x.writes) >= 3)
        stop = {"reason": "a wrong link", "pause": 60}
        assert (await http.post("/v1/pools/default/emergency-stop", json=stop)).status_code == 200
        told = await ended(http, path)
        assert told["state"] == "failed"
        assert "a wrong link" in told["reason"]
        assert "ambiguous" not in told["counts"]["outcomes"], "what was in flight has ended"
        await http.post("/v1/pools/default/resume")
        await http.post(f"{path}/resume")
        assert (await ended(http, path))["counts"]["outcomes"] == {"ok": 40}
        assert set(Counter(write.key for write in daemon.x.writes).values()) == {1}


async def test_a_pool_that_is_removed_fails_its_batches_and_their_results_stay(tmp_path: Path) -> None:
    async with served(tmp_path, latency=0.05) as daemon, daemon.client(Scope.ADMIN) as http:
        path = await submit(http, posts(40))
        await until(lambda: len(daemon.x.writes) >= 3)
        assert (await http.delete("/v1/pools/default?grace=5")).status_code == 204
        told = await ended(http, path)
        assert told["state"] == "failed"
        assert set(told["counts"]["outcomes"]) == {"ok"}
        assert len(await streamed(http, path)) == told["counts"]["ended"]
        assert (await http.get(JOBS)).json()["total"] == 1
        await http.post(f"{path}/resume")
        assert "default" in (await ended(http, path))["reason"], "there is no such pool"


async def test_jobs_wait_for_as_long_as_it_takes_unless_they_say_how_long(tmp_path: Path) -> None:
    config = ConnectionPoolConfig(acquire_timeout=0.2)
    async with served(tmp_path, config, accounts=1) as daemon, daemon.client(Scope.EXECUTE) as http:
        async with daemon.service.pool("default").acquire():
            patient, hasty = await submit(http, [post(1)]), ""
            answer = await http.post(f"{JOBS}?timeout=0.1", json=[post(2)])
            hasty = answer.headers["location"]
            assert (await ended(http, hasty))["counts"]["outcomes"] == {"timeout": 1}
            await asyncio.sleep(0.3)
            assert await state_of(http, patient) == "running"
        assert (await ended(http, patient))["counts"]["outcomes"] == {"ok": 1}


# ---------------------------------------------------------------- bounds


async def test_so_many_batches_run_and_so_many_are_kept(tmp_path: Path) -> None:
    settings = JobSettings(max_batches=1, max_kept=2)
    async with served(tmp_path, jobs=settings) as daemon, daemon.client(Scope.EXECUTE) as http:
        daemon.service.pool("default").suspend()
        running = await submit(http, [post(0)])
        refused = await http.post(JOBS, json=[post(1)])
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "jobs.max_batches" in refused.json()["detail"]
        daemon.service.pool("default").resume()
        await ended(http, running)
        paths = [running]
        for number in range(1, 5):
            paths.append(await submit(http, [post(number)]))
            await ended(http, paths[-1])
        kept = [each["id"] for each in (await http.get(JOBS)).json()["items"]]
        assert [f"{JOBS}/{each}" for each in kept] == [paths[4], paths[3], paths[2]], "two, and the latest"


async def test_one_that_ended_long_ago_goes(tmp_path: Path) -> None:
    async with (
        served(tmp_path, jobs=JobSettings(keep_for=0.5)) as daemon,
        daemon.client(Scope.EXECUTE) as http,
    ):
        first = await submit(http, [post(1)])
        await ended(http, first)
        await asyncio.sleep(0.6)
        await submit(http, [post(2)])
        assert (await http.get(first)).status_code == 404


async def test_likes_are_run_where_that_is_allowed(tmp_path: Path) -> None:
    like = {"action": "follow_user", "params": {"user_id": "1000000002"}, "account": "sim_001"}
    async with (
        served(tmp_path, jobs=JobSettings(allow_engagement=True)) as daemon,
        daemon.client(Scope.EXECUTE) as http,
    ):
        assert (await ended(http, await submit(http, [like])))["counts"]["outcomes"] == {"ok": 1}


async def test_without_a_folder_none_are_taken_and_a_folder_is_one_services(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon:
        service = daemon.service
        homeless = Batches(JobSettings(), service.manager, service.sessions.clock)
        async with homeless:
            with pytest.raises(PoolError, match=r"jobs\.folder"):
                homeless.submit("default", GivenJobs(lines=b"{}", count=1))
        with pytest.raises(ConfigError, match="another service"):
            async with Batches(service.batches.settings, service.manager, service.sessions.clock):
                pass


async def test_what_is_no_batch_is_left_alone_and_half_of_one_is_swept_away(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    for name, text in ((".new-1", "{}"), ("strange", "{}"), ("moved", '{"id":"x"')):
        (folder / name).mkdir(parents=True)
        (folder / name / "batch.json").write_text(text)
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        assert (await http.get(JOBS)).json()["total"] == 0
        await ended(http, await submit(http, [post(1)]))
    assert sorted(each.name for each in folder.iterdir() if not each.name.startswith("2")) == [
        "lock",
        "moved",
        "strange",
    ]


async def test_a_folder_that_cannot_be_written_refuses_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("twikit_pool.service.batch_record.create_private", full)
        refused = await http.post(JOBS, json=[post(1)])
        assert (refused.status_code, refused.json()["title"]) == (503, "results cannot be kept")
        assert "No space left" in refused.json()["detail"]
        assert (await http.get(JOBS)).json()["total"] == 0


# ---------------------------------------------------------------- telling


async def test_batches_are_told_of(tmp_path: Path) -> None:
    async with served(tmp_path, latency=0.05) as daemon, daemon.client(Scope.EXECUTE) as http:
        with daemon.service.hub.subscribe(["jobs"]) as reader:
            path = await submit(http, posts(60))
            told = await ended(http, path)
            await asyncio.sleep(0.1)
            messages = []
            while (text := reader.take_now()) is not None:
                messages.append(json.loads(text))
    _, begun, *progress, over = messages
    assert (begun["type"], begun["batch_id"], begun["jobs"]) == ("batch_begun", told["id"], 60)
    assert {each["type"] for each in progress} == {"batch_progress"}
    moments = [datetime.fromisoformat(each["at"]).timestamp() for each in progress]
    assert all(later - earlier > 0.9 for earlier, later in pairwise(moments))
    for each in progress:
        assert each["ended"] + each["running"] + each["waiting"] == 60
    assert (over["type"], over["state"], over["outcomes"]) == ("batch_ended", "done", {"ok": 60})


# ---------------------------------------------------------------- clients who break off


@pytest.mark.parametrize("delay", [0.0, 0.003, 0.05, 0.3])
async def test_readers_who_break_off_leave_nothing_behind(tmp_path: Path, delay: float) -> None:
    async with served(tmp_path, latency=0.02) as daemon, daemon.client(Scope.EXECUTE) as http:
        pool = daemon.service.pool("default")
        async with pool.acquire() as connection:
            await connection.execute("get_user", handle="sim_001")
        pool.suspend()
        path = await submit(http, posts(30))
        await asyncio.sleep(0.05)
        before, tasks = descriptors(), len(asyncio.all_tasks())
        readers = [await sent(daemon, reading(daemon, f"{path}/results/stream")) for _ in range(8)]
        pool.resume()
        await asyncio.sleep(delay)
        for raw in readers:
            crash(raw)
        assert len(await streamed(http, path)) == 30, "nobody else is the worse for it"
        await until(lambda: len(asyncio.all_tasks()) <= tasks)
        await quiet(daemon, before + 2)


async def test_who_never_reads_holds_nobody_up(tmp_path: Path) -> None:
    jobs = [{"action": "search_tweet", "params": {"query": "the", "count": 20}} for _ in range(60)]
    async with served(tmp_path, posts=2_000, limits=False) as daemon, daemon.client(Scope.EXECUTE) as http:
        path = await submit(http, jobs)
        idle = await sent(daemon, reading(daemon, f"{path}/results/stream"))
        assert len(await streamed(http, path)) == 60
        assert (await ended(http, path))["state"] == "done"
        crash(idle)


async def test_the_service_ends_with_readers_and_batches_under_way(tmp_path: Path) -> None:
    began = asyncio.get_running_loop().time()
    async with served(tmp_path, latency=0.05) as daemon, daemon.client(Scope.EXECUTE) as http:
        path = await submit(http, posts(500))
        reader = asyncio.create_task(streamed(http, path))
        await until(lambda: len(daemon.x.writes) >= 3)
        await daemon.service.batches.end(5)
        results = await reader
        assert 0 < len(results) < 500
        assert {each["outcome"] for each in results} == {"ok"}
        assert await state_of(http, path) == "running", "it goes on when the service is back"
        refused = await http.post(JOBS, json=[post(1)])
        assert (refused.status_code, refused.json()["title"]) == (503, "the pool does not serve")
    assert asyncio.get_running_loop().time() - began < 20
