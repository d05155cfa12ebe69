"""Reading a results file by number."""

from __future__ import annotations

import json
import random
from pathlib import Path

from twikit_pool.jobs.result_lines import STRIDE, ResultLines


def line(number: int, size: int = 3) -> bytes:
    return json.dumps({"id": f"job-{number}", "text": "x" * size}).encode() + b"\n"


def numbers(found: list[bytes]) -> list[int]:
    decoded = [json.loads(each) for each in found]
    assert [each["id"] for each in decoded] == [f"job-{each['number']}" for each in decoded]
    return [each["number"] for each in decoded]


def test_any_part_is_found_in_any_order(tmp_path: Path) -> None:
    chance, path, count = random.Random(1), tmp_path / "results.jsonl", 3 * STRIDE + 17
    path.write_bytes(b"".join(line(n, chance.randrange(50)) for n in range(1, count + 1)))
    lines = ResultLines(path)
    for _ in range(60):
        after, limit = chance.randrange(count + 20), chance.randrange(1, 400)
        expected = list(range(after + 1, min(after + limit, count) + 1))
        assert numbers(lines.after(after).read(limit)) == expected
    assert len(lines.marks) == 4
    reader, read = lines.after(0), []
    while found := reader.read(100):
        read += numbers(found)
    assert read == list(range(1, count + 1))


def test_a_reader_goes_on_while_the_file_grows(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    reader = ResultLines(path).after(0)
    late = ResultLines(path).after(2)
    assert reader.read(10) == []
    with path.open("ab", buffering=0) as file:
        file.write(line(1) + line(2)[:5])
        assert numbers(reader.read(10)) == [1]
        assert reader.read(10) == []
        assert late.read(10) == []
        file.write(line(2)[5:] + line(3))
    assert numbers(reader.read(10)) == [2, 3]
    assert numbers(late.read(10)) == [3]
    assert reader.number == 3


def test_long_lines_come_a_few_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b"".join(line(n, 1_000) for n in range(1, 11)))
    reader = ResultLines(path).after(0)
    assert numbers(reader.read(100, most_bytes=2_500)) == [1, 2, 3]
    assert numbers(reader.read(100, most_bytes=1)) == [4], "one at least"
