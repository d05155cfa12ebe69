"""The guard by itself: what it lets through, who may override, and what it notes of what left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from twikit_pool.accounts import Account, Credentials
from twikit_pool.errors import ConfigError, PostBlocked, PostHeld, SafetyError
from twikit_pool.redaction import Cookies
from twikit_pool.safety import Overridden, Planned, PostGuard, SafetySettings, overriding
from twikit_pool.safety.guard import Passage
from twikit_pool.sessions.actions import Action, PostTweet, parse_action
from twikit_pool.sessions.media import Media
from twikit_pool.sessions.outcomes import Taken


class SetClock:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


NEWS = PostTweet(content="The bridge over the harbour opens again on Monday morning")
CARD = PostTweet(content="Our number is 4111 1111 1111 1111")


def account(name: str, *tags: str) -> Account:
    return Account(
        id=name, tags=frozenset(tags), credentials=Credentials(cookies=Cookies(auth_token="canary"))
    )


def modes(folder: Path) -> set[int]:
    return {each.stat().st_mode & 0o777 for each in folder.iterdir()}


async def admitted(guard: PostGuard, action: Action, name: str = "a", *files: Media) -> Passage:
    passage = await guard.admit(action, account(name), pool_id="default", owner=None, files=files)
    assert isinstance(passage, Passage)
    return passage


async def test_what_carries_no_words_is_not_watched() -> None:
    guard = PostGuard.of()
    like = parse_action("like_tweet", {"tweet_id": "1"})
    guard.look(like, "a")
    assert await guard.admit(like, account("a"), pool_id="default", owner=None, files=()) is None
    guard.close()


async def test_media_are_looked_at_with_their_post() -> None:
    guard = PostGuard.of()
    gif = Media(content=b"GIF89a", mime="image/gif", source="a.gif")
    with pytest.raises(PostBlocked, match=r"media\.together"):
        await admitted(guard, NEWS, "a", gif, gif)
    guard.close()


async def test_it_is_remembered_when_it_leaves_and_not_before() -> None:
    guard = PostGuard.of()
    passage = await admitted(guard, NEWS)
    await admitted(guard, NEWS, "b")
    passage.leave()
    passage.leave()  # the session sends it again
    assert len(guard.filter.memory) == 1
    with pytest.raises(PostBlocked):
        await admitted(guard, NEWS, "b")
    passage.end(Taken.NO)
    passage = await admitted(guard, NEWS, "b")
    passage.leave()
    passage.end(Taken.UNKNOWN)
    assert len(guard.filter.memory) == 1
    guard.close()


async def test_quiet_hours_of_an_unknown_account_hold_nobody_up() -> None:
    guard = PostGuard.of(SafetySettings(quiet_hours="00:00-23:59"))
    guard.look(NEWS, None)
    with pytest.raises(PostBlocked, match=r"quiet\.hours"):
        await admitted(guard, NEWS)
    guard.close()


async def test_a_post_that_leaves_later_than_it_was_looked_at_is_looked_at_again() -> None:
    clock = SetClock(datetime(2026, 6, 1, 21, 59, tzinfo=UTC))
    guard = PostGuard.of(SafetySettings(quiet_hours="22:00-07:00"), clock=clock)
    passage = await admitted(guard, NEWS)
    clock.at += timedelta(minutes=5)
    with pytest.raises(PostBlocked, match=r"quiet\.hours"):
        passage.leave()
    assert len(guard.filter.memory) == 0
    guard.close()


async def test_an_approval_lifts_what_asked_for_a_person_and_no_more() -> None:
    guard = PostGuard.of()
    with pytest.raises(PostHeld) as held:
        await admitted(guard, CARD)
    guard.reviews.approve(held.value.review_id or 0, by="anna")
    passage = await admitted(guard, CARD)
    passage.leave()
    passage.end(Taken.NO)
    passage = await admitted(guard, CARD)  # X has not taken it: the approval is good again
    passage.leave()
    passage.end(Taken.YES)
    with pytest.raises(PostBlocked, match=r"repeats\.own"):
        await admitted(guard, CARD)
    with pytest.raises(PostBlocked, match=r"similar"):
        await admitted(guard, CARD, "b")
    guard.close()


async def test_an_override_is_told_before_the_post_leaves() -> None:
    told: list[Overridden] = []
    guard = PostGuard.of()
    guard.on_override = told.append
    (await admitted(guard, NEWS)).leave()
    with overriding(" both agreed ", by="anna"):
        guard.look(PostTweet(content="x" * 281), "b")
        passage = await admitted(guard, NEWS, "b")
    assert [str(each) for each in told] == ["post_tweet as b past similar.across_accounts: both agreed"]
    passage.leave()
    assert len(told) == 1
    assert len(guard.filter.memory) == 2
    with overriding("nothing to override", by="anna"):
        await admitted(guard, PostTweet(content="Fine"), "c")
    assert len(told) == 1
    with pytest.raises(PostBlocked):
        await admitted(guard, NEWS, "c")
    guard.close()


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_an_override_has_a_reason(reason: str) -> None:
    with pytest.raises(ConfigError, match="takes a reason"), overriding(reason, by="anna"):
        pass


async def test_what_cannot_be_noted_after_the_fact_breaks_nothing(tmp_path: Path) -> None:
    guard = PostGuard.of(path=tmp_path / "safety.db")
    passage = await admitted(guard, NEWS)
    passage.leave()
    guard.close()
    passage.end(Taken.YES)
    with pytest.raises(SafetyError):
        await admitted(guard, NEWS, "b")


async def test_what_was_said_before_a_restart_is_known_after_it(tmp_path: Path) -> None:
    first = PostGuard.of(path=tmp_path / "safety.db")
    passage = await admitted(first, NEWS)
    passage.leave()
    with pytest.raises(PostHeld):
        await admitted(first, CARD)
    first.close()
    assert modes(tmp_path) == {0o600}
    second = PostGuard.of(path=tmp_path / "safety.db")
    with pytest.raises(PostBlocked):
        await admitted(second, NEWS, "b")
    assert second.reviews.pending() == 1
    [verdict] = await second.filter.validate([Planned(post=NEWS, account="b")])
    assert not verdict.allowed
    second.close()
