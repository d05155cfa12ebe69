"""Jobs over a service: submit a batch, follow its results, cancel another, over accounts of a sandbox.

python examples/remote_jobs.py
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from twikit_pool.client import RemotePool, RequestRefused


@asynccontextmanager
async def service() -> AsyncIterator[tuple[str, str]]:
    """A service over three simulated accounts: its address and a token."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from twikit_pool.cli import main; main()"),
        *("serve", "--sandbox", "3", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    if process.stdout is None or process.stderr is None:
        raise RuntimeError("it has no pipes")
    told = b""
    while (found := re.search(rb"serves at (http://\S+?);", told)) is None:
        told += await process.stderr.readline()
    token = await process.stdout.readline()
    try:
        yield found[1].decode(), token.decode().strip()
    finally:
        process.terminate()
        await process.communicate()


async def main() -> None:
    async with service() as (url, token), RemotePool(url, token) as pool:
        jobs = [
            {"id": f"post-{n}", "action": "post_tweet", "params": {"content": f"Good morning, no. {n}"}}
            for n in range(12)
        ]
        jobs.append({"action": "get_user", "params": {"handle": "sim_001"}, "priority": "HIGH"})
        batch = await pool.submit(jobs, name="mornings")
        outcomes = Counter[str]()
        async for result in batch:
            outcomes[result["outcome"]] += 1
        told = await batch.status()
        print(f"{told['name']} is {told['state']}: {dict(outcomes)}")

        searches = ({"action": "search_tweet", "params": {"query": f"news {n}"}} for n in range(500))
        long_one = await pool.submit(searches)
        await asyncio.sleep(0.5)
        await long_one.cancel()
        async for _ in long_one:
            pass
        told = await long_one.status()
        print(
            f"the long one is {told['state']}, and most of it was not sent: {told['counts']['undone'] > 250}"
        )

        try:
            await pool.submit([{"action": "post_tweet", "params": {}}])
        except RequestRefused as refused:
            print(f"line {refused.errors[0]['line']}: {refused.errors[0]['error']}")

        found = [post["text"] async for post in pool.iterate("search_tweet", query="morning", limit=3)]
        print(f"{len(found)} posts of the morning")


if __name__ == "__main__":
    asyncio.run(main())
