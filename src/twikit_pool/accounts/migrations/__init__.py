"""The versions of the account store's tables."""
