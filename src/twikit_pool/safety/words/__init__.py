"""Short lists of profanity, written for this project; see docs/safety.md."""
