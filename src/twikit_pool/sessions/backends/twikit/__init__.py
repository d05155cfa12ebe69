"""X through twikit."""

from twikit_pool.sessions.backends.twikit.link import TwikitBackend, TwikitLink, XClient

__all__ = ["TwikitBackend", "TwikitLink", "XClient"]
