"""A file of actions, each run once over the pool."""
