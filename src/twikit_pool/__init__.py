"""One pool for all the X (Twitter) accounts that you own."""
