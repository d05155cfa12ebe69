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
from twikit_pool.simulator.registry import find

__all__ = [
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
