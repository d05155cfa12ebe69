"""A pool that runs elsewhere, used as if it ran here: `RemotePool`."""

from twikit_pool.client.errors import (
    AccessRefused,
    AnswerLost,
    RemoteCallFailed,
    RemoteError,
    RemoteVerdict,
    RequestRefused,
    ServiceUnreachable,
)
from twikit_pool.client.jobs import RemoteBatch
from twikit_pool.client.lease import RemoteLease
from twikit_pool.client.pool import RemotePool

__all__ = [
    "AccessRefused",
    "AnswerLost",
    "RemoteBatch",
    "RemoteCallFailed",
    "RemoteError",
    "RemoteLease",
    "RemotePool",
    "RemoteVerdict",
    "RequestRefused",
    "ServiceUnreachable",
]
