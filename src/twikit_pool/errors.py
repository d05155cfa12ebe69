"""Every error that twikit-pool raises, in one tree.

A message says what happened, to which account or setting, and what to do next. No message carries a
cookie, a token or a password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class TwikitPoolError(Exception):
    """The root of the tree."""


# ---------------------------------------------------------------- settings


class ConfigError(TwikitPoolError, ValueError):
    """A setting is missing, unknown or outside its range."""


# ---------------------------------------------------------------- accounts and their store


class AccountError(TwikitPoolError):
    """Something about one account."""


class AccountNotFound(AccountError, LookupError):
    """No account with this id."""


class InvalidAccount(AccountError, ValueError):
    """What was given cannot be an account: a field is missing or malformed."""


class AccountUnavailable(AccountError):
    """The account exists but may not be used now: disabled, locked, suspended or stale."""


class StoreError(TwikitPoolError):
    """The account store cannot be read or written."""


class KeyMissing(StoreError):
    """No encryption key is configured, so nothing was read or written."""


class WrongKey(StoreError):
    """The configured key does not open this store, so nothing was changed."""


# ---------------------------------------------------------------- the history of metrics


class HistoryError(StoreError):
    """The history of metrics cannot be read or written."""


class HistoryDamaged(HistoryError):
    """Nobody can read the history's file any more."""


# ---------------------------------------------------------------- actions and calls


class ActionError(TwikitPoolError, ValueError):
    """The action cannot be sent as asked; nothing was sent."""


class UnknownAction(ActionError):
    """No action has this name."""


class InvalidParameters(ActionError):
    """A parameter is missing, unknown or of the wrong type."""


class MediaRefused(ActionError):
    """A media URL or file may not be fetched, or is not what it should be."""


class MediaUnavailable(ActionError):
    """The place that a media URL names could not be reached, or did not deliver: later it may."""


class NotThroughPool(ActionError, AttributeError):
    """A pooled client cannot offer this part of `twikit.Client`; the message says what does instead."""


# ---------------------------------------------------------------- the content filter


class PostRefused(ActionError):
    """The content filter does not let a post go; nothing was sent. The message gives rule and suggestion.

    Attributes:
        reasons: why: objects with `rule`, `severity`, `message`, `suggestion`, `field` and `span`.
        review_id: its place in the review queue, if a person is to decide.
    """

    def __init__(self, message: str, reasons: Sequence[object] = (), review_id: int | None = None) -> None:
        super().__init__(message)
        self.reasons = tuple(reasons)
        self.review_id = review_id


class PostBlocked(PostRefused):
    """A rule forbids the post: change it, or have an operator override the rule."""


class PostHeld(PostRefused):
    """A person is to decide about the post: it waits in the review queue (`review_id`)."""


class SafetyError(TwikitPoolError):
    """What the content filter remembers, or its review queue, cannot be read or written; nothing is sent."""


class ReviewNotFound(TwikitPoolError, LookupError):
    """The review queue has no entry of this id, or it is decided already."""


# ---------------------------------------------------------------- the pool


class PoolError(TwikitPoolError):
    """Something about the pool itself."""


class PoolClosed(PoolError):
    """The pool is shut down or shutting down."""


class PoolNotFound(PoolError, LookupError):
    """No pool has this name."""


class ConnectionNotFound(PoolError, LookupError):
    """The pool has no connection of this id; it may be closed by now."""


class AcquireTimeoutError(PoolError, TimeoutError):
    """No connection came free within the request's timeout."""


class PoolOverloadedError(PoolError):
    """Too many requests wait already; this one was refused so that the others can be served."""


class LeaseLost(PoolError):
    """The connection is no longer held by this lease."""


class EmergencyStopped(PoolError):
    """The pool is in an emergency stop: only CRITICAL and EMERGENCY requests are served until it ends."""


class LibraryOutOfDate(PoolError):
    """X does not know an operation as the client library sends it: refused until a try succeeds."""


class ReservationConflict(PoolError):
    """The account's connections are all reserved already, or the reservation is over."""


class NoAccountAvailable(PoolError):
    """No account of the pool can serve this request, now or later; the message says why each cannot."""


# ---------------------------------------------------------------- costs


class FeedFailed(TwikitPoolError):
    """A price or carbon feed cannot be asked, or its answer is none; it is asked again later."""


# ---------------------------------------------------------------- alerts


class AlertNotFound(TwikitPoolError, LookupError):
    """No alert, or no silence, with this id that is not over."""


class DeliveryFailed(TwikitPoolError):
    """A destination has not taken a message about an alert; `again` says whether a repetition may help."""

    def __init__(self, message: str, *, again: bool, after: float = 0.0) -> None:
        super().__init__(message)
        self.again = again
        self.after = after
        """Seconds that the destination asks to be left alone."""


# ---------------------------------------------------------------- jobs


class ResultsError(TwikitPoolError):
    """A results file or its journal cannot be used."""


class JobIdTaken(TwikitPoolError, ValueError):
    """Another job has this id, in this run or an earlier one."""
