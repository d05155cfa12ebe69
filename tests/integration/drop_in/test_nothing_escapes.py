"""Whatever a call returns leads to no real client: only to pooled ones, of the account that answered.

Every method of `twikit.Client` is called, the simulator answering, or a canned answer where it has no such
operation; then all that can be reached from the result is looked at, closures included.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from twikit.client.client import Client
from twikit.tweet import Tweet
from twikit.utils import Result

from twikit_pool.drop_in import PooledClient
from twikit_pool.sessions import TwikitSession
from twikit_pool.sessions.backends.twikit.link import TwikitLink

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
REFUSED = {"login", "logout", "unlock", "get_streaming_session"}
WITHOUT_OBJECTS = {"Response", "str", "bool", "dict", "list[dict]", "tuple[dict | Any, Response]"}
"""What a method may be said to return that has no client in it."""
EMPTY_HERE = {"get_user_verified_followers"}
Calls = dict[str, Callable[[PooledClient], Awaitable[Any]]]


def reachable(root: object) -> Iterator[object]:
    """Everything that hangs on an object, but for a pooled client's pool, which does hold the sessions."""
    seen: dict[int, object] = {}
    left = [root]
    while left:
        each = left.pop()
        if id(each) in seen or isinstance(each, type | types.ModuleType | str | bytes | int | float):
            continue
        seen[id(each)] = each
        yield each
        left.extend(_held_by(each))


def _held_by(each: object) -> Iterator[object]:
    if isinstance(each, dict):
        yield from each.values()
    elif isinstance(each, list | tuple | set | frozenset):
        yield from each
    elif isinstance(each, functools.partial):
        yield from (each.func, each.args, each.keywords)
    elif isinstance(each, types.MethodType):
        yield from (each.__self__, each.__func__)
    elif isinstance(each, types.FunctionType):
        yield from (cell.cell_contents for cell in each.__closure__ or ())
        yield each.__defaults__
        yield each.__kwdefaults__
    elif isinstance(each, types.GeneratorType | types.CoroutineType | types.AsyncGeneratorType):
        frame = getattr(each, "gi_frame", None) or getattr(each, "cr_frame", None)
        yield frame.f_locals if frame else None
    kept_apart = ("pool", "_remembered") if isinstance(each, PooledClient) else ()
    yield from (value for name, value in getattr(each, "__dict__", {}).items() if name not in kept_apart)
    for kind in type(each).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            yield getattr(each, name, None)


def whose(result: object) -> set[str | None]:
    """The accounts of the pooled clients in a result; fails where it leads to anything of a session."""
    accounts: set[str | None] = set()
    for each in reachable(result):
        if isinstance(each, PooledClient):
            accounts.add(each.account)
        forbidden = Client | httpx.AsyncClient | TwikitSession | TwikitLink
        assert not isinstance(each, forbidden) or isinstance(each, PooledClient), f"{each} escaped"
    return accounts


def test_the_search_finds_what_is_hidden() -> None:
    real = httpx.AsyncClient.__new__(httpx.AsyncClient)
    real.__dict__["_state"] = None
    bound = functools.partial(httpx.AsyncClient.get, real)
    with pytest.raises(AssertionError, match="escaped"):
        whose(lambda: bound)
    with pytest.raises(AssertionError, match="escaped"):
        whose({"a": [real.get]})


async def looked_into(result: Any) -> Any:
    """A result with all that its objects make lazily, and the pages on both its sides."""
    found = [result]
    if isinstance(result, Result):
        found += [await result.next(), await result.previous()]
    for each in [*reachable(result)]:
        if isinstance(each, Tweet):
            found.append([each.quote, each.retweeted_tweet, each.poll, each.media, each.full_text])
            for medium in each.media:
                found.append(getattr(medium, "streams", None))
    return found


