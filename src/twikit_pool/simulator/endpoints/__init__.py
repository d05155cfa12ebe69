"""What each operation does, by family. Importing this package registers all of them."""

from twikit_pool.simulator.endpoints import account, engagement, posting, searching, users

__all__ = ["account", "engagement", "posting", "searching", "users"]
