"""What X allows where it has not told: calls a window by endpoint, and the caps that no header shows.

X publishes neither for its web endpoints. The numbers are what users of web clients measured and reported
up to 2026; the ledger never trusts them with a call, it learns each window from X's answers. They serve
plans made before anything was learned.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from msgspec import Meta

from twikit_pool.accounts.caps import PERIODS, Cap, GivenCaps, read_caps
from twikit_pool.errors import UnknownAction
from twikit_pool.sessions.actions import ACTIONS, action_named

WINDOW: Final = PERIODS["window"]
"""Seconds of X's rate windows."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What X allows: so many calls in each window of so many seconds."""

    calls: Annotated[int, Meta(ge=0)]
    seconds: Annotated[float, Meta(ge=0)]


def _of(calls: int, *endpoints: str) -> dict[str, Limit]:
    return dict.fromkeys(endpoints, Limit(calls, WINDOW))


KNOWN_LIMITS: Final[Mapping[str, Limit]] = {
    **_of(15, "friendships/create"),
    **_of(50, "SearchTimeline", "UserTweets", "UserTweetsAndReplies", "UserMedia"),
    **_of(50, "Followers", "BlueVerifiedFollowers"),
    **_of(95, "UserByScreenName"),
    **_of(150, "TweetDetail"),
    **_of(180, "notifications/all", "notifications/verified", "notifications/mentions"),
    **_of(187, "friendships/destroy", "blocks/create", "blocks/destroy", "dm/new2"),
    **_of(187, "mutes/users/create", "mutes/users/destroy"),
    **_of(300, "CreateTweet", "CreateNoteTweet"),
    **_of(500, "HomeTimeline", "HomeLatestTimeline", "Favoriters", "Retweeters", "Following", "Bookmarks"),
    **_of(500, "ListsManagementPageTimeline", "ListByRestId", "ListLatestTweetsTimeline", "ListMembers"),
}
"""Calls a window and account on X's web endpoints; where a range was reported, its lower end."""

DEFAULT_CAPS: Final[Mapping[str, tuple[Cap, ...]]] = {
    "CreateTweet": (Cap(50, PERIODS["day"]),),
    "friendships/create": (Cap(15, WINDOW),),
}
"""Caps that hold unless an account or the session manager is given others: X's own, as reported. Past 50
posts a day X answers with code 501."""

SHARES_CAPS_OF: Final[Mapping[str, str]] = {"CreateNoteTweet": "CreateTweet"}
"""Endpoints whose calls count against another's caps too: a long post is a post. Replies and quotes need no
entry, they are sent as `CreateTweet`."""

_ALIKE: Final = 0.85
"""How like a known name one must be to be taken for a misspelling of it. Endpoints of X's that differ are
less alike: `CreateBookmark` and `DeleteBookmark` 0.71."""

CAPPED_TOGETHER: Final[Mapping[str, tuple[str, ...]]] = {
    each: (other, one) for one, other in SHARES_CAPS_OF.items() for each in (one, other)
}
"""The endpoints that a call to one of them may close together."""


def caps_by_endpoint(*given: Mapping[str, GivenCaps]) -> dict[str, tuple[Cap, ...]]:
    """Caps by endpoint; later ones replace earlier ones of the same endpoint, and none lift them.

    An action's name stands for its endpoint, so the other actions that spend it are capped as well.

    Raises:
        ConfigError: a cap is not understood.
        UnknownAction: a name can only be an action's, and there is no such action.
    """
    merged: dict[str, tuple[Cap, ...]] = {}
    for each in given:
        merged |= {_endpoint(name): caps for name, caps in read_caps(each).items()}
    return merged


def caps_of_account(
    for_all: Mapping[str, tuple[Cap, ...]], own: Mapping[str, GivenCaps]
) -> tuple[dict[str, tuple[Cap, ...]], list[str]]:
    """Caps by endpoint of an account that has its own, and what is wrong with those that cannot hold.

    A name that is misspelled there must not stop all accounts, nor lift the account's other caps.
    """
    merged, wrong = dict(for_all), list[str]()
    for name, caps in own.items():
        try:
            merged |= caps_by_endpoint({name: caps})
        except UnknownAction as error:
            wrong.append(str(error))
    return merged, wrong


def doubt_of(name: str) -> str:
    """Why a cap of this name likely caps nothing; empty when that is not to be feared.

    X has more endpoints than are known here, so only a name that is nearly a known one is doubted.
    """
    try:
        endpoint = _endpoint(name)
    except UnknownAction as error:
        return str(error)
    known = {*ACTIONS, *KNOWN_LIMITS, *(kind.endpoint for kind in ACTIONS.values())}
    if endpoint in known:
        return ""
    spelled = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(name.casefold(), spelled, n=1, cutoff=_ALIKE)
    return f"no action and no endpoint is called {name!r}; did you mean {spelled[near[0]]!r}?" if near else ""


def _endpoint(name: str) -> str:
    # No endpoint of X's is written like an action; one that is misspelled would cap nothing.
    looks_like_an_action = name.islower() and "_" in name and "/" not in name
    return action_named(name).endpoint if looks_like_an_action or name in ACTIONS else name
