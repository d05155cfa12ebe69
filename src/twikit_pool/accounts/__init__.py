"""The accounts that may be used, and where they are kept."""
