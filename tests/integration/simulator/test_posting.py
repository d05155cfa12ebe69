from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import twikit
from twikit.errors import CouldNotTweet, DuplicateTweet, InvalidMedia, TweetNotAvailable

from twikit_pool.simulator import Simulator

if TYPE_CHECKING:
    from tests.integration.simulator.conftest import Connect, HandClock

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(2000)


async def test_a_post_comes_back_as_it_was_made(x: Simulator, connect: Connect) -> None:
    client = connect(x)
    tweet = await client.create_tweet("Good morning #python @sim_002")
    assert tweet.text == "Good morning #python @sim_002"
    assert tweet.id.isdecimal()
    assert tweet.user.screen_name == "sim_001"
    assert tweet.user.id == x.accounts[0].user_id
    assert tweet.hashtags == ["python"]
    assert (tweet.favorite_count, tweet.reply_count, tweet.retweet_count, tweet.quote_count) == (0, 0, 0, 0)
    assert not tweet.is_quote_status
    assert abs(tweet.created_at_datetime - datetime.now(UTC)) < timedelta(seconds=5)
    assert [(w.account, w.endpoint, w.key) for w in x.writes] == [("sim_001", "CreateTweet", tweet.text)]


async def test_a_post_shows_up_everywhere(x: Simulator, connect: Connect) -> None:
    client, follower, stranger = connect(x), connect(x, 1), connect(x, 2)
    me = x.accounts[0].user_id
    await follower.follow_user(me)
    tweet = await client.create_tweet("A unicorn in the garden")
    assert (await client.get_user_tweets(me, "Tweets"))[0].id == tweet.id
    assert tweet.id in [t.id for t in await follower.get_timeline()]
    assert tweet.id in [t.id for t in await follower.get_latest_timeline()]
    assert tweet.id not in [t.id for t in await stranger.get_timeline(100)]
    assert [t.id for t in await stranger.search_tweet("unicorn garden", "Latest")] == [tweet.id]
    assert [t.id for t in await stranger.search_tweet("unicorn", "Top")] == [tweet.id]
    seen = await stranger.get_tweet_by_id(tweet.id)
    assert (seen.text, seen.user.id, seen.created_at) == (tweet.text, me, tweet.created_at)
    assert (await client.get_user_by_id(me)).statuses_count == 1


async def test_ids_rise(x: Simulator, connect: Connect) -> None:
    client = connect(x)
    ids = [int((await client.create_tweet(f"number {n}")).id) for n in range(5)]
    assert ids == sorted(set(ids))


async def test_links_are_shortened_and_signs_escaped_as_x_does(x: Simulator, connect: Connect) -> None:
    tweet = await connect(x).create_tweet("1 < 2 & see https://example.com/page?a=1")
    assert tweet.text.startswith("1 &lt; 2 &amp; see https://t.co/")
    assert [url["expanded_url"] for url in tweet.urls] == ["https://example.com/page?a=1"]
    start, end = tweet.urls[0]["indices"]
    assert tweet.text[start:end] == tweet.urls[0]["url"]


async def test_replies_nest(x: Simulator, connect: Connect) -> None:
    client, other, third = connect(x), connect(x, 1), connect(x, 2)
    root = await client.create_tweet("Root")
    reply = await other.create_tweet("First reply", reply_to=root.id)
    nested = await third.create_tweet("Nested reply", reply_to=reply.id)
    own = await client.create_tweet("Adding to this", reply_to=root.id)
    seen = await client.get_tweet_by_id(root.id)
    assert seen.reply_count == 2
    assert [r.id for r in seen.replies] == [reply.id, own.id]
    assert [r.id for r in seen.replies[0].replies] == [nested.id]
    assert [t.id for t in seen.thread] == [root.id, own.id]
    middle = await client.get_tweet_by_id(reply.id)
    assert [t.id for t in middle.reply_to] == [root.id]
    assert middle.in_reply_to == root.id
    assert [t.id for t in (await client.get_tweet_by_id(nested.id)).reply_to] == [root.id, reply.id]


async def test_quotes_point(x: Simulator, connect: Connect) -> None:
    client, other = connect(x), connect(x, 1)
    root = await client.create_tweet("Quote me")
    url = f"https://x.com/sim_001/status/{root.id}"
    quote = await other.create_tweet("As I said", attachment_url=url)
    assert quote.is_quote_status
    assert (quote.quote.id, quote.quote.text, quote.quote.user.screen_name) == (
        root.id,
        "Quote me",
        "sim_001",
    )
    assert quote.quoted_status_id == root.id
    assert (await client.get_tweet_by_id(root.id)).quote_count == 1


