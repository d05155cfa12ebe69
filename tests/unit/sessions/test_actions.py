from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from twikit.client.client import Client

from twikit_pool.errors import InvalidParameters, UnknownAction
from twikit_pool.pool.request import ConnectionRequest
from twikit_pool.sessions.actions import ACTIONS, GetUserTweets, PostTweet, parse_action
from twikit_pool.sessions.backends.twikit.perform import _PERFORMERS


def test_every_action_has_a_performer_a_sentence_and_a_twin_in_twikit() -> None:
    for name, kind in ACTIONS.items():
        assert kind.name == name
        assert kind in _PERFORMERS, name
        assert (kind.__doc__ or "").strip(), name
        assert callable(getattr(Client, kind.twikit)), name
        assert kind.endpoint


@pytest.mark.parametrize(
    ("name", "parameters", "complaint"),
    [
        ("like_tweet", {}, "like_tweet: missing parameter `tweet_id`"),
        ("like_tweet", {"tweet_id": 20}, "like_tweet: Expected `str`, got `int` in parameter `tweet_id`"),
        ("like_tweet", {"tweet_id": "20", "x": 1}, "like_tweet: unknown parameter `x`"),
        ("like_tweet", {"tweet_id": "twenty"}, "matching regex"),
        ("post_tweet", {}, "post_tweet: nothing to post"),
        (
            "post_tweet",
            {"content": "x", "poll": {"choices": ["a"]}},
            "length >= 2 in parameter `poll.choices`",
        ),
        ("post_tweet", {"media": ["a", "b", "c"], "media_urls": ["d", "e"]}, "5 pieces of media"),
        ("post_tweet", {"content": "?", "media": ["a"], "poll": {"choices": ["a", "b"]}}, "a poll or media"),
        ("send_dm", {"user_id": "1", "text": "x", "media": ["a", "b"]}, "at most 1"),
        ("schedule_tweet", {"content": "x", "at": "2030-01-01T00:00:00"}, "timezone"),
        ("search_tweet", {"query": "x", "count": 0}, "count"),
        ("upload_media", {}, "either url or path"),
    ],
)
def test_a_wrong_parameter_is_named_before_anything_is_sent(
    name: str, parameters: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InvalidParameters, match=complaint):
        parse_action(name, parameters)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("create_tweet", "did you mean 'post_tweet'?"),
        ("lik_tweet", "did you mean 'like_tweet'?"),
        ("qqq", "lists them all"),
    ],
)
def test_an_unknown_action_is_met_with_a_hint(wrong: str, hint: str) -> None:
    with pytest.raises(UnknownAction, match=hint.replace("?", r"\?")):
        parse_action(wrong, {})
    with pytest.raises(UnknownAction):
        ConnectionRequest(action=wrong)


def test_a_call_spends_the_window_of_the_operation_it_really_uses() -> None:
    assert PostTweet(content="x").spends == "CreateTweet"
    assert PostTweet(content="x", long=True).spends == "CreateNoteTweet"
    assert PostTweet(content="x", long=True).needs == {"long_posts"}
    assert GetUserTweets(user_id="1", kind="Replies").spends == "UserTweetsAndReplies"


def test_parameters_travel_as_json() -> None:
    at = parse_action("schedule_tweet", {"content": "x", "at": "2030-01-01T00:00:00+00:00"})
    assert getattr(at, "at") == datetime(2030, 1, 1, tzinfo=UTC)  # noqa: B009 - the table returns the root type
    assert parse_action("create_list", {"name": "n"}).name == "create_list"