async def test_no_result_of_any_method_leads_to_a_real_client(home: Any) -> None:
    home.canned |= canned(await raw(home))
    client = home.client()
    calls = await every_call(home)
    methods = {n for n, each in vars(Client).items() if inspect.iscoroutinefunction(each) and n[0] != "_"}
    assert methods == set(calls) | REFUSED, "a method of twikit is missing here"
    for name, call in calls.items():
        sent = len(home.sent)
        result = await call(client)
        answered = {account for account, _ in home.sent[sent:]}
        accounts = whose(await looked_into(result))
        assert len(answered) <= 1, f"{name} went to several accounts"
        assert accounts <= answered, f"{name} is bound to {accounts}, and {answered} answered"
        of_objects = inspect.signature(getattr(Client, name)).return_annotation not in WITHOUT_OBJECTS
        assert accounts or not of_objects or name in EMPTY_HERE, f"{name} returned nothing to look at"
    assert client.account is None


async def test_no_page_of_a_bound_client_leads_to_a_real_one(home: Any) -> None:
    client = home.client(1)
    page = await client.get_user_followers(home.x.accounts[0].user_id, 2)
    assert whose(await looked_into(page)) == {home.id(1)}
    assert page[0]._client is client


async def raw(home: Any) -> dict[str, Any]:
    """X's JSON of a user and of a timeline, to make canned answers of."""
    client = home.client(0)
    user, _ = await client.gql.user_by_screen_name(home.x.accounts[1].handle)
    found, _ = await client.gql.search_timeline("the", "Latest", 20, None)
    (entries,) = (
        instruction["entries"]
        for instruction in found["data"]["search_by_raw_query"]["search_timeline"]["timeline"]["instructions"]
        if "entries" in instruction
    )
    return {"user": user["data"]["user"]["result"], "entries": entries}


def canned(raw: dict[str, Any]) -> dict[str, Any]:
    """Answers to the operations that the simulator lacks, by the end of their path."""
    user, entries = raw["user"], raw["entries"]
    v1_user = {"id": 7, "id_str": "7", "name": "Seven", "screen_name": "seven"}
    community = {
        "rest_id": "5", "id_str": "5", "name": "Five", "members_facepile_results": [],
        "default_banner_media": {"media_info": {}}, "creator_results": {"result": user},
        "admin_results": {"result": user},
    }  # fmt: skip
    place = {
        "id": "p", "name": "P", "full_name": "P", "country": "C", "country_code": "CC", "url": "",
        "place_type": "city", "bounding_box": {},
    }  # fmt: skip
    places = {"result": {"places": [place | {"contained_within": [place]}]}}
    folder = {"id": "9", "name": "Nine", "media": {}}
    timeline = {"data": {"timeline": {"instructions": [{"type": "TimelineAddEntries", "entries": entries}]}}}
    members = {"data": {"members": {"items_results": [{"result": user | {"__typename": "User"}}]}}}
    trend = {"itemType": "TimelineTrend", "name": "a trend"}
    trends = {"data": {"entries": [{"entryId": "trend-1", "content": {"itemContent": trend}}]}}
    location = {
        "woeid": 1, "country": "C", "countryCode": "CC", "name": "P", "parentid": 0, "placeType": {},
        "url": "",
    }  # fmt: skip
    place_trend = {"name": "t", "url": "", "promoted_content": None, "query": "q", "tweet_volume": 1}
    message = {"message_data": {"id": "1", "time": "1", "text": "hi", "sender_id": "7"}}
    group = {
        "conversation_timeline": {
            "users": {"7": v1_user},
            "conversations": {"55": {"name": "G", "participants": [{"user_id": "7"}]}},
            "entries": [{"message": message}],
        }
    }
    return {
        "/SimilarPosts": timeline,
        "/UserHighlightsTweets": timeline,
        "/geo/reverse_geocode.json": places,
        "/geo/search.json": places,
        "/geo/id/p.json": place,
        "/AboutAccountQuery": {"data": {"user_result_by_screen_name": {"result": {"about_profile": {}}}}},
        "/ProfileSpotlightsQuery": {"data": {"user_result_by_screen_name": {"result": {}}}},
        "/BirdwatchFetchOneNote": {
            "data": {
                "birdwatch_note_by_rest_id": {
                    "rest_id": "1",
                    "data_v1": {"summary": {"text": "note"}},
                    "tweet_results": {"result": {"rest_id": "2"}},
                }
            }
        },
        "/BookmarkFoldersSlice": {
            "data": {"bookmark_collections_slice": {"items": [folder], "slice_info": {"next_cursor": "c"}}}
        },
        "/EditBookmarkFolder": {"data": {"bookmark_collection_update": folder}},
        "/DeleteBookmarkFolder": {"data": {"bookmark_collection_delete": "Done"}},
        "/createBookmarkFolder": {"data": {"bookmark_collection_create": folder}},
        "/ExplorePage": trends,
        "/trends/available.json": [location],
        "/trends/place.json": [{"trends": [place_trend]}],
        "/UserCreatorSubscriptions": {"data": {"entries": [{"entryId": "user-7", "result": user}]}},
        "/useDMReactionMutationAddMutation": {"data": {"create_dm_reaction": "Done"}},
        "/useDMReactionMutationRemoveMutation": {"data": {"delete_dm_reaction": "Done"}},
        "/AddParticipantsMutation": {"data": {"add_participants": "Done"}},
        "/dm/conversation/55/update_name.json": {},
        "/dm/conversation/55.json": group,
        "/EditListBanner": {"data": {"list": "Done"}},
        "/DeleteListBanner": {"data": {"list": "Done"}},
        "/CommunitiesSearchQuery": {
            "data": {"items_results": [{"result": community}], "slice_info": {"next_cursor": "c"}}
        },
        "/CommunityQuery": {"data": {"communityResults": {"result": community}}},
        "/CommunityTweetsTimeline": timeline,
        "/CommunitiesMainPageTimeline": {
            "data": {
                "entries": [
                    {"entryId": "tweet-1", "result": _with_community(entry, community)}
                    for entry in entries
                    if entry["entryId"].startswith("tweet")
                ]
            }
        },
        "/JoinCommunity": {"data": {"community_join": community}},
        "/LeaveCommunity": {"data": {"community_leave": community}},
        "/RequestToJoinCommunity": {"data": {"result": community}},
        "/membersSliceTimeline_Query": members,
        "/moderatorsSliceTimeline_Query": members,
        "/CommunityTweetSearchModuleQuery": timeline,
        "/i/a-group-is-made": {},
    }


