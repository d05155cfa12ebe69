"""How to speak to X: one package for each client library."""
