"""The results file and its journal, with the process dying after each step.

A death is made by copying both files, the journal's write-ahead log included, while they are in use.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from twikit_pool.errors import JobIdTaken, ResultsError
from twikit_pool.jobs import Job, JobResult, Rejected, RejectsFile, ResultsFile
from twikit_pool.sessions.actions import GetUser, LikeTweet

Die = Callable[[ResultsFile], Path]


def write(job_id: str = "w", tweet: str = "20", line: int = 1) -> Job:
    return Job(id=job_id, line=line, action=LikeTweet(tweet_id=tweet), account="brand", tags=("spring",))


def read(job_id: str = "r") -> Job:
    return Job(id=job_id, line=2, action=GetUser(handle="x"))


def ok(job: Job) -> JobResult:
    return JobResult(
        id=job.id, line=job.line, action=job.action.name, outcome="ok", attempts=1, result={"n": 1}
    )


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def die(tmp_path: Path) -> Die:
    """Leave the files as a kill would leave them now; returns where the results are."""
    deaths = count(1)

    def leave(results: ResultsFile) -> Path:
        folder = tmp_path / f"death-{next(deaths)}"
        folder.mkdir()
        for path in results.path.parent.glob(f"{results.path.name}*"):
            shutil.copy(path, folder)
        return folder / results.path.name

    return leave


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out" / "results.jsonl"


def test_what_is_finished_stays_finished(path: Path) -> None:
    with ResultsFile(path) as results:
        assert not results.has(write())
        results.intend(write(), "brand")
        results.finish(write(), ok(write()))
        results.finish(read(), ok(read()))
    with ResultsFile(path) as results:
        assert results.has(write())
        assert results.has(read())
        assert results.outcomes() == {"ok": 2}
        assert results.lost == 0
    assert [line["id"] for line in lines_of(path)] == ["w", "r"]


def test_dying_before_the_intent_leaves_the_job_to_be_run(path: Path, die: Die) -> None:
    with ResultsFile(path) as results:
        left = die(results)
    with ResultsFile(left) as results:
        assert not results.has(write())
        assert results.lost == 0


def test_dying_after_the_intent_makes_the_write_ambiguous_once(path: Path, die: Die) -> None:
    with ResultsFile(path) as results:
        results.intend(write(line=7), "brand")
        left = die(results)
    for lost in (1, 0, 0):
        with ResultsFile(left) as results:
            assert results.lost == lost
            assert results.has(write())
    [line] = lines_of(left)
    assert line.pop("error")["taken"] == "unknown"
    assert line == {
        "id": "w",
        "line": 7,
        "action": "like_tweet",
        "outcome": "ambiguous",
        "account": "brand",
        "tags": ["spring"],
    }


def test_dying_after_a_withdrawn_intent_leaves_the_job_to_be_run(path: Path, die: Die) -> None:
    with ResultsFile(path) as results:
        results.intend(write(), "brand")
        results.withdraw(write())
        left = die(results)
    with ResultsFile(left) as results:
        assert not results.has(write())


@pytest.mark.parametrize("job", [write(), read()], ids=["write", "read"])
def test_dying_anywhere_in_the_result_line(path: Path, die: Die, job: Job) -> None:
    line = msgspec.json.encode(ok(job)) + b"\n"
    with ResultsFile(path) as results:
        before = Job(id="before", line=0, action=GetUser(handle="x"))
        results.finish(before, ok(before))
        if job.action.writes:
            results.intend(job, "brand")
        lefts = [(die(results), length) for length in (*range(0, len(line), 9), len(line) - 1, len(line))]
    for left, length in lefts:
        with left.open("ab") as file:
            file.write(line[:length])
        with ResultsFile(left) as results:
            done = job.action.writes or length == len(line)
            assert results.has(job) is done
            if not done:
                results.finish(job, ok(job))
        whole = length == len(line) or not job.action.writes
        assert [(each["id"], each["outcome"]) for each in lines_of(left)] == [
            ("before", "ok"),
            (job.id, "ok" if whole else "ambiguous"),
        ]


def test_dying_after_the_mark_changes_nothing(path: Path, die: Die) -> None:
    with ResultsFile(path) as results:
        results.intend(write(), "brand")
        results.finish(write(), ok(write()))
        left = die(results)
    with ResultsFile(left) as results:
        assert results.has(write())
    assert [line["outcome"] for line in lines_of(left)] == ["ok"]


def test_dying_while_settling_what_an_earlier_death_left(path: Path, die: Die) -> None:
    with ResultsFile(path) as results:
        for number in range(3):
            results.intend(write(f"w{number}", line=number), "brand")
        lefts = [die(results) for _ in range(4)]
    with ResultsFile(path):
        ambiguous = path.read_bytes().splitlines(keepends=True)
    for reached, left in enumerate(lefts):  # so many whole lines, and the beginning of another
        left.write_bytes(b"".join(ambiguous[:reached]) + b"".join(ambiguous[reached:])[:20])
        with ResultsFile(left) as results:
            assert results.lost == 3 - reached
        assert left.read_bytes().splitlines(keepends=True) == ambiguous


def test_an_id_may_be_used_once_in_a_run(path: Path) -> None:
    with ResultsFile(path) as results:
        results.finish(write(line=1), ok(write(line=1)))
        with pytest.raises(JobIdTaken, match="'w' is used on line 1 already"):
            results.has(write(line=9))
    with ResultsFile(path) as results:
        assert results.has(write(line=1))
        with pytest.raises(JobIdTaken, match="line 1 already"):
            results.has(write(line=9))


def test_another_job_with_a_known_id_is_told_and_not_skipped(path: Path, die: Die) -> None:
    with ResultsFile(path) as results:
        results.finish(write(), ok(write()))
        results.intend(write("lost"), "brand")
        left = die(results)
    with ResultsFile(left) as results:
        for job_id in ("w", "lost"):
            with pytest.raises(JobIdTaken, match="the jobs file has changed"):
                results.has(write(job_id, tweet="21"))
        assert results.has(write(line=5))  # lines above it were added: still the same job


def test_two_runs_cannot_share_a_results_file(path: Path) -> None:
    with ResultsFile(path), pytest.raises(ResultsError, match="another run is using"):
        ResultsFile(path)
    with ResultsFile(path):
        pass


def test_results_without_their_journal_are_refused(path: Path) -> None:
    with ResultsFile(path) as results:
        results.finish(read(), ok(read()))
        journal = results.journal_path
    journal.unlink()
    with pytest.raises(ResultsError, match="no journal"):
        ResultsFile(path)
    assert len(lines_of(path)) == 1


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: os.truncate(path, 10)], ids=["gone", "cut"])
def test_a_journal_without_its_results_is_refused(path: Path, spoil: Callable[[Path], None]) -> None:
    with ResultsFile(path) as results:
        results.finish(read(), ok(read()))
    spoil(path)
    with pytest.raises(ResultsError, match="shorter than its journal"):
        ResultsFile(path)


def test_a_foreign_line_is_refused(path: Path) -> None:
    with ResultsFile(path):
        pass
    path.write_text("hello\n")
    with pytest.raises(ResultsError, match="no run wrote"):
        ResultsFile(path)


def test_a_damaged_or_newer_journal_is_refused(path: Path) -> None:
    with ResultsFile(path) as results:
        journal = results.journal_path
    database = sqlite3.connect(journal)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(ResultsError, match="newer version"):
        ResultsFile(path)
    journal.write_bytes(b"not a database at all" * 100)
    with pytest.raises(ResultsError, match="damaged"):
        ResultsFile(path)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="cannot be"):
        ResultsFile(tmp_path / "file" / "results.jsonl")


def test_a_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="no ordinary file"):
        ResultsFile(tmp_path)
    with pytest.raises(ResultsError, match="no ordinary file"):
        ResultsFile(Path(os.devnull))


@pytest.fixture
def small_files() -> Iterator[None]:
    """The system refuses to let a file grow beyond 100 kB, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_and_leaves_no_half_line(path: Path, small_files: None) -> None:
    large = msgspec.structs.replace(ok(read()), result="x" * 60_000)
    with ResultsFile(path) as results:
        results.finish(read(), large)
        with pytest.raises(ResultsError, match="only part of a line"):
            results.finish(read("second"), large)
        assert [line["id"] for line in lines_of(path)] == ["r"], "half a line stays"
        results.finish(read("small"), ok(read("small")))
    with ResultsFile(path) as results:
        assert not results.has(read("second"))
        results.finish(read("second"), ok(read("second")))
    assert [line["id"] for line in lines_of(path)] == ["r", "small", "second"]


