"""What those are told who are not served, and anyone who asks why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twikit_pool.errors import (
    AccountNotFound,
    AccountUnavailable,
    AcquireTimeoutError,
    NoAccountAvailable,
    PoolOverloadedError,
)
from twikit_pool.pool.explanation import Census, Explanation, explain

if TYPE_CHECKING:
    from twikit_pool.pool.matching import Matching
    from twikit_pool.pool.request import ConnectionRequest


class Refusals:
    """Makes a pool's refusals and explanations."""

    __slots__ = ("_census", "_matching")

    def __init__(self, matching: Matching) -> None:
        self._matching = matching
        self._census: Census | None = None

    def overloaded(self, many: str, setting: str) -> PoolOverloadedError:
        """For a request that finds too many waiting."""
        return PoolOverloadedError(
            f"{many} wait for pool {self._matching.pool_id!r} already ({setting}); "
            "ask again later, or raise the priority or the limit"
        )

    def late(
        self, request: ConnectionRequest, timeout: float, place: tuple[float, int]
    ) -> AcquireTimeoutError:
        """For a request that has waited so many seconds at this place."""
        why = self._explained(request, place)
        return AcquireTimeoutError(f"no {str(request)[2:]} within {round(timeout, 2):g} s: {why}")

    def hopeless(self, request: ConnectionRequest) -> Exception:
        """For a request that no account can ever serve."""
        if request.account_id is not None:
            member = self._matching.members.get(request.account_id)
            if member is None:
                return AccountNotFound(
                    f"pool {self._matching.pool_id!r} has no account {request.account_id!r}: "
                    "is it in the source? refresh() reads that again"
                )
            if not member.hopeful:
                return AccountUnavailable(f"{request.account_id} is {member.why_barred}")
            windows, endpoint = member.windows, request.endpoint
            if endpoint is not None and windows.forbids(endpoint):
                return AccountUnavailable(f"{request.account_id}: {windows.why_shut(endpoint)}")
        return NoAccountAvailable(
            f"no account can serve {request.action or 'this request'}: {self._explained(request)}"
        )

    def explain(self, request: ConnectionRequest) -> Explanation:
        """What the accounts that could serve a request are doing, and how many wait before it."""
        census = Census(self._matching.members.values(), self._matching.now())
        return self._explained(request, self._matching.place_of(request), census)

    def _explained(
        self,
        request: ConnectionRequest,
        place: tuple[float, int] | None = None,
        census: Census | None = None,
    ) -> Explanation:
        """As `explain`, from a census that may be older the more there is to count, up to a second."""
        matching, members, now = self._matching, self._matching.members, self._matching.now()
        if census is None:
            if self._census is None or not now - self._census.taken < min(len(members) * 1e-4, 1.0):
                self._census = Census(members.values(), now)
            census = self._census
        lines = () if place is None else matching.lines_of(request)
        return explain(census, members, request, lines, place, self._what_else(request))

    def _what_else(self, request: ConnectionRequest) -> str:
        """What keeps a request waiting besides what the accounts do."""
        matching = self._matching
        broken = "" if matching.trials is None else matching.trials.notice(request.need)
        notices = [each for each in (broken, matching.deferral.notice(request.need), matching.notice) if each]
        if not notices and len(matching.connections) >= matching.most:
            limited = matching.most < matching.config.max_connections
            why = f" now: {matching.limit_reason}" if limited else ""
            return f"the pool has all the connections it may have ({matching.most}){why}"
        return "; ".join(notices)
