"""The heart: who gets which connection, and when."""
