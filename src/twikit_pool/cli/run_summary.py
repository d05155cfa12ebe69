"""What a run says at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from twikit_pool.cli.progress import lasting

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping

    from rich.console import Console

    from twikit_pool.jobs import Holdups, JobRunner, RejectsFile, ResultsFile, Summary
    from twikit_pool.pool import TwikitConnectionPool

HOLDUPS_SHOWN: Final = 3
"""What kept jobs waiting longest."""
ILL_SHOWN: Final = 20
"""Ill accounts that are named; `accounts list` has all."""


def print_summary(
    console: Console,
    *,
    summary: Summary,
    runner: JobRunner,
    seconds: float,
    pool: TwikitConnectionPool,
    holdups: Holdups,
    results: ResultsFile,
    rejects: RejectsFile,
) -> None:
    """Tables by action and outcome, how long it took and what for, which files were written, who is ill."""
    actions = Table("action", "jobs", "ok", "p50 s", "p95 s", "accounts", box=None, pad_edge=False)
    for column in actions.columns[1:]:
        column.justify = "right"
    for name, action in sorted(summary.actions.items()):
        half, most = action.latencies.quantile(0.5), action.latencies.quantile(0.95)
        actions.add_row(
            name,
            f"{action.jobs:,}",
            f"{action.ok:,}",
            _seconds(half),
            _seconds(most),
            str(len(action.accounts)),
        )
    ended = runner.outcomes.total()
    if ended:
        console.print(actions)
        console.print()
    rate = ended / seconds if seconds else 0.0
    facts = Table.grid(padding=(0, 2))
    facts.add_row("outcomes", Text(_tally(runner.outcomes) or "no job ended"))
    facts.add_row("run", f"{ended:,} jobs in {lasting(seconds)}, {rate:.1f}/s, {runner.retries} retries")
    facts.add_row("accounts", f"{len(summary.accounts)} used of {len(pool.account_ids)}")
    for row, (endpoint, cause, held) in enumerate(holdups.longest(HOLDUPS_SHOWN)):
        facts.add_row("" if row else "held up", Text(f"{endpoint} for {lasting(held)} by {cause}"))
    in_all = results.outcomes()
    if in_all != runner.outcomes:
        facts.add_row("in all", Text(f"{_tally(in_all)}, with what earlier runs ended"))
    if results.lost:
        facts.add_row(
            "", Text(f"{results.lost} writes of a run that died are reported as ambiguous", "yellow")
        )
    if rejects.count:
        facts.add_row("rejected", Text(f"{rejects.count:,} lines, see {rejects.path}", "red"))
    facts.add_row("results", Text(str(results.path)))
    _add_ill(facts, pool.ill_accounts())
    console.print(facts, soft_wrap=True)


def _add_ill(facts: Table, ill: Mapping[str, str]) -> None:
    for row, (account_id, why) in enumerate(list(ill.items())[:ILL_SHOWN]):
        facts.add_row(f"{len(ill)} ill" if not row else "", Text(f"{account_id}: {why}", "yellow"))
    if len(ill) > ILL_SHOWN:
        facts.add_row("", f"and {len(ill) - ILL_SHOWN} more, see `twikit-pool accounts list`")


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if value < 10 else f"{value:.1f}"


def _tally(outcomes: Counter[str]) -> str:
    return ", ".join(f"{number:,} {outcome}" for outcome, number in outcomes.most_common())
