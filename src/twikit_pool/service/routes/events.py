"""What the event hub has told lately: for who comes after it."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Controller, get
from litestar.params import FromPath, FromQuery

from twikit_pool.service.hub import FREQUENT
from twikit_pool.service.reader import TOPICS, Topic
from twikit_pool.service.routes.paging import USUAL, Limit, Offset, Page, Text, part
from twikit_pool.service.service import Serving
from twikit_pool.service.tokens import Scope


class _Head(msgspec.Struct, frozen=True):
    """What messages are chosen by."""

    type: str
    account_id: str | None = None
    connection_id: str | None = None


_FREQUENT = frozenset(each.type for each in FREQUENT)

_head = msgspec.json.Decoder(_Head).decode


class LatestEvents(Controller):
    """Those that are kept."""

    path = "/v1/pools/{pool:str}/events"
    tags = ("pools",)

    @get(opt={"scope": Scope.READ}, sync_to_thread=False)
    def list_events(
        self,
        service: Serving,
        pool: FromPath[str],
        account: Text = None,
        connection: Text = None,
        frequent: FromQuery[bool] = True,
        offset: Offset = 0,
        limit: Limit = USUAL,
    ) -> Page[dict[str, Any]]:
        """What was told of the pool, one account or one connection lately, the latest first.

        As over the WebSocket, but for statuses and metrics, which have routes of their own; of each topic the
        last 1,024 messages at most. Leases and calls only if somebody wanted `connection_events` then, and
        none of them if `frequent` is false.
        """
        found: list[str] = []
        for message in service.hub.latest(service.pool(pool).pool_id):
            head = _head(message.text)
            if (
                head.type != "metrics_collected"
                and (frequent or head.type not in _FREQUENT)
                and (account is None or head.account_id == account)
                and (connection is None or head.connection_id == connection)
            ):
                found.append(message.text)
        shown = [msgspec.json.decode(each) for each in part(found, offset, limit)]
        return Page(total=len(found), offset=offset, items=shown)


class Recent(msgspec.Struct, frozen=True, kw_only=True):
    """The latest messages of the event hub.

    Attributes:
        seq: the number to subscribe with as `since`, to hear what comes after these.
        items: the messages as they were told, the oldest first.
    """

    seq: int
    items: list[dict[str, Any]]


class RecentEvents(Controller):
    """Those of all pools, for who goes on to listen."""

    path = "/v1/events/recent"
    tags = ("events",)

    @get(opt={"scope": Scope.READ}, sync_to_thread=False)
    def recent_events(
        self,
        service: Serving,
        topic: FromQuery[list[Topic] | None] = None,
        pool: Text = None,
        limit: Limit = USUAL,
    ) -> Recent:
        """The latest events of these topics, or of all; of one pool, or of all.

        As over the WebSocket. Leases and calls only if somebody wanted `connection_events` then.
        """
        pools = None if pool is None else frozenset((service.pool(pool).pool_id,))
        _, kept = service.hub.replay(frozenset(topic or TOPICS), pools, 0)
        latest = list(kept)[-limit:]
        return Recent(seq=service.hub.seq, items=[msgspec.json.decode(each.text) for each in latest])
