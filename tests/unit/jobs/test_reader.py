from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import psutil
import pytest

from twikit_pool.jobs import Job, JobReader, Rejected, read_job
from twikit_pool.jobs.reader import LONGEST_LINE, SHOWN
from twikit_pool.pool import ConnectionPriority
from twikit_pool.sessions.actions import GetNotifications, LikeTweet

LIKE = '{"id": "a", "action": "like_tweet", "params": {"tweet_id": "20"}}'


async def read(content: bytes, tmp_path: Path, accounts: set[str] | None = None) -> list[Job | Rejected]:
    path = tmp_path / "jobs.jsonl"
    path.write_bytes(content)
    with path.open("rb") as file:
        return [each async for each in JobReader(file.fileno(), accounts=accounts)]


async def test_a_job_with_everything(tmp_path: Path) -> None:
    line = (
        '{"id": "a", "action": "like_tweet", "params": {"tweet_id": "20"}, "account": "brand", '
        '"priority": "high", "tags": ["x", "y"]}'
    )
    [job] = await read(line.encode(), tmp_path, accounts={"brand"})
    assert job == Job(
        id="a",
        line=1,
        action=LikeTweet(tweet_id="20"),
        account="brand",
        priority=ConnectionPriority.HIGH,
        tags=("x", "y"),
    )


async def test_only_the_action_is_required_and_the_id_is_the_line(tmp_path: Path) -> None:
    jobs = await read(
        b'\n{"action": "get_notifications"}\n\n{"action": "get_notifications", "id": 7}', tmp_path
    )
    assert [(job.id, job.line) for job in jobs] == [("line-2", 2), ("7", 4)]
    assert isinstance(jobs[0], Job)
    assert jobs[0].action == GetNotifications()
    assert jobs[0].priority is ConnectionPriority.NORMAL


async def test_ids_of_just_the_longest_length(tmp_path: Path) -> None:
    lines = [LIKE.replace('"a"', "9" * 200), LIKE.replace('"a"', '"' + "a" * 200 + '"')]
    jobs = await read("\n".join(lines).encode(), tmp_path)
    assert [(type(job), job.id) for job in jobs] == [(Job, "9" * 200), (Job, "a" * 200)]


async def test_both_halves_of_a_character(tmp_path: Path) -> None:
    [job] = await read(LIKE.replace('"a"', r'"\ud83d\ude00"').encode(), tmp_path)
    assert isinstance(job, Job)
    assert job.id == "\U0001f600"