def _with_community(entry: dict[str, Any], community: dict[str, Any]) -> dict[str, Any]:
    result = entry["content"]["itemContent"]["tweet_results"]["result"]
    return result | {"community_results": {"result": community}}


async def every_call(home: Any) -> Calls:
    """A call of every method, in an order in which each finds what it needs."""
    me, other = home.client(0), home.x.accounts[1]
    someone = str(max(home.x.world.users))
    tweet = await me.create_tweet("a post")
    await me.create_tweet("an answer", reply_to=tweet.id)
    await me.create_tweet("a quote", attachment_url=f"https://x.com/i/status/{tweet.id}")
    await home.client(1).retweet(tweet.id)
    await me.create_tweet(f"hello @{other.handle}")
    await home.client(1).create_tweet("for the list")
    listed = await me.create_list("mine")
    await me.add_list_member(listed.id, other.user_id)
    message = await me.send_dm(other.user_id, "hello")
    poll = await me.create_poll(["yes", "no"], 60)
    asked = await me.create_tweet("which?", poll_uri=poll)
    await home.client(1).favorite_tweet(asked.id)
    media = await me.upload_media(PNG)
    soon = int((datetime.now(UTC) + timedelta(days=1)).timestamp())
    scheduled = await me.create_scheduled_tweet(soon, "later")
    url = "https://api.x.com/1.1/account/settings.json"

    async def create_group(client: PooledClient) -> Any:
        home.canned["/dm/new2.json"] = {"entries": [{"message": {"conversation_id": "55"}}]}
        group = await client.create_group([other.user_id], "hi")
        home.canned["/dm/new2.json"] = {
            "users": {"7": {"id_str": "7"}},
            "entries": [{"message": {"message_data": {"id": "1", "time": "1", "text": "hi"}}}],
        }
        assert group.members
        return [group, await group.send_message("hi"), await group.get_history()]

    async def delete_conversation(client: PooledClient) -> Any:
        home.canned["/delete.json"] = {}
        return await client.delete_dm_conversation("1-2")

    return {
        "request": lambda c: c.request("GET", url, headers=c._base_headers),
        "get": lambda c: c.get(url, headers=c._base_headers),
        "post": lambda c: c.post("https://x.com/i/api/1.1/dm/conversation/55/update_name.json", headers={}),
        "user_id": lambda c: c.user_id(),
        "user": lambda c: c.user(),
        "is_logged_in": lambda c: c.is_logged_in(),
        "search_tweet": lambda c: c.search_tweet("the", "Latest", 5),
        "search_user": lambda c: c.search_user("a", 2),
        "get_similar_tweets": lambda c: c.get_similar_tweets(tweet.id),
        "get_user_highlights_tweets": lambda c: c.get_user_highlights_tweets(other.user_id),
        "upload_media": lambda c: c.upload_media(PNG),
        "check_media_status": lambda c: c.check_media_status(media),
        "create_media_metadata": lambda c: c.create_media_metadata(media, "text"),
        "create_poll": lambda c: c.create_poll(["yes", "no"], 60),
        "vote": lambda c: c.vote("1", poll, asked.id, "poll2choice_text_only"),
        "create_tweet": lambda c: c.create_tweet("another post"),
        "create_scheduled_tweet": lambda c: c.create_scheduled_tweet(soon, "later still"),
        "get_user_by_screen_name": lambda c: c.get_user_by_screen_name(other.handle),
        "get_user_by_id": lambda c: c.get_user_by_id(other.user_id),
        "reverse_geocode": lambda c: c.reverse_geocode(1, 2),
        "search_geo": lambda c: c.search_geo(query="p"),
        "get_place": lambda c: c.get_place("p"),
        "get_tweet_by_id": lambda c: c.get_tweet_by_id(tweet.id),
        "update_profile": lambda c: c.update_profile(name="New"),
        "get_about_account": lambda c: c.get_about_account(other.handle),
        "get_user_spotlights": lambda c: c.get_user_spotlights(other.handle),
        "get_user_mentions": lambda c: c.get_user_mentions(other.handle),
        "search_tweets_by_date": lambda c: c.search_tweets_by_date("the", "2000-01-01", "2100-01-01"),
        "get_thread": lambda c: c.get_thread(tweet.id),
        "get_tweet_by_url": lambda c: c.get_tweet_by_url(f"https://x.com/i/status/{tweet.id}"),
        "get_tweets_by_ids": lambda c: c.get_tweets_by_ids([tweet.id, asked.id]),
        "get_scheduled_tweets": lambda c: c.get_scheduled_tweets(),
        "delete_scheduled_tweet": lambda c: c.delete_scheduled_tweet(scheduled),
        "get_retweeters": lambda c: c.get_retweeters(tweet.id),
        "get_favoriters": lambda c: c.with_account(home.id(0)).get_favoriters(asked.id),
        "get_community_note": lambda c: c.get_community_note("1"),
        "get_user_tweets": lambda c: c.get_user_tweets(home.x.accounts[0].user_id, "Tweets"),
        "get_timeline": lambda c: c.get_timeline(5),
        "get_latest_timeline": lambda c: c.get_latest_timeline(5),
        "favorite_tweet": lambda c: c.favorite_tweet(tweet.id),
        "unfavorite_tweet": lambda c: c.unfavorite_tweet(tweet.id),
        "retweet": lambda c: c.retweet(asked.id),
        "delete_retweet": lambda c: c.with_account(home.id(1)).delete_retweet(tweet.id),
        "bookmark_tweet": lambda c: c.bookmark_tweet(tweet.id),
        "get_bookmarks": lambda c: c.get_bookmarks(),
        "delete_bookmark": lambda c: c.delete_bookmark(tweet.id),
        "delete_all_bookmarks": lambda c: c.delete_all_bookmarks(),
        "get_bookmark_folders": lambda c: c.get_bookmark_folders(),
        "create_bookmark_folder": lambda c: c.create_bookmark_folder("Nine"),
        "edit_bookmark_folder": lambda c: c.edit_bookmark_folder("9", "Nine"),
        "delete_bookmark_folder": lambda c: c.delete_bookmark_folder("9"),
        "follow_user": lambda c: c.follow_user(other.user_id),
        "unfollow_user": lambda c: c.unfollow_user(other.user_id),
        "block_user": lambda c: c.block_user(someone),
        "get_blocked_users": lambda c: c.get_blocked_users(),
        "unblock_user": lambda c: c.unblock_user(someone),
        "mute_user": lambda c: c.mute_user(someone),
        "get_muted_users": lambda c: c.get_muted_users(),
        "unmute_user": lambda c: c.unmute_user(someone),
        "get_trends": lambda c: c.get_trends("trending"),
        "get_explore_page": lambda c: c.get_explore_page(),
        "get_available_locations": lambda c: c.get_available_locations(),
        "get_place_trends": lambda c: c.get_place_trends(1),
        "get_user_lists": lambda c: c.get_user_lists(home.x.accounts[0].user_id),
        "get_user_followers": lambda c: c.get_user_followers(other.user_id, 2),
        "get_latest_followers": lambda c: c.get_latest_followers(other.user_id, other.handle, 2),
        "get_latest_friends": lambda c: c.get_latest_friends(screen_name=other.handle, count=2),
        "get_user_verified_followers": lambda c: c.get_user_verified_followers(other.user_id),
        "get_user_followers_you_know": lambda c: c.get_user_followers_you_know(other.user_id),
        "get_user_following": lambda c: c.get_user_following(other.user_id, 2),
        "get_user_subscriptions": lambda c: c.get_user_subscriptions(other.user_id),
        "get_followers_ids": lambda c: c.get_followers_ids(other.user_id, other.handle, 2),
        "get_friends_ids": lambda c: c.get_friends_ids(other.user_id, other.handle, 2),
        "send_dm": lambda c: c.send_dm(home.x.accounts[2].user_id, "hi"),
        "get_dm_history": lambda c: c.with_account(home.id(0)).get_dm_history(other.user_id),
        "get_dm_inbox": lambda c: c.with_account(home.id(0)).get_dm_inbox(),
        "add_reaction_to_message": lambda c: c.add_reaction_to_message(message.id, "1-2", "x"),
        "remove_reaction_from_message": lambda c: c.remove_reaction_from_message(message.id, "1-2", "x"),
        "delete_dm": lambda c: c.with_account(home.id(0)).delete_dm(message.id),
        "create_group": create_group,
        "send_dm_to_group": lambda c: c.send_dm_to_group("55", "hi"),
        "get_group_dm_history": lambda c: c.get_group_dm_history("55"),
        "get_group": lambda c: c.get_group("55"),
        "add_members_to_group": lambda c: c.add_members_to_group("55", ["7"]),
        "change_group_name": lambda c: c.change_group_name("55", "G"),
        "delete_dm_conversation": delete_conversation,
        "create_list": lambda c: c.create_list("another"),
        "edit_list": lambda c: c.edit_list(listed.id, "renamed"),
        "edit_list_banner": lambda c: c.edit_list_banner(listed.id, media),
        "delete_list_banner": lambda c: c.delete_list_banner(listed.id),
        "add_list_member": lambda c: c.add_list_member(listed.id, other.user_id),
        "get_lists": lambda c: c.with_account(home.id(0)).get_lists(),
        "get_list": lambda c: c.get_list(listed.id),
        "search_list": lambda c: c.search_list("renamed"),
        "get_list_tweets": lambda c: c.get_list_tweets(listed.id),
        "get_list_members": lambda c: c.get_list_members(listed.id),
        "get_list_subscribers": lambda c: c.get_list_subscribers(listed.id),
        "remove_list_member": lambda c: c.remove_list_member(listed.id, other.user_id),
        "delete_list": lambda c: c.delete_list(listed.id),
        "get_notifications": lambda c: c.with_account(home.id(0)).get_notifications("All"),
        "search_community": lambda c: c.search_community("five"),
        "get_community": lambda c: c.get_community("5"),
        "get_community_tweets": lambda c: c.get_community_tweets("5", "Latest", 5),
        "get_communities_timeline": lambda c: c.get_communities_timeline(5),
        "join_community": lambda c: c.join_community("5"),
        "leave_community": lambda c: c.leave_community("5"),
        "request_to_join_community": lambda c: c.request_to_join_community("5"),
        "get_community_members": lambda c: c.get_community_members("5"),
        "get_community_moderators": lambda c: c.get_community_moderators("5"),
        "search_community_tweet": lambda c: c.search_community_tweet("5", "the", 5),
        "delete_tweet": lambda c: c.delete_tweet(tweet.id),
    }  # fmt: skip
