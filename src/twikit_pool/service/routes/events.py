"""What was told of late: for those who do not listen all the time."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Controller, get
from litestar.params import FromQuery

from twikit_pool.service.reader import TOPICS, Topic
from twikit_pool.service.routes.paging import USUAL, Limit, Text
from twikit_pool.service.service import Serving
from twikit_pool.service.tokens import Scope


class RecentEvents(msgspec.Struct, frozen=True, kw_only=True):
    """The latest messages of the event hub.

    Attributes:
        seq: the number to subscribe with as `since`, to hear what comes after these.
        items: the messages as they were told, the oldest first.
    """

    seq: int
    items: list[dict[str, Any]]


class Events(Controller):
    """What the event hub still keeps; see docs/events.md."""

    path = "/v1/events/recent"
    tags = ("events",)

    @get(opt={"scope": Scope.READ}, sync_to_thread=False)
    def recent_events(
        self,
        service: Serving,
        topic: FromQuery[list[Topic] | None] = None,
        pool: Text = None,
        limit: Limit = USUAL,
    ) -> RecentEvents:
        """The latest events of these topics, or of all; of one pool, or of all.

        Leases and calls are made only while somebody listens to `connection_events`.
        """
        pools = None if pool is None else frozenset((service.pool(pool).pool_id,))
        _, kept = service.hub.replay(frozenset(topic or TOPICS), pools, 0)
        latest = list(kept)[-limit:]
        return RecentEvents(seq=service.hub.seq, items=[msgspec.json.decode(each.text) for each in latest])
