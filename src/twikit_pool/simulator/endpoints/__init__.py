"""What each operation does, by family. Importing this package registers all of them."""

from twikit_pool.simulator.endpoints import (
    account,
    detail,
    engagement,
    lists,
    media,
    messages,
    notifications,
    people,
    posting,
    relations,
    searching,
    timelines,
)
from twikit_pool.simulator.registry import GRAPHQL, REST, find

NAMES = frozenset(GRAPHQL) | {endpoint.name for endpoint in REST.values()}
"""Every operation, as faults, limits and counts name it."""

__all__ = [
    "NAMES",
    "account",
    "detail",
    "engagement",
    "find",
    "lists",
    "media",
    "messages",
    "notifications",
    "people",
    "posting",
    "relations",
    "searching",
    "timelines",
]