async def test_retweets_count_and_come_back(x: Simulator, connect: Connect) -> None:
    client, other = connect(x), connect(x, 1)
    root = await client.create_tweet("Pass it on")
    assert (await other.retweet(root.id)).status_code == 200
    shown = (await client.get_user_tweets(x.accounts[1].user_id, "Tweets"))[0]
    assert (shown.retweeted_tweet.id, shown.user.screen_name) == (root.id, "sim_002")
    assert (await client.get_tweet_by_id(root.id)).retweet_count == 1
    assert [u.screen_name for u in await client.get_retweeters(root.id)] == ["sim_002"]
    await other.delete_retweet(root.id)
    assert (await client.get_tweet_by_id(root.id)).retweet_count == 0
    assert len(await client.get_user_tweets(x.accounts[1].user_id, "Tweets")) == 0


async def test_deleting_takes_every_trace_away(x: Simulator, connect: Connect) -> None:
    client, other = connect(x), connect(x, 1)
    root = await client.create_tweet("Gone soon")
    reply = await other.create_tweet("a reply", reply_to=root.id)
    await other.favorite_tweet(root.id)
    await other.retweet(root.id)
    await client.delete_tweet(root.id)
    with pytest.raises(TweetNotAvailable):
        await client.get_tweet_by_id(root.id)
    assert len(await client.search_tweet("Gone soon", "Latest")) == 0
    assert (await client.get_tweet_by_id(reply.id)).reply_to == []
    assert len(await other.get_user_tweets(x.accounts[1].user_id, "Likes")) == 0
    assert len(await other.get_user_tweets(x.accounts[1].user_id, "Tweets")) == 0
    again = await client.create_tweet("Gone soon")
    assert again.id != root.id


async def test_only_the_author_deletes(x: Simulator, connect: Connect) -> None:
    root = await connect(x).create_tweet("Mine")
    await connect(x, 1).delete_tweet(root.id)
    assert (await connect(x).get_tweet_by_id(root.id)).text == "Mine"


async def test_a_duplicate_is_refused(x: Simulator, connect: Connect) -> None:
    client, other = connect(x), connect(x, 1)
    root = await client.create_tweet("Twice")
    with pytest.raises(DuplicateTweet):
        await client.create_tweet("Twice")
    await other.create_tweet("Twice")
    await client.create_tweet("Twice", reply_to=root.id)
    assert len(x.writes) == 3


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("a" * 280, True),
        ("a" * 281, False),
        ("字" * 140, True),
        ("字" * 141, False),
        ("a" * 256 + " https://example.com/" + "b" * 200, True),
        ("a" * 257 + " https://example.com/" + "b" * 200, False),
        ("👨‍👩‍👧‍👦" * 140, True),
        ("👍🏽" * 141, False),
    ],
)
async def test_length_is_weighted(x: Simulator, connect: Connect, text: str, fits: bool) -> None:
    client = connect(x)
    if fits:
        assert (await client.create_tweet(text)).id
    else:
        with pytest.raises(CouldNotTweet, match="186"):
            await client.create_tweet(text)


async def test_a_long_post(x: Simulator, connect: Connect) -> None:
    client, text = connect(x), "word " * 200
    tweet = await client.create_tweet(text, is_note_tweet=True)
    assert tweet.full_text == text
    assert (await client.get_tweet_by_id(tweet.id)).full_text == text
    assert x.writes[0].endpoint == "CreateNoteTweet"


async def test_nothing_at_all_is_refused(x: Simulator, connect: Connect) -> None:
    with pytest.raises(CouldNotTweet, match="170"):
        await connect(x).create_tweet("")


async def test_an_answer_to_nothing_is_refused(x: Simulator, connect: Connect) -> None:
    with pytest.raises(CouldNotTweet, match="144"):
        await connect(x).create_tweet("hello", reply_to="123")


async def test_a_photo(x: Simulator, connect: Connect) -> None:
    client = connect(x)
    media_id = await client.upload_media(PNG, media_type="image/png")
    assert (await client.create_media_metadata(media_id, alt_text="A dot")).status_code == 200
    tweet = await client.create_tweet("Look", media_ids=[media_id])
    assert [(m.id, m.type) for m in tweet.media] == [(str(media_id), "photo")]
    assert tweet.media[0]._data["ext_alt_text"] == "A dot"
    me = x.accounts[0].user_id
    assert [t.id for t in await client.get_user_tweets(me, "Media")] == [tweet.id]
    assert [t.id for t in await client.search_tweet("Look", "Media")] == [tweet.id]
    assert (await client.user()).media_count == 1


async def test_a_video_takes_its_time(x: Simulator, connect: Connect) -> None:
    client = connect(x)
    media_id = await client.upload_media(MP4, media_type="video/mp4", media_category="tweet_video")
    state = await client.check_media_status(media_id)
    assert state["processing_info"]["state"] == "in_progress"
    with pytest.raises(InvalidMedia):
        await client.create_tweet("Too early", media_ids=[media_id])
    done = await client.upload_media(
        MP4, wait_for_completion=True, status_check_interval=0.05, media_type="video/mp4"
    )
    tweet = await client.create_tweet("A film", media_ids=[done])
    assert tweet.media[0].type == "video"
    assert tweet.media[0].streams[0].url.endswith(".mp4")
    gif = await client.upload_media(
        b"GIF89a" + bytes(50),
        wait_for_completion=True,
        status_check_interval=0.05,
        media_type="image/gif",
        media_category="tweet_gif",
    )
    assert (await client.create_tweet("Round", media_ids=[gif])).media[0].type == "animated_gif"


