"""A local stand-in for X."""
