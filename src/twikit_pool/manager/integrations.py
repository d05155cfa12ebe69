"""What a pool is connected to: three small protocols that anything may meet.

- A `Broadcaster` hears everything that happens, as messages by topic.
- A `CampaignSource` tells of campaigns, for which the pool keeps connections.
- An `AnalyticsSink` gets the pool's metrics whenever they are collected.

Each runs in a task of its own. One that fails or hangs is logged, loses what it could not take, and
never delays the pool.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, runtime_checkable

import msgspec

from twikit_pool.errors import ConfigError, TwikitPoolError
from twikit_pool.events import (
    BatchEvent,
    ConnectionEvent,
    EmergencyStop,
    Event,
    LowWorkLimited,
    MetricsCollected,
    ResourcesOptimized,
    ScalingDecided,
    ScalingExecuted,
    Subscription,
)
from twikit_pool.pool.request import ConnectionPriority
from twikit_pool.redaction import without_frames

if TYPE_CHECKING:
    from twikit_pool.metrics.collector import PoolCollector
    from twikit_pool.metrics.pool_metrics import PoolMetrics
    from twikit_pool.pool.pool import TwikitConnectionPool

logger = logging.getLogger(__name__)

PATIENCE: Final = 10.0
"""Seconds that an integration may take for one message before it is cut short."""

SIZING: Final = (ScalingDecided, ScalingExecuted, LowWorkLimited, ResourcesOptimized)
"""Events that tell what was decided about sizes and resources."""


class CampaignStarted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A campaign needs connections of these accounts for so many seconds."""

    campaign_id: str
    accounts: tuple[str, ...]
    priority: ConnectionPriority = ConnectionPriority.NORMAL
    duration: float = 3600.0


class CampaignPriorityChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A campaign is more or less urgent than it was."""

    campaign_id: str
    priority: ConnectionPriority


class CampaignEnded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A campaign needs its connections no more."""

    campaign_id: str


