"""A live client for each account, and what its answers mean."""
