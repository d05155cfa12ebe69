"""Asking X itself about every account, with one cheap call each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

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
    with Progress(
        *Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True)
    ) as progress:
        asked = [each for each in accounts if each.standing.state is not AccountState.DISABLED]
        bar = progress.add_task("asking X", total=len(asked))
        async with TwikitSessionManager(source, backend=backend) as sessions:

            async def ask(account_id: str) -> None:
                async with turn:
                    try:
                        standing = await sessions.check(account_id)
                    except CallFailed as failure:
                        problems[account_id] = [f"X could not be asked: {failure.verdict.reason}"]
                    else:
                        if standing.state is not AccountState.ACTIVE:
                            problems[account_id] = [f"{standing.state}: {standing.reason}"]
                    await sessions.close(account_id)
                progress.advance(bar)

            async with asyncio.TaskGroup() as group:
                for each in asked:
                    group.create_task(ask(each.id))
    return problems
