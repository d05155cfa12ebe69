"""What is wrong, told to a program of one's own: an emergency stop, and requests that wait.

python examples/alerts.py
"""

from __future__ import annotations

import asyncio

from twikit_pool import (
    Account,
    ConnectionPoolConfig,
    Credentials,
    MemoryAccounts,
    TwikitBackend,
    TwikitConnectionPoolManager,
    TwikitSessionManager,
)
from twikit_pool.alerts import Alerting, Notice, rules_of
from twikit_pool.manager import Automation
from twikit_pool.redaction import Cookies
from twikit_pool.simulator import Simulator


class Screen:
    """A destination. `Webhook(Secret("https://…"))` and `AppriseChat(Secret("slack://…"))` are others."""

    name = "screen"

    async def send(self, notice: Notice) -> None:
        """Take a message."""
        print(f"{notice.title}\n{notice.text}\n")

    async def aclose(self) -> None:
        """It holds nothing."""


RULES = rules_of(
    {
        "queue_long": {"above": 3, "clear_at": 0, "for": 0},  # built in, and changed
        "slow": {"metric": "p95_response_time", "above": 5, "for": 60, "message": "X is slow"},
    }
)


async def main() -> None:
    async with Simulator(accounts=3) as x:
        # With accounts of your own: CookieFolder("cookies/*.json"), and none of this.
        source = MemoryAccounts(
            Account(id=each.id, credentials=Credentials(cookies=Cookies(each.cookies))) for each in x.accounts
        )
        backend = TwikitBackend(transport=lambda _account: x.transport())
        automation = Automation(alerts=Alerting(rules=RULES, destinations=[Screen()]))
        async with (
            TwikitSessionManager(source, backend=backend) as sessions,
            TwikitConnectionPoolManager(sessions, automation=automation) as manager,
        ):
            pool = await manager.create_pool("news", ConnectionPoolConfig(metrics_interval=0.5))

            async def hold() -> None:
                async with pool.acquire():
                    await asyncio.sleep(2)

            await asyncio.gather(*(hold() for _ in range(9)))
            pool.emergency_stop("a wrong link went out", pause=60)
            await asyncio.sleep(2)
            pool.resume()
            await asyncio.sleep(2)


asyncio.run(main())
