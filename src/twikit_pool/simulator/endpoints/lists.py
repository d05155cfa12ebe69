"""Lists of people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twikit_pool.simulator.endpoints.timelines import pages_of
from twikit_pool.simulator.paging import ordered, page
from twikit_pool.simulator.refusals import Refusal
from twikit_pool.simulator.registry import Call, graphql
from twikit_pool.simulator.shapes.timelines import (
    cursor_entries,
    entry,
    list_item,
    module,
    module_item,
    timeline,
    tweet_entries,
    user_entries,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twikit_pool.simulator.curated import CuratedList
    from twikit_pool.simulator.world import User


def list_json(curated: CuratedList, viewer: User) -> dict[str, Any]:
    """A list as X shows it."""
    return {
        "id_str": str(curated.id),
        "name": curated.name,
        "description": curated.description,
        "mode": "Private" if curated.private else "Public",
        "created_at": int(curated.created_at * 1000),
        "member_count": len(curated.members),
        "subscriber_count": len(curated.subscribers),
        "is_member": viewer.id in curated.members,
        "following": viewer.id in curated.subscribers,
        "muting": False,
        "pinning": False,
        "default_banner_media": {"media_info": {"original_img_url": "https://pbs.twimg.com/media/list.png"}},
    }


def _shown(call: Call, curated: CuratedList) -> dict[str, Any]:
    return {"data": {"list": list_json(curated, call.user)}}


def _own(call: Call) -> CuratedList:
    return call.state.lists.get(call.need("listId"), call.user, own=True)


@graphql("CreateList")
def create_list(call: Call) -> dict[str, Any]:
    """A new list of the caller's."""
    variables = call.variables
    made = call.state.lists.create(
        call.user,
        str(call.need("name")),
        str(variables.get("description") or ""),
        private=bool(variables.get("isPrivate")),
        at=call.now,
    )
    call.wrote(made.name)
    return _shown(call, made)


@graphql("UpdateList")
def update_list(call: Call) -> dict[str, Any]:
    """Another name, description or visibility."""
    curated, variables = _own(call), call.variables
    curated.name = str(variables.get("name", curated.name))
    curated.description = str(variables.get("description", curated.description))
    curated.private = bool(variables.get("isPrivate", curated.private))
    call.wrote(curated.id)
    return _shown(call, curated)


@graphql("DeleteList")
def delete_list(call: Call) -> dict[str, Any]:
    """Take a list away."""
    curated = _own(call)
    call.state.lists.delete(curated)
    call.wrote(curated.id)
    return {"data": {"list_delete": "Done"}}


@graphql("ListAddMember")
def add_member(call: Call) -> dict[str, Any]:
    """Put a user on a list."""
    curated, user = _own(call), call.state.world.user(call.need("userId"))
    if user.id not in curated.members:
        curated.members[user.id] = call.state.world.next()
        call.wrote(f"{curated.id}/{user.id}")
    return _shown(call, curated)


@graphql("ListRemoveMember")
def remove_member(call: Call) -> dict[str, Any]:
    """Take a user off a list."""
    curated, user = _own(call), call.state.world.user(call.need("userId"))
    if curated.members.pop(user.id, None) is not None:
        call.wrote(f"{curated.id}/{user.id}")
    return _shown(call, curated)


@graphql("ListByRestId")
def list_by_id(call: Call) -> dict[str, Any]:
    """One list; X answers with an empty one where there is none."""
    try:
        return _shown(call, call.state.lists.get(call.need("listId"), call.user))
    except Refusal:
        return {"data": {"list": {}}}


@graphql("ListsManagementPageTimeline")
def own_lists(call: Call) -> dict[str, Any]:
    """The caller's lists, below a module of lists that X suggests."""
    mine = call.state.lists.of(call.user, call.user)
    found = page(f"OwnLists/{call.user.id}", call.cursor, call.count(), lambda below: _by_id(mine, below))
    items = [
        module_item(f"owned-subscribed-list-module-0-list-{one.id}", list_item(list_json(one, call.user)))
        for one in found.items
    ]
    entries = [module("list-to-follow-module-0", 2, []), module("owned-subscribed-list-module-0", 1, items)]
    shown = timeline(entries + cursor_entries(found.top, found.bottom))
    return {"data": {"viewer": {"list_management_timeline": shown}}}


@graphql("CombinedLists")
def user_lists(call: Call) -> dict[str, Any]:
    """A user's lists that the caller may see."""
    owner = call.state.world.user(call.need("userId"))
    lists = call.state.lists.of(owner, call.user)
    found = page(f"Lists/{owner.id}", call.cursor, call.count(), lambda below: _by_id(lists, below))
    entries = [entry(f"list-{one.id}", one.id, list_item(list_json(one, call.user))) for one in found.items]
    shown = timeline(entries + cursor_entries(found.top, found.bottom))
    return {"data": {"user": {"result": {"timeline": shown}}}}


def _by_id(lists: list[CuratedList], below: int | None) -> list[tuple[int, CuratedList]]:
    return [(one.id, one) for one in lists if below is None or one.id < below]


@graphql("ListLatestTweetsTimeline")
def list_tweets(call: Call) -> dict[str, Any]:
    """What a list's members post."""
    curated = call.state.lists.get(call.need("listId"), call.user)
    found = pages_of(call, f"ListTweets/{curated.id}", lambda below: call.state.lists.tweets(curated, below))
    shown = timeline(tweet_entries(found.items, call.show) + cursor_entries(found.top, found.bottom))
    return {"data": {"list": {"tweets_timeline": shown}}}


def _people(call: Call, name: str, orders: Mapping[int, int]) -> dict[str, Any]:
    users = call.state.world.users
    found = page(f"{name}/{call.need('listId')}", call.cursor, call.count(), ordered(orders))
    shown = user_entries((users[user_id] for user_id in found.items), call.show_user)
    return {"data": {"list": {name: timeline(shown + cursor_entries(found.top, found.bottom))}}}


@graphql("ListMembers")
def list_members(call: Call) -> dict[str, Any]:
    """Who is on a list, the latest first."""
    curated = call.state.lists.get(call.need("listId"), call.user)
    return _people(call, "members_timeline", curated.members)


@graphql("ListSubscribers")
def list_subscribers(call: Call) -> dict[str, Any]:
    """Who follows a list, the latest first."""
    curated = call.state.lists.get(call.need("listId"), call.user)
    return _people(call, "subscribers_timeline", curated.subscribers)
