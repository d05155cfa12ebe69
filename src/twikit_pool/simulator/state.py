"""Everything the simulator holds, in one place that endpoints can reach."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from twikit_pool.simulator.accounts import SimulatedAccount
from twikit_pool.simulator.curated import Lists, Schedule
from twikit_pool.simulator.journal import Calls, Write
from twikit_pool.simulator.limits import DailyPosts, Windows
from twikit_pool.simulator.messages import Mailbox
from twikit_pool.simulator.seeding import populate
from twikit_pool.simulator.uploads import Uploads
from twikit_pool.simulator.world import World

if TYPE_CHECKING:
    from twikit_pool.simulator.settings import Settings


class State:
    """The world, its accounts, and what was counted."""

    def __init__(self, settings: Settings, now: float) -> None:
        self.time_scale = settings.time_scale
        self.world = World()
        self.lists = Lists(self.world)
        self.schedule = Schedule(self.world)
        self.mailbox = Mailbox(self.world)
        self.uploads = Uploads(settings.media_processing)
        users = populate(self.world, random.Random(settings.seed), settings, now)
        self.accounts = [SimulatedAccount(user.handle, user, settings.seed) for user in users]
        self.by_token = {account.auth_token: account for account in self.accounts}
        self.by_id = {account.id: account for account in self.accounts}
        self.windows = (
            Windows(time_scale=settings.time_scale, overrides=settings.overrides) if settings.limits else None
        )
        self.daily = DailyPosts(settings.daily_posts if settings.limits else None, settings.time_scale)
        self.calls = Calls()
        self.writes: list[Write] = []

    def log_in_anew(self, account: SimulatedAccount) -> None:
        """The account's owner logs in in a browser: the old log-in ends."""
        del self.by_token[account.auth_token]
        account.log_in_anew()
        self.by_token[account.auth_token] = account

    def note_write(self, account: str, endpoint: str, key: str) -> None:
        """A write took effect."""
        self.writes.append(Write(number=len(self.writes) + 1, account=account, endpoint=endpoint, key=key))
