"""One account in several pools: while one of them uses it, the others do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twikit_pool.pool.member import Bar

if TYPE_CHECKING:
    from twikit_pool.pool.matching import Matching
    from twikit_pool.pool.member import Member


class Sharing:
    """The pools that share accounts. Those that want the same account take turns.

    An account counts as used while any pool has leased a connection of it; a pool that may open several
    connections for an account may use all of them at once.
    """

    def __init__(self) -> None:
        self._pools: list[Matching] = []
        self._users: dict[str, Matching] = {}
        """Which pool uses an account, also one that it has let go of meanwhile."""

    def join(self, pool: Matching) -> None:
        """Another pool, whose accounts the others may have too."""
        self._pools.append(pool)
        pool.sharing = self

    def leave(self, pool: Matching) -> None:
        """It is shut down and uses nothing any more."""
        self._pools.remove(pool)

    def added(self, pool: Matching, member: Member) -> None:
        """A pool has a new account, which another may be using."""
        user = self._users.get(member.id)
        if user is not None and user is not pool:
            pool.bar(member, Bar.ELSEWHERE, f"in use by pool {user.pool_id}")

    def taken(self, by: Matching, member: Member) -> None:
        """A pool has leased a connection of the account: the others must leave it alone."""
        self._users[member.id] = by
        for pool in self._pools:
            if pool is not by and (theirs := pool.members.get(member.id)) is not None:
                pool.bar(theirs, Bar.ELSEWHERE, f"in use by pool {by.pool_id}")

    def returned(self, by: Matching, member: Member) -> None:
        """No lease of a pool holds the account any more: the next pool after it may have it."""
        if any(connection.leased for connection in member.connections):
            return
        if self._users.get(member.id) is by:
            del self._users[member.id]
        place = self._pools.index(by)
        for pool in self._pools[place + 1 :] + self._pools[:place]:
            theirs = pool.members.get(member.id)
            if theirs is not None and Bar.ELSEWHERE not in member.bars:  # no pool before it has taken it
                pool.lift(theirs, Bar.ELSEWHERE)