def test_files_are_for_their_owner_alone(path: Path) -> None:
    with ResultsFile(path) as results, RejectsFile(path.with_name("rejects.jsonl")) as rejects:
        results.finish(read(), ok(read()))
        rejects.add(Rejected(line=1, error="no"))
        for made in path.parent.iterdir():
            assert stat.S_IMODE(made.stat().st_mode) == 0o600, made
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_marks_of_what_was_read_do_not_delay_an_intent(path: Path, die: Die) -> None:
    with ResultsFile(path) as results:
        for number in range(5):
            results.finish(read(f"r{number}"), ok(read(f"r{number}")))
    with ResultsFile(path) as results:
        assert all(results.has(read(f"r{number}")) for number in range(5))
        results.intend(write(), "brand")
        left = die(results)
    with ResultsFile(left) as results:
        assert results.lost == 1


def test_rejects_begin_anew_and_there_is_no_file_without_any(tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    with RejectsFile(path) as rejects:
        rejects.add(Rejected(line=3, id="a", error="no such action", text="{"))
        rejects.add(Rejected(line=4, error="no"))
        assert rejects.count == 2
    assert lines_of(path) == [
        {"line": 3, "id": "a", "error": "no such action", "text": "{"},
        {"line": 4, "error": "no"},
    ]
    with RejectsFile(path):
        pass
    assert not path.exists()
