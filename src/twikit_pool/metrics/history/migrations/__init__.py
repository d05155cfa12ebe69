"""The versions of the history's tables."""