async def test_windows_line_ends_and_a_byte_order_mark(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + LIKE.encode() + b"\r\n  \r\n" + LIKE.replace('"a"', '"b"').encode() + b"\r\n"
    assert [job.id for job in await read(content, tmp_path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("line", "job_id", "says"),
    [
        ("{", None, "not JSON"),
        ("hello", None, "not JSON"),
        ('{"action": "like_tweet"', None, "not JSON"),
        (b'{"id": "\xff", "action": "like_tweet"}', None, "not JSON"),
        ("[]", None, "object"),
        ("20", None, "object"),
        ('{"id": "a"}', "a", "action"),
        ('{"id": "a", "action": 5}', "a", "action"),
        ('{"id": "a", "action": "like_twet", "params": {}}', "a", "did you mean 'like_tweet'"),
        ('{"id": "a", "action": "favorite_tweet", "params": {}}', "a", "did you mean 'like_tweet'"),
        ('{"id": "a", "action": "like_tweet"}', "a", "missing parameter"),
        ('{"id": "a", "action": "like_tweet", "params": {"tweet_id": 20}}', "a", "tweet_id"),
        (
            '{"id": "a", "action": "like_tweet", "params": {"tweet_id": "20", "x": 1}}',
            "a",
            "unknown parameter",
        ),
        ('{"id": "a", "action": "like_tweet", "params": []}', "a", "params"),
        (LIKE.replace("}}", '}, "acount": "x"}'), "a", "acount"),
        (LIKE.replace("}}", '}, "account": "nobody"}'), "a", "no account 'nobody'"),
        (LIKE.replace("}}", '}, "priority": "urgent"}'), "a", "LOW, NORMAL, HIGH, CRITICAL, EMERGENCY"),
        (LIKE.replace("}}", '}, "priority": 6}'), "a", "1 to 5"),
        (LIKE.replace("}}", '}, "priority": true}'), "a", "priority"),
        (LIKE.replace("}}", '}, "tags": "x"}'), "a", "tags"),
        (LIKE.replace('"a"', '""'), "", "length"),
        (LIKE.replace('"a"', '"' + "a" * 201 + '"'), "a" * 201, "longer than 200 characters"),
        (LIKE.replace('"a"', "9" * 201), "9" * 201, "longer than 200 characters"),
        (LIKE.replace('"a"', "9" * 5000), None, "out of range"),
        (LIKE.replace("20", r"\ud83d"), None, "half a character"),
        (LIKE.replace("20", r"x\ude00 and more"), None, "half a character"),
        (LIKE.replace("20", r"\ud83d and more"), None, "half a character"),
        (LIKE.replace("20", r"\ud83d") + "}", None, "not JSON"),
        (
            '{"id": "a", "action": "get_user", "params": {"x": ' + "[" * 200_000 + "]" * 200_000 + "}}",
            None,
            "nested",
        ),
    ],
)
async def test_every_kind_of_bad_line_is_told_and_the_others_go_on(
    line: str | bytes, job_id: str | None, says: str, tmp_path: Path
) -> None:
    bad = line.encode() if isinstance(line, str) else line
    good = LIKE.replace('"a"', '"good"').encode()
    before, rejected, after = await read(b"\n".join([good, bad, good]), tmp_path, accounts={"brand"})
    assert isinstance(before, Job)
    assert isinstance(after, Job)
    assert after.line == 3
    assert isinstance(rejected, Rejected)
    assert rejected.line == 2
    assert rejected.id == job_id
    assert says in rejected.error
    assert bad.decode(errors="replace").startswith(rejected.text)
    assert len(rejected.text) == min(len(bad.decode(errors="replace")), SHOWN)


@pytest.mark.parametrize("newline", [b"", b"\n"])
async def test_a_line_that_is_too_long_is_rejected(newline: bytes, tmp_path: Path) -> None:
    long = LIKE.replace("20", "2" * LONGEST_LINE).encode()
    jobs = await read(LIKE.encode() + b"\n" + long + newline, tmp_path)
    assert [type(each) for each in jobs] == [Job, Rejected]
    assert isinstance(jobs[1], Rejected)
    assert "longer than 1,000,000 bytes" in jobs[1].error
    assert [type(each) for each in await read(long + b"\n" + LIKE.encode(), tmp_path)] == [Rejected, Job]


async def test_a_line_of_just_the_longest_length_is_read(tmp_path: Path) -> None:
    longest = LIKE.encode() + b" " * (LONGEST_LINE - len(LIKE))
    assert [type(each) for each in await read(longest + b"\n" + longest, tmp_path)] == [Job, Job]


async def test_lines_split_anywhere_arrive_whole_through_a_pipe() -> None:
    content = b"".join(LIKE.replace('"a"', f'"{number}"').encode() + b"\n" for number in range(40))
    receive, send = os.pipe()

    async def feed() -> None:
        for start in range(0, len(content), 7):
            os.write(send, content[start : start + 7])
            await asyncio.sleep(0)
        os.close(send)

    async with asyncio.TaskGroup() as group:
        group.create_task(feed())
        reader = JobReader(receive)
        ids = [each.id async for each in reader]
    os.close(receive)
    assert ids == [str(number) for number in range(40)]
    assert reader.size is None
    assert reader.ended


async def test_waiting_for_a_pipe_leaves_the_loop_free_and_can_be_cancelled() -> None:
    receive, send = os.pipe()

    async def first() -> Job | Rejected:
        return await anext(aiter(JobReader(receive)))

    waiting = asyncio.create_task(first())
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait([waiting], timeout=1)
    assert waiting.cancelled()
    os.close(send)
    os.close(receive)


async def test_the_digest_tells_jobs_apart_by_what_they_do() -> None:
    def digest(line: str) -> bytes:
        job = read_job(line.encode(), 1)
        assert isinstance(job, Job)
        return job.digest

    assert digest(LIKE) == digest(LIKE.replace(": ", ":   "))
    assert digest(LIKE) == digest(LIKE.replace("}}", '}, "tags": ["x"]}'))
    for other in (
        LIKE.replace("20", "21"),
        LIKE.replace("like_", "unlike_"),
        LIKE.replace("}}", '}, "account": "b"}'),
    ):
        assert digest(other) != digest(LIKE)


async def test_memory_does_not_grow_with_the_number_of_lines() -> None:
    receive, send = os.pipe()
    lines = (LIKE + "\n" + json.dumps({"action": "nope", "params": {"x": "y" * 200}}) + "\n") * 100
    written = 0

    def write_much() -> None:
        nonlocal written
        for _ in range(1000):
            os.write(send, lines.encode())
            written += 200
        os.close(send)

    process = psutil.Process()
    read_so_far, rss = 0, {}
    writing = asyncio.create_task(asyncio.to_thread(write_much))
    async for _ in JobReader(receive):
        read_so_far += 1
        if read_so_far in (20_000, 200_000):
            rss[read_so_far] = process.memory_info().rss
    await writing
    os.close(receive)
    assert read_so_far == written == 200_000
    assert rss[200_000] - rss[20_000] < 4_000_000
