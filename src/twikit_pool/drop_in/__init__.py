"""A `twikit.Client` whose every request goes through a pool."""

from __future__ import annotations

from twikit_pool.drop_in.client import PooledClient
from twikit_pool.drop_in.failures import OutOfCalls

__all__ = ["OutOfCalls", "PooledClient"]
