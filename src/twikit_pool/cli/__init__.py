"""The command line: `twikit-pool`."""
