"""A live client for each account, and what its answers mean."""

from twikit_pool.sessions.actions import ACTIONS, Action, parse_action
from twikit_pool.sessions.backend import Link, SessionBackend
from twikit_pool.sessions.backends.twikit import TwikitBackend
from twikit_pool.sessions.known_accounts import SessionObserver
from twikit_pool.sessions.limits import DEFAULT_CAPS, KNOWN_LIMITS, Limit
from twikit_pool.sessions.manager import TwikitSessionManager
from twikit_pool.sessions.outcomes import CallFailed, Outcome, Taken, Verdict
from twikit_pool.sessions.prospects import Prospect
from twikit_pool.sessions.session import TwikitSession
from twikit_pool.sessions.windows import RateWindows

__all__ = [
    "ACTIONS",
    "DEFAULT_CAPS",
    "KNOWN_LIMITS",
    "Action",
    "CallFailed",
    "Limit",
    "Link",
    "Outcome",
    "Prospect",
    "RateWindows",
    "SessionBackend",
    "SessionObserver",
    "Taken",
    "TwikitBackend",
    "TwikitSession",
    "TwikitSessionManager",
    "Verdict",
    "parse_action",
]
