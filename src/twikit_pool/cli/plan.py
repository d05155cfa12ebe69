"""What `twikit-pool run` knows before it begins: how long it takes, what decides it, what cannot be done."""

from __future__ import annotations

import os
import sys
from math import inf
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from twikit_pool.cli.courtesy import courteous
from twikit_pool.clock import in_words
from twikit_pool.jobs import JobReader, Survey, engagement

if TYPE_CHECKING:
    from rich.console import Console

    from twikit_pool.jobs import Impossible, Plan, ResultsFile
    from twikit_pool.pool import TwikitConnectionPool

GROUPS_SHOWN: Final = 10
"""Groups of jobs that can never be done, of which each has a line."""

TELL_EVERY: Final = 20_000
"""Jobs read between two words on how far it has come."""


async def survey_of(
    descriptor: int, pool: TwikitConnectionPool, results: ResultsFile | None, screen: Console
) -> Survey:
    """Count what a run would have to do; on a terminal it is seen how far that has come.

    An ordinary file is then where it was, to be read again.
    """
    survey = Survey() if results is None else Survey(results.knows)
    reader = JobReader(descriptor, accounts=pool.account_ids)
    begins = None if reader.size is None else os.lseek(descriptor, 0, os.SEEK_CUR)
    with screen.status("Reading the jobs") as status:
        async for each in reader:
            survey.add(each)
            if not survey.read % TELL_EVERY:
                share = f" ({reader.position / reader.size:.0%})" if reader.size else ""
                status.update(f"Reading the jobs: {survey.read:,}{share}")
    if begins is not None:
        os.lseek(descriptor, begins, os.SEEK_SET)
    return survey


def in_a_line(plan: Plan) -> str:
    """How long it takes, and what decides that."""
    if plan.bottleneck is None:
        return f"{_about(plan.seconds)}, at {plan.call_seconds:g} s a call"
    return f"{_about(plan.seconds)}: {plan.bottleneck} is the bottleneck"


def never_in_a_line(plan: Plan) -> str:
    """How many jobs can never be done, and why the first of them; empty when all can."""
    if not plan.impossible:
        return ""
    first, *others = plan.impossible
    jobs = first.jobs + sum(each.jobs for each in others)
    more = "; --plan has all reasons" if others else ""
    return f"never, as the accounts are now: {jobs:,} jobs: {_named(first)}{more}"


def print_plan(plan: Plan, survey: Survey, *, engagement_is: str) -> None:
    """The whole plan, on standard output; `engagement_is` says what becomes of likes, reposts and follows."""
    console = courteous(sys.stdout)
    if plan.endpoints:
        console.print(_table(plan))
        console.print()
    facts = Table.grid(padding=(0, 2))
    possible = sum(each.jobs for each in plan.endpoints)
    done = f"; {survey.done:,} are done already" if survey.done else ""
    who = f", by {plan.accounts:,} accounts" if possible else ""
    facts.add_row("jobs", f"{possible:,} to do{who}{done}")
    if possible:
        facts.add_row("in all", Text(in_a_line(plan), "bold"))
    for what, seconds in plan.shorter.items():
        facts.add_row("shorter", f"{what}: {_about(seconds)}")
    for row, each in enumerate(plan.impossible[:GROUPS_SHOWN]):
        facts.add_row("" if row else "never", Text(_named(each), "red"))
    if len(plan.impossible) > GROUPS_SHOWN:
        left = plan.impossible[GROUPS_SHOWN:]
        facts.add_row("", f"and {sum(each.jobs for each in left):,} jobs more")
    if survey.rejected:
        facts.add_row("rejected", Text(f"{survey.rejected:,} of the lines, which are no jobs", "red"))
        for each in survey.first_rejected:
            facts.add_row("", Text(f"line {each.line}: {each.error}", "red"))
        if survey.rejected > len(survey.first_rejected):
            facts.add_row("", Text("and so on; a run keeps all of them in its file of rejects", "red"))
    if survey.engaging:
        facts.add_row("engaging", Text(f"{engagement.in_words(survey.engaging)}: {engagement_is}"))
    facts.add_row("", f"Nothing was sent. A call is taken to last {plan.call_seconds:g} s.")
    console.print(facts, soft_wrap=True)


def _table(plan: Plan) -> Table:
    table = Table("endpoint", "jobs", "accounts", "left now", "a window", "time", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for each in plan.endpoints:
        table.add_row(
            each.endpoint,
            f"{each.jobs:,}",
            f"{each.fleet.accounts:,}",
            _number(each.fleet.left),
            _number(each.fleet.limit),
            _about(each.seconds),
        )
    return table


def _named(group: Impossible) -> str:
    some = ", ".join(group.first) + (", …" if group.jobs > len(group.first) else "")
    return f"{group.jobs:,} {group.endpoint} ({some}): {group.reason}"


def _about(seconds: float) -> str:
    if seconds == inf:
        return "more than ten years"
    return f"about {in_words(max(seconds, 1.0))}"


def _number(calls: int | None) -> str:
    return "?" if calls is None else f"{calls:,}"
