"""Search: posts, media, people and lists."""

from __future__ import annotations

from typing import Any

from twikit_pool.simulator import search
from twikit_pool.simulator.paging import page
from twikit_pool.simulator.registry import Call, graphql
from twikit_pool.simulator.shapes.timelines import cursor_entries, entry, timeline, tweet_item
from twikit_pool.simulator.shapes.tweets import tweet_result


@graphql("SearchTimeline")
def search_timeline(call: Call) -> dict[str, Any]:
    """One page of what fits a query."""
    text = str(call.need("rawQuery"))
    query, world = search.read(text), call.state.world
    found = page(
        f"search/Latest/{text}",
        call.cursor,
        call.count(),
        lambda below: ((tweet.id, tweet) for tweet in query.run(world, below)),
    )
    entries = [
        entry(f"tweet-{tweet.id}", tweet.id, tweet_item(tweet_result(tweet, call.user, world)))
        for tweet in found.items
    ]
    shown = timeline(entries + cursor_entries(found.top, found.bottom))
    return {"data": {"search_by_raw_query": {"search_timeline": shown}}}