async def test_an_upload_in_several_segments(
    x: Simulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect(x)
    media_id = await client.upload_media(
        MP4[:16] + bytes(9 * 1024 * 1024), media_type="video/mp4", is_long_video=True
    )
    assert x.calls.count("media/upload2") == 4
    state = await client.check_media_status(media_id, is_long_video=True)
    assert state["size"] == 16 + 9 * 1024 * 1024


async def test_media_of_others_or_none_are_refused(x: Simulator, connect: Connect) -> None:
    media_id = await connect(x).upload_media(PNG, media_type="image/png")
    for client, wrong in ((connect(x, 1), media_id), (connect(x), "123")):
        with pytest.raises(InvalidMedia):
            await client.create_tweet("Not mine", media_ids=[wrong])
    assert [w.endpoint for w in x.writes] == ["media/upload"]


@pytest.mark.parametrize(
    ("media_type", "size", "words"),
    [("text/html", 10, "not accepted"), ("image/png", 6 * 1024 * 1024, "1 to 5242880 bytes")],
)
async def test_uploads_that_x_does_not_take(
    x: Simulator, connect: Connect, media_type: str, size: int, words: str
) -> None:
    with pytest.raises(twikit.errors.BadRequest, match=words):
        await connect(x).upload_media(bytes(size), media_type=media_type)


async def test_an_upload_with_a_gap_is_refused(x: Simulator, connect: Connect) -> None:
    client = connect(x)
    begun, _ = await client.v11.upload_media_init("image/png", 100, None, is_long_video=False)
    with pytest.raises(InvalidMedia):
        await client.create_tweet("Nothing arrived", media_ids=[begun["media_id"]])
    await client.v11.upload_media_append(False, begun["media_id"], 1, io.BytesIO(bytes(100)))
    with pytest.raises(twikit.errors.BadRequest, match="Not all segments"):
        await client.v11.upload_media_finelize(False, begun["media_id"])


async def test_deleting_a_quote_takes_it_out_of_the_count(x: Simulator, connect: Connect) -> None:
    client, other = connect(x), connect(x, 1)
    root = await client.create_tweet("Quote me")
    quote = await other.create_tweet("Yes", attachment_url=f"https://x.com/i/status/{root.id}")
    await other.delete_tweet(quote.id)
    assert (await client.get_tweet_by_id(root.id)).quote_count == 0


async def test_polls_that_make_no_sense(x: Simulator, connect: Connect) -> None:
    client = connect(x)
    with pytest.raises(twikit.errors.BadRequest, match="two to four choices"):
        await client.create_poll(["Only one"], 60)
    uri = await client.create_poll(["Tea", "Coffee"], 60)
    with pytest.raises(twikit.errors.BadRequest, match="no such choice"):
        await client.vote("3", uri, "1", "poll2choice_text_only")


async def test_a_poll(x: Simulator, connect: Connect) -> None:
    client, other = connect(x), connect(x, 1)
    uri = await client.create_poll(["Tea", "Coffee"], 60)
    tweet = await client.create_tweet("Which?", poll_uri=uri)
    assert [c["label"] for c in tweet.poll.choices] == ["Tea", "Coffee"]
    assert tweet.poll.duration_minutes == 60
    poll = await other.vote("2", uri, tweet.id, tweet.poll.name)
    assert [c["count"] for c in poll.choices] == ["0", "1"]
    assert poll.selected_choice == "2"
    await other.vote("1", uri, tweet.id, tweet.poll.name)
    seen = await client.get_tweet_by_id(tweet.id)
    assert [c["count"] for c in seen.poll.choices] == ["0", "1"]
    assert seen.poll.selected_choice is None


async def test_scheduled_posts(connect: Connect, clock: HandClock) -> None:
    async with Simulator(clock=clock) as x:
        client = connect(x)
        first = await client.create_scheduled_tweet(1_800_000_100, "Later")
        second = await client.create_scheduled_tweet(1_800_000_200, "Never")
        waiting = await client.get_scheduled_tweets()
        assert [(p.id, p.text, p.state) for p in waiting] == [
            (first, "Later", "Scheduled"),
            (second, "Never", "Scheduled"),
        ]
        await client.delete_scheduled_tweet(second)
        clock.at += 300
        tweets = await client.get_user_tweets(x.accounts[0].user_id, "Tweets")
        assert [t.text for t in tweets] == ["Later"]
        assert tweets[0].created_at_datetime == datetime.fromtimestamp(1_800_000_100, UTC)
        assert len(await client.get_scheduled_tweets()) == 0
        with pytest.raises(twikit.errors.BadRequest):
            await client.create_scheduled_tweet(1_700_000_000, "Yesterday")
