"""Asking X itself about every account, with one cheap call each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Final

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress
from rich.text import Text

from twikit_pool.accounts.model import Account, AccountState
from twikit_pool.accounts.source import AccountSource
from twikit_pool.sessions.backends.twikit import TwikitBackend
from twikit_pool.sessions.manager import TwikitSessionManager
from twikit_pool.sessions.outcomes import CallFailed
from twikit_pool.simulator import SimulatorTransport

AT_ONCE: Final = 4
"""Accounts asked about at a time: a whole fleet that calls in the same second is conspicuous and rude."""


async def live_problems(
    source: AccountSource, accounts: Sequence[Account], *, simulator: str | None
) -> dict[str, list[str]]:
    """What X holds against each account, by id; new states are kept in the source.

    Args:
        source: where the accounts are.
        accounts: whom to ask about; those a person disabled are left in peace.
        simulator: the address of a simulator to ask in place of X.
    """
    backend = TwikitBackend(transport=lambda _account: SimulatorTransport(simulator)) if simulator else None
    turn = asyncio.Semaphore(AT_ONCE)
    problems: dict[str, list[str]] = {}
    asked = [each for each in accounts if each.standing.state is not AccountState.DISABLED]
    with _progress(Console(stderr=True), len(asked)) as heard:
        async with TwikitSessionManager(source, backend=backend) as sessions:

            async def ask(account_id: str) -> None:
                async with turn:
                    problem = await _problem_of(sessions, account_id)
                    await sessions.close(account_id)
                if problem:
                    problems[account_id] = [problem]
                heard(account_id, problem)

            async with asyncio.TaskGroup() as group:
                for each in asked:
                    group.create_task(ask(each.id))
    return problems


async def _problem_of(sessions: TwikitSessionManager, account_id: str) -> str:
    """What X holds against an account, or why it could not be asked; "" when all is well."""
    try:
        standing = await sessions.check(account_id)
    except CallFailed as failure:
        return f"X could not be asked: {failure.verdict.reason}"
    return "" if standing.state is AccountState.ACTIVE else str(standing)


@contextmanager
def _progress(screen: Console, total: int) -> Generator[Callable[[str, str], None]]:
    """Called with each account and its problem: a bar on a terminal, a line for each account elsewhere."""
    if screen.is_terminal:
        with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=screen) as progress:
            bar = progress.add_task("asking X", total=total)
            yield lambda _account_id, _problem: progress.advance(bar)
    else:
        numbers = count(1)
        yield lambda account_id, problem: screen.print(
            Text(f"{next(numbers)}/{total} {account_id}: {problem or 'well'}"), soft_wrap=True
        )
