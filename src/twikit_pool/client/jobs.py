"""A batch of jobs that a service carries out, followed from here."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from twikit_pool.client.errors import AnswerLost, ServiceUnreachable
from twikit_pool.client.wire import LONGEST_PAUSE, SHORTEST_PAUSE

if TYPE_CHECKING:
    from twikit_pool.client.pool import RemotePool

PATIENCE: Final = 120.0
"""Seconds that a service may be away while it is followed: a restart takes some."""

SILENCE: Final = 45.0
"""Seconds without a line after which a connection is taken for broken: an empty one comes after 15."""

ENDED: Final = frozenset({"done", "stopped", "failed"})

QUICK: Final = 30.0


class RemoteBatch:
    """Jobs that were submitted; they go on whether or not anybody looks.

        batch = await pool.submit({"action": "post_tweet", "params": {"content": text}} for text in texts)
        async for result in batch:
            print(result["id"], result["outcome"])

    Attributes:
        id: names it; `RemotePool.batch(id)` finds it again.
    """

    def __init__(self, pool: RemotePool, batch_id: str) -> None:
        self.id: Final = batch_id
        self._pool = pool
        self._path = f"/jobs/{quote(batch_id, safe='')}"
        self._rng = random.Random()  # noqa: S311 - spreads retries, guards nothing

    async def status(self) -> dict[str, Any]:
        """How far it came: `state`, `reason`, `jobs`, `counts` and when it began and ended; see docs/jobs.md.

        Raises as `RemotePool.status`.
        """
        return await self._pool.ask("GET", self._path, timeout=QUICK)

    async def cancel(self) -> dict[str, Any]:
        """Send nothing more of it, let calls in flight end; how far it came. Harmless when it has ended."""
        return await self._pool.ask("POST", f"{self._path}/cancel", timeout=QUICK)

    async def resume(self) -> dict[str, Any]:
        """Go on, when it was stopped or has failed; how far it came.

        Raises:
            PoolError: it runs, or is done.
        """
        return await self._pool.ask("POST", f"{self._path}/resume", timeout=QUICK)

    async def remove(self) -> None:
        """Let the service forget it and its results.

        Raises:
            PoolError: it has not ended.
        """
        await self._pool.ask("DELETE", self._path, timeout=QUICK)

    def __aiter__(self) -> AsyncGenerator[dict[str, Any]]:
        return self.results()

    async def results(self, after: int = 0, *, patience: float = PATIENCE) -> AsyncGenerator[dict[str, Any]]:
        """Each result once, in the order in which jobs end, until the batch has ended.

        When the connection breaks, or the service is started anew, it goes on after the last one. At the end
        look at `status()`: a batch that was stopped, or has failed, has jobs without a result.

        Args:
            after: the `number` of the last result that you have; 0 for none.
            patience: seconds that the service may be away.

        Raises:
            ServiceUnreachable: it was away for longer.
            TwikitPoolError: whatever the service answers: there is no such batch, say.
        """
        time = asyncio.get_running_loop().time
        number, heard, pause = after, time(), SHORTEST_PAUSE
        while True:
            try:
                async with aclosing(self._lines(number)) as lines:
                    async for line in lines:
                        heard, pause = time(), SHORTEST_PAUSE
                        if line:
                            result = msgspec.json.decode(line)
                            number = result["number"]
                            yield result
                            heard = time()
                told = await self.status()
            except (ServiceUnreachable, AnswerLost) as error:
                if time() - heard >= patience:
                    raise ServiceUnreachable(
                        f"the service was away for {patience:g} s: {error}; the batch goes on without you, "
                        f"and results({number}) with what follows"
                    ) from None
            else:
                heard = time()
                if told["state"] in ENDED and told["counts"]["ended"] <= number:
                    return
            pause = min(LONGEST_PAUSE, self._rng.uniform(SHORTEST_PAUSE, pause * 3))
            await asyncio.sleep(pause)

    def _lines(self, after: int) -> AsyncGenerator[bytes]:
        pool = quote(self._pool.pool_id, safe="")
        path = f"/v1/pools/{pool}{self._path}/results/stream?after={after}"
        return self._pool.wire.lines(path, silence=SILENCE)

    def __repr__(self) -> str:
        return f"<RemoteBatch {self.id!r} of {self._pool!r}>"
