"""A live client for each account, and what its answers mean."""

from twikit_pool.sessions.actions import ACTIONS, Action, parse_action
from twikit_pool.sessions.backend import Link, SessionBackend
from twikit_pool.sessions.backends.twikit import TwikitBackend
from twikit_pool.sessions.manager import SessionObserver, TwikitSessionManager
from twikit_pool.sessions.outcomes import CallFailed, Outcome, Taken, Verdict
from twikit_pool.sessions.session import TwikitSession
from twikit_pool.sessions.windows import RateWindows

__all__ = [
    "ACTIONS",
    "Action",
    "CallFailed",
    "Link",
    "Outcome",
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
