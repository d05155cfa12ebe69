"""Search: posts, media, people and lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twikit_pool.simulator import search
from twikit_pool.simulator.endpoints.lists import list_json
from twikit_pool.simulator.endpoints.timelines import pages_of
from twikit_pool.simulator.paging import page
from twikit_pool.simulator.registry import Call, graphql
from twikit_pool.simulator.shapes.timelines import (
    Entry,
    add_to_module,
    cursor_entries,
    list_item,
    media_page,
    module,
    module_item,
    timeline,
    tweet_entries,
    user_entries,
)

if TYPE_CHECKING:
    from twikit_pool.simulator.world import User


@graphql("SearchTimeline")
def search_timeline(call: Call) -> dict[str, Any]:
    """One page of what fits a query. X ranks its Top posts; here the newest is first there too."""
    text, product = str(call.need("rawQuery")), str(call.variables.get("product", "Top"))
    found = {"People": _people, "Lists": _lists, "Media": _media}.get(product, _posts)
    shown = found(call, text, f"search/{product}/{text}")
    return {"data": {"search_by_raw_query": {"search_timeline": shown}}}


def _posts(call: Call, text: str, scope: str) -> Entry:
    query = search.read(text)
    found = pages_of(call, scope, lambda below: query.run(call.state.world, below))
    return timeline(tweet_entries(found.items, call.show) + cursor_entries(found.top, found.bottom))


def _media(call: Call, text: str, scope: str) -> Entry:
    query = search.read(f"{text} filter:media")
    found = pages_of(call, scope, lambda below: query.run(call.state.world, below))
    cursors = cursor_entries(found.top, found.bottom)
    return media_page("search-grid", found.items, call.show, cursors, first=not call.cursor)


def _people(call: Call, text: str, scope: str) -> Entry:
    words = text.lower().split()
    fit = [user for user in call.state.world.users.values() if _speaks_of(user, words)]
    found = page(
        scope,
        call.cursor,
        call.count(),
        lambda below: ((user.id, user) for user in reversed(fit) if below is None or user.id < below),
    )
    shown = user_entries(found.items, call.show_user)
    return timeline(shown + cursor_entries(found.top, found.bottom))


def _speaks_of(user: User, words: list[str]) -> bool:
    profile = f"{user.handle} {user.name} {user.description}".lower()
    return all(word.lstrip("@") in profile for word in words)


def _lists(call: Call, text: str, scope: str) -> Entry:
    fit = call.state.lists.search(text)
    found = page(
        scope,
        call.cursor,
        call.count(),
        lambda below: ((one.id, one) for one in fit if below is None or one.id < below),
    )
    items = [
        module_item(f"list-search-0-list-{one.id}", list_item(list_json(one, call.user)))
        for one in found.items
    ]
    cursors = cursor_entries(found.top, found.bottom)
    if call.cursor:
        return timeline(cursors, add_to_module("list-search-0", items))
    return timeline([module("list-search-0", 1, items), *cursors])
