"""What opening a session costs, against a plain `twikit.Client()`: CPU and memory.

Each side opens 1,000 in a process of its own, so that resident memory is theirs alone, in turns; the
figures are medians. Then 10,000 opened sessions in one process, and what 400 keep after their first call
against a home page of X's size.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

import msgspec

from benchmarks import Bar, Report
from benchmarks._session_worker import Costs

EACH = 1_000
MANY = 10_000
USED = 400
TURNS = 3


def run() -> Report:
    plains: list[Costs] = []
    sessions: list[Costs] = []
    for _ in range(TURNS):
        plains.append(_side("plain", EACH))
        sessions.append(_side("session", EACH))
    plain, session = _median(plains), _median(sessions)
    many = _side("session", MANY)
    used = _side("used", USED)
    cpu_share = plain.cpu / session.cpu
    memory_share = plain.gained / session.gained
    return Report(
        figures={
            "plain Client(), CPU ms each": plain.cpu / EACH * 1e3,
            "session, CPU ms each": session.cpu / EACH * 1e3,
            "plain Client(), KB each": plain.gained / EACH / 1e3,
            "session, KB each": session.gained / EACH / 1e3,
            "10,000 sessions, KB each": many.gained / MANY / 1e3,
            "used session, KB kept after its first call": used.gained / USED / 1e3,
            "used session, first call CPU ms": used.cpu / USED * 1e3,
        },
        bars=[
            Bar("times less CPU than a plain client", cpu_share, 200, "higher"),
            Bar("times less memory than a plain client", memory_share, 100, "higher"),
            Bar("10,000 opened sessions, MB resident in all", many.resident / 1e6, 300, "lower"),
            Bar("KB kept by a used session", used.gained / USED / 1e3, 60, "lower"),
        ],
    )


def _median(costs: list[Costs]) -> Costs:
    return Costs(
        cpu=statistics.median(each.cpu for each in costs),
        gained=int(statistics.median(each.gained for each in costs)),
        resident=int(statistics.median(each.resident for each in costs)),
    )


def _side(side: str, count: int) -> Costs:
    command = [sys.executable, "-m", "benchmarks._session_worker", side, str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own module
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Costs)
