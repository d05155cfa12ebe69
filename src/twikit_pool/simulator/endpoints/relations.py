"""Who follows, blocks and mutes whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twikit_pool.simulator.paging import ordered, page
from twikit_pool.simulator.refusals import Refusal
from twikit_pool.simulator.registry import Call, graphql, rest
from twikit_pool.simulator.shapes.timelines import cursor_entries, timeline, user_entries
from twikit_pool.simulator.shapes.users import user_v11
from twikit_pool.simulator.world import User, number

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_USERS: Final = 200
MOST_IDS: Final = 5000
"""Of v1.1's pages."""


def _target(call: Call) -> User:
    """The user that a v1.1 call names by id or handle.

    Raises:
        Refusal: there is none (50).
    """
    if "user_id" in call.variables:
        return call.state.world.user(call.variables["user_id"])
    found = call.state.world.by_handle.get(str(call.need("screen_name")).lower())
    if found is None:
        raise Refusal(50)
    return found


def _changed(call: Call, whom: User, *, changed: bool) -> dict[str, Any]:
    if changed:
        call.wrote(whom.id)
    return user_v11(whom, call.user)


@rest("POST", "/1.1/friendships/create.json")
def follow(call: Call) -> dict[str, Any]:
    """Follow a user."""
    whom = _target(call)
    return _changed(call, whom, changed=call.state.world.follow(call.user, whom, call.now))


@rest("POST", "/1.1/friendships/destroy.json")
def unfollow(call: Call) -> dict[str, Any]:
    """Follow a user no more."""
    whom = _target(call)
    return _changed(call, whom, changed=call.state.world.unfollow(call.user, whom))


@rest("POST", "/1.1/blocks/create.json")
def block(call: Call) -> dict[str, Any]:
    """Block a user."""
    whom = _target(call)
    return _changed(call, whom, changed=call.state.world.block(call.user, whom))


@rest("POST", "/1.1/blocks/destroy.json")
def unblock(call: Call) -> dict[str, Any]:
    """Block a user no more."""
    whom = _target(call)
    return _changed(call, whom, changed=call.user.blocking.pop(whom.id, None) is not None)


@rest("POST", "/1.1/mutes/users/create.json")
def mute(call: Call) -> dict[str, Any]:
    """Mute a user."""
    whom = _target(call)
    new = whom.id not in call.user.muting
    call.user.muting.setdefault(whom.id, call.state.world.next())
    return _changed(call, whom, changed=new)


@rest("POST", "/1.1/mutes/users/destroy.json")
def unmute(call: Call) -> dict[str, Any]:
    """Mute a user no more."""
    whom = _target(call)
    return _changed(call, whom, changed=call.user.muting.pop(whom.id, None) is not None)


# ---------------------------------------------------------------- who they are


def _timeline(call: Call, scope: str, orders: Mapping[int, int]) -> dict[str, Any]:
    users = call.state.world.users
    found = page(scope, call.cursor, call.count(), ordered(orders))
    shown = user_entries((users[user_id] for user_id in found.items), call.show_user)
    return timeline(shown + cursor_entries(found.top, found.bottom))


def _of_user(call: Call, name: str, orders: Mapping[int, int]) -> dict[str, Any]:
    shown = _timeline(call, f"{name}/{call.need('userId')}", orders)
    return {"data": {"user": {"result": {"__typename": "User", "timeline": shown}}}}


def _named(call: Call) -> User:
    return call.state.world.user(call.need("userId"))


@graphql("Followers")
def followers(call: Call) -> dict[str, Any]:
    """Who follows a user, the latest first."""
    return _of_user(call, "Followers", _named(call).followers)


@graphql("Following")
def following(call: Call) -> dict[str, Any]:
    """Whom a user follows, the latest first."""
    return _of_user(call, "Following", _named(call).following)


@graphql("BlueVerifiedFollowers")
def verified_followers(call: Call) -> dict[str, Any]:
    """Which verified users follow a user."""
    users = call.state.world.users
    verified = {id_: order for id_, order in _named(call).followers.items() if users[id_].verified}
    return _of_user(call, "BlueVerifiedFollowers", verified)


@graphql("FollowersYouKnow")
def followers_you_know(call: Call) -> dict[str, Any]:
    """Which of those whom the caller follows follow a user."""
    known = {id_: order for id_, order in _named(call).followers.items() if id_ in call.user.following}
    return _of_user(call, "FollowersYouKnow", known)


@graphql("MutedAccounts")
def muted_accounts(call: Call) -> dict[str, Any]:
    """Whom the caller mutes."""
    shown = _timeline(call, f"Muted/{call.user.id}", call.user.muting)
    return {"data": {"viewer": {"muting_timeline": shown}}}


@graphql("BlockedAccountsAll")
def blocked_accounts(call: Call) -> dict[str, Any]:
    """Whom the caller blocks."""
    shown = _timeline(call, f"Blocked/{call.user.id}", call.user.blocking)
    return {"data": {"viewer": {"timeline": shown}}}


# ---------------------------------------------------------------- v1.1


def _v11_page(call: Call, orders: Mapping[int, int], most: int) -> tuple[list[int], dict[str, Any]]:
    """Ids and cursors: here a cursor is a number, -1 for the first page and 0 at the end."""
    start = call.cursor or -1
    if str(start) != "-1" and number(start) <= 0:
        raise Refusal(214, "The cursor is invalid.", 400)
    pairs = list(ordered(orders)(None if str(start) == "-1" else number(start)))
    count = call.count(most, most)
    after = pairs[count - 1][0] if len(pairs) > count else 0
    cursors = {
        "next_cursor": after,
        "next_cursor_str": str(after),
        "previous_cursor": 0,
        "previous_cursor_str": "0",
    }
    return [user_id for _, user_id in pairs[:count]], cursors


@rest("GET", "/1.1/followers/list.json")
def followers_list(call: Call) -> dict[str, Any]:
    """Who follows a user, up to 200 a page."""
    ids, cursors = _v11_page(call, _target(call).followers, MOST_USERS)
    return {"users": [user_v11(call.state.world.users[id_], call.user) for id_ in ids], **cursors}


@rest("GET", "/1.1/followers/ids.json")
def followers_ids(call: Call) -> dict[str, Any]:
    """Ids of those who follow a user."""
    ids, cursors = _v11_page(call, _target(call).followers, MOST_IDS)
    return {"ids": ids, **cursors}


@rest("GET", "/1.1/friends/ids.json")
def friends_ids(call: Call) -> dict[str, Any]:
    """Ids of those whom a user follows."""
    ids, cursors = _v11_page(call, _target(call).following, MOST_IDS)
    return {"ids": ids, **cursors}
