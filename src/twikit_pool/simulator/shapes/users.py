"""Users, as GraphQL and as v1.1 show them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twikit_pool.simulator.world import User


def timestamp(at: float) -> str:
    """A time as X writes it: `Wed Oct 10 20:19:24 +0000 2018`."""
    return datetime.fromtimestamp(at, UTC).strftime("%a %b %d %H:%M:%S +0000 %Y")


def user_v11(user: User, viewer: User) -> dict[str, Any]:
    """The flat form of v1.1."""
    return {
        "id": user.id,
        "id_str": str(user.id),
        "ext_is_blue_verified": user.verified,
        **_relation(user, viewer),
        **_legacy(user),
    }


def user_result(user: User, viewer: User, *, empty_legacy: bool = False) -> dict[str, Any]:
    """The GraphQL form. Since 2026 some of X's documents leave `legacy` empty; its fields are elsewhere."""
    relation = _relation(user, viewer)
    return {
        "__typename": "User",
        "id": base64.b64encode(f"User:{user.id}".encode()).decode(),
        "rest_id": str(user.id),
        "is_blue_verified": user.verified,
        "core": {
            "created_at": timestamp(user.created_at),
            "name": user.name,
            "screen_name": user.handle,
        },
        "avatar": {"image_url": _avatar(user)},
        "location": {"location": user.location},
        "verification": {"verified": False},
        "privacy": {"protected": False},
        "relationship_perspectives": relation,
        **(_moved(user) if empty_legacy else {}),
        "legacy": {} if empty_legacy else {**relation, **_legacy(user)},
    }


def _avatar(user: User) -> str:
    return f"https://pbs.twimg.com/profile_images/{user.id}/avatar_normal.jpg"


def _relation(user: User, viewer: User) -> dict[str, bool]:
    return {
        "following": user.id in viewer.following,
        "followed_by": viewer.id in user.following,
        "blocking": user.id in viewer.blocking,
        "blocked_by": viewer.id in user.blocking,
        "muting": user.id in viewer.muting,
    }


def _bio_links(user: User) -> list[dict[str, Any]]:
    return [{"url": user.url, "expanded_url": user.url, "display_url": user.url}] if user.url else []


def _legacy(user: User) -> dict[str, Any]:
    return {
        "created_at": timestamp(user.created_at),
        "name": user.name,
        "screen_name": user.handle,
        "profile_image_url_https": _avatar(user),
        "profile_banner_url": f"https://pbs.twimg.com/profile_banners/{user.id}",
        "location": user.location,
        "description": user.description,
        "url": user.url or None,
        "entities": {"description": {"urls": []}, "url": {"urls": _bio_links(user)}},
        "pinned_tweet_ids_str": [],
        "verified": False,
        "protected": False,
        "possibly_sensitive": False,
        "can_dm": user.open_to_messages,
        "can_media_tag": True,
        "want_retweets": False,
        "default_profile": True,
        "default_profile_image": False,
        "has_custom_timelines": False,
        "followers_count": len(user.followers),
        "fast_followers_count": 0,
        "normal_followers_count": len(user.followers),
        "friends_count": len(user.following),
        "favourites_count": len(user.likes),
        "listed_count": 0,
        "media_count": len(user.media),
        "statuses_count": len(user.tweets),
        "is_translator": False,
        "translator_type": "none",
        "withheld_in_countries": [],
    }


def _moved(user: User) -> dict[str, Any]:
    return {
        "banner": {"image_url": f"https://pbs.twimg.com/profile_banners/{user.id}"},
        "website": {"url": user.url} if user.url else {},
        "profile_bio": {
            "description": user.description,
            "entities": {"description": {"urls": []}, "url": {"urls": _bio_links(user)}},
        },
        "pinned_items": {"tweet_ids_str": []},
        "dm_permissions": {"can_dm": user.open_to_messages},
        "media_permissions": {"can_media_tag": True},
        "relationship_counts": {"followers": len(user.followers), "following": len(user.following)},
        "tweet_counts": {"tweets": len(user.tweets), "media_tweets": len(user.media)},
        "action_counts": {"favorites_count": len(user.likes)},
        "profile_translation": {"translator_type": "none"},
    }
