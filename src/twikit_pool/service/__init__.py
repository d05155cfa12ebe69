"""The daemon: an HTTP and WebSocket API over pools, for programs in any language and for people."""
