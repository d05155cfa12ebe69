"""Likes, reposts and follows by the file: off, unless whoever runs it turns them on.

X forbids automated likes and follows, whoever sends them. A single call of a person's own program is that
person's affair; what runs by the thousand is refused here, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from twikit_pool.sessions.actions import Action

CAPS: Final[Mapping[str, str]] = {"like_tweet": "100/day", "retweet": "25/day"}
"""What `twikit-pool run` lets each account do at most when it is turned on, unless the account has caps of
its own. The numbers are ours, and cautious. Follows need none: they are always capped as X caps them."""

_RULE: Final = "X forbids automated likes and follows, and may suspend an account for good that does it"


def why_refused(action: Action) -> str:
    """Why a job with such an action is not run."""
    return f"{action.name} is off in jobs: {_RULE}; allow_engagement (--allow-engagement) turns it on"


def why_all_refused(engaging: Mapping[str, int]) -> str:
    """Why a file is not run that has so many jobs of these actions."""
    return (
        f"{in_words(engaging)} among the jobs: {_RULE}. Nothing was sent. Take these jobs out, or give "
        "--allow-engagement when you have weighed it and answer for it"
    )


def in_words(engaging: Mapping[str, int]) -> str:
    """`80 like_tweet, 40 follow_user`."""
    counts = sorted(engaging.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{number:,} {name}" for name, number in counts)
