"""How to speak to X: one module for each client library."""
