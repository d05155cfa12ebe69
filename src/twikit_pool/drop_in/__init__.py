"""The face of `twikit.Client`, with a pool behind it."""