class CampaignEmergencyStop(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Somebody has stopped everything but what is critical; `seconds` None takes the pool's setting."""

    reason: str
    seconds: float | None = None


CampaignEvent: TypeAlias = CampaignStarted | CampaignPriorityChanged | CampaignEnded | CampaignEmergencyStop


@runtime_checkable
class Broadcaster(Protocol):
    """Passes messages on: a WebSocket hub, a message queue, a chat."""

    def broadcast(self, topic: str, message: Mapping[str, Any]) -> Awaitable[None]:
        """Pass one message on. Topics: `pool_updates`, `connection_events`, `alerts`.

        The message has the event's `type`, `pool_id`, `at` (ISO 8601) and its other fields.
        """
        ...


@runtime_checkable
class CampaignSource(Protocol):
    """Tells what campaigns do."""

    def campaign_events(self) -> AsyncIterator[CampaignEvent]:
        """What happens to campaigns, from now on, until there is nothing more to tell."""
        ...


@runtime_checkable
class AnalyticsSink(Protocol):
    """Takes the pool's metrics."""

    def process_real_time_pool_metrics(self, metrics: PoolMetrics) -> Awaitable[None]:
        """Take those of the latest interval; called every `metrics_interval` seconds.

        One that takes longer is given the latest next.
        """
        ...


Integration: TypeAlias = Broadcaster | CampaignSource | AnalyticsSink


class Integrations:
    """The integrations of one pool, each with its task.

    Args:
        pool: theirs.
        integrations: what meets one of the protocols, or several.
        collector: whose metrics the analytics sinks are given; without one they are given none.

    Raises:
        ConfigError: one meets none of the protocols.
    """

    def __init__(
        self,
        pool: TwikitConnectionPool,
        integrations: Sequence[object],
        collector: PoolCollector | None = None,
    ) -> None:
        self._pool = pool
        self._collector = collector
        self._subscriptions: list[Subscription] = []
        self._broadcasting: list[asyncio.Task[None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        for each in integrations:
            if not isinstance(each, Broadcaster | CampaignSource | AnalyticsSink):
                raise ConfigError(
                    f"{type(each).__name__} is no integration: it has none of broadcast(), campaign_events() "
                    "and process_real_time_pool_metrics()"
                )
        for each in integrations:
            self._begin(each)

    def _begin(self, each: object) -> None:
        start = asyncio.get_running_loop().create_task
        if isinstance(each, Broadcaster):
            subscription = self._pool.events.subscribe()
            self._subscriptions.append(subscription)
            self._broadcasting.append(start(self._broadcast(each, subscription)))
        if isinstance(each, CampaignSource):
            self._tasks.append(start(self._follow(each)))
        if isinstance(each, AnalyticsSink) and self._collector is not None:
            collections = self._pool.events.subscribe(MetricsCollected, maxlen=1)
            self._subscriptions.append(collections)
            self._tasks.append(start(self._measure(each, self._collector, collections)))

    async def aclose(self) -> None:
        """Stop all of them; broadcasters may pass on what they have not yet, for a while."""
        for subscription in self._subscriptions:
            subscription.close()
        tasks = self._broadcasting + self._tasks
        try:
            if self._broadcasting:
                await asyncio.wait(self._broadcasting, timeout=PATIENCE)
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def _broadcast(self, broadcaster: Broadcaster, subscription: Subscription) -> None:
        async for event in subscription:
            if event.pool_id == self._pool.pool_id:
                topic, message = topic_of(event), message_of(event)
                await self._try(broadcaster, lambda t=topic, m=message: broadcaster.broadcast(t, m))

    async def _measure(
        self, sink: AnalyticsSink, collector: PoolCollector, collections: Subscription
    ) -> None:
        given = collector.metrics.get(self._pool.pool_id)
        async for _ in collections:
            latest = collector.metrics.get(self._pool.pool_id)
            if latest is not None and latest is not given:
                await self._try(sink, lambda m=latest: sink.process_real_time_pool_metrics(m))
                given = latest

    async def _try(self, integration: object, use: Callable[[], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await use()
        except Exception as error:  # noqa: BLE001 - a boundary: the integration is the operator's own code
            logger.warning(
                "%s failed: %s; the pool goes on",
                type(integration).__name__,
                type(without_frames(error)).__name__,
            )

    async def _follow(self, source: CampaignSource) -> None:
        try:
            async for event in source.campaign_events():
                try:
                    self._obey(event)
                except TwikitPoolError as error:
                    logger.warning("%s of %s: %s", type(event).__name__, type(source).__name__, error)
        except Exception as error:  # noqa: BLE001 - a boundary: the source is the operator's own code
            logger.warning(
                "%s failed: %s; its campaigns are not followed any more",
                type(source).__name__,
                type(without_frames(error)).__name__,
            )

    def _obey(self, event: CampaignEvent) -> None:
        pool = self._pool
        match event:
            case CampaignStarted():
                for account_id in event.accounts:
                    try:
                        pool.reserve(account_id, event.campaign_id, event.priority, event.duration)
                    except TwikitPoolError as error:  # the campaign goes on with the others
                        logger.warning("campaign %s: %s", event.campaign_id, error)
            case CampaignPriorityChanged():
                pool.set_priority(event.campaign_id, event.priority)
            case CampaignEnded():
                for reservation in pool.reservations(event.campaign_id):
                    reservation.release()
            case CampaignEmergencyStop():
                pool.emergency_stop(event.reason, pause=event.seconds)


def topic_of(event: Event) -> str:
    """The topic under which an event is broadcast."""
    if isinstance(event, EmergencyStop):
        return "alerts"
    if isinstance(event, SIZING):
        return "scaling"
    if isinstance(event, BatchEvent):
        return "jobs"
    return "connection_events" if isinstance(event, ConnectionEvent) else "pool_updates"


def message_of(event: Event) -> dict[str, Any]:
    """An event as a message of plain values."""
    message = {each.name: getattr(event, each.name) for each in fields(event)}
    return {"type": event.type, **message, "at": event.at.isoformat()}
