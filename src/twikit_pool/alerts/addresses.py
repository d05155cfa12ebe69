"""Which addresses messages may be posted to."""

from __future__ import annotations

from urllib.parse import urlsplit

from twikit_pool.redaction import Secret


def is_web(url: Secret) -> bool:
    """Whether it is a URL of http or https that names a host."""
    try:
        parts = urlsplit(url.reveal())
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
