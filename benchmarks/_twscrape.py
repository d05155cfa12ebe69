"""twscrape, as it comes: its accounts on disk, its search, and how fast it hands accounts out.

    python -m benchmarks._twscrape COOKIES SECONDS

Prints how many acquisitions it does in a second, each with its release. COOKIES is a folder of cookie files.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Final

os.environ["TWS_TELEMETRY"] = "0"  # before it is imported: it would tell its makers of each request
os.environ["TWS_LOG_LEVEL"] = "ERROR"

from twscrape import API, AccountsPool

from twikit_pool.accounts import CookieFolder

QUEUE: Final = "SearchTimeline"


async def accounts_on_disk(cookies: Path) -> AccountsPool:
    """Its pool of the accounts that these cookie files are for, in a database beside their folder."""
    pool = AccountsPool(str(cookies.with_name("accounts.db")))
    for account in await CookieFolder(cookies).accounts():
        given = "; ".join(f"{name}={value}" for name, value in account.credentials.cookies.items())
        await pool.add_account_cookies(account.id, given)
    return pool


async def search(accounts: AccountsPool, query: str) -> bool:
    """Ask for one page; says whether it came."""
    pages = [page async for page in API(accounts).search_raw(query, limit=1)]
    return bool(pages)


async def _acquisitions(cookies: Path, seconds: float) -> float:
    accounts = await accounts_on_disk(cookies)
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        account = await accounts.get_for_queue(QUEUE)
        if account is None:
            raise RuntimeError("twscrape has no account left")
        await accounts.unlock(account.username, QUEUE)
        done += 1
    return done / (time.perf_counter() - began)


if __name__ == "__main__":
    print(asyncio.run(_acquisitions(Path(sys.argv[1]), float(sys.argv[2]))))
