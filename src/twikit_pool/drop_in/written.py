"""What a request of twikit's writes, as an action, so that the pool's guard can look at it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, cast

from twikit_pool.errors import InvalidParameters
from twikit_pool.sessions.actions import Action, CreateList, PostTweet, ScheduleTweet, SendDirectMessage

Variables = Mapping[str, Any]


def written(endpoint: str | None, body: Any) -> Action | None:
    """The action that a request comes to; None where it carries no words, or is none that is known.

    Args:
        endpoint: the operation.
        body: what goes to it as JSON.
    """
    make = _MAKERS.get(endpoint or "")
    if make is None or not isinstance(body, Mapping):
        return None
    try:
        sent = cast("Variables", body)
        return make(sent.get("variables", sent))
    except (InvalidParameters, KeyError, TypeError, ValueError):  # X will say what it thinks of it
        return None


def _table(sent: Variables, name: str) -> Variables:
    return sent.get(name) or {}


def _post(sent: Variables) -> Action:
    pieces: list[Variables] = _table(sent, "media").get("media_entities") or []
    quoted = str(sent.get("attachment_url") or "").rstrip("/").rpartition("/")[2]
    return PostTweet(
        content=str(sent.get("tweet_text") or ""),
        reply_to=_table(sent, "reply").get("in_reply_to_tweet_id"),
        quote=quoted or None,
        media_ids=[str(each["media_id"]) for each in pieces],
    )


def _long_post(sent: Variables) -> Action:
    return PostTweet(
        content=str(sent.get("tweet_text") or ""),
        reply_to=_table(sent, "reply").get("in_reply_to_tweet_id"),
        long=True,
    )


def _scheduled(sent: Variables) -> Action:
    return ScheduleTweet(
        content=str(_table(sent, "post_tweet_request").get("status") or ""),
        at=datetime.fromtimestamp(int(sent["execute_at"]), UTC),
    )


def _message(sent: Variables) -> Action:
    return SendDirectMessage(
        user_id=str(sent["conversation_id"]).partition("-")[0], text=str(sent.get("text") or "")
    )


def _list(sent: Variables) -> Action:
    return CreateList(name_=str(sent["name"]), description=str(sent.get("description") or ""))


_MAKERS: Final[dict[str, Callable[[Variables], Action]]] = {
    "CreateTweet": _post,
    "CreateNoteTweet": _long_post,
    "CreateScheduledTweet": _scheduled,
    "dm/new2": _message,
    "CreateList": _list,
}
