"""What hangs on a post: polls and media."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twikit_pool.simulator.uploads import Medium, Poll
    from twikit_pool.simulator.world import User


def card(poll: Poll, viewer: User, at: float) -> dict[str, Any]:
    """A poll as a post carries it: the values in a list."""
    values = [{"key": key, "value": value} for key, value in poll_values(poll, viewer, at).items()]
    return {
        "rest_id": poll.uri,
        "legacy": {"name": poll.name, "url": poll.uri, "binding_values": values},
    }


def poll_values(poll: Poll, viewer: User, at: float) -> dict[str, Any]:
    """A poll's values by name; `at` is the time of the last vote or of the post."""
    chosen = list(poll.votes.values())
    values: dict[str, Any] = {
        "duration_minutes": _string(str(poll.minutes)),
        "end_datetime_utc": _string(_iso(poll.ends_at)),
        "last_updated_datetime_utc": _string(_iso(at)),
        "counts_are_final": {"type": "BOOLEAN", "boolean_value": at >= poll.ends_at},
    }
    for number, choice in enumerate(poll.choices, 1):
        values[f"choice{number}_label"] = _string(choice)
        values[f"choice{number}_count"] = _string(str(chosen.count(number)))
    if viewer.id in poll.votes:
        values["selected_choice"] = _string(str(poll.votes[viewer.id]))
    return values


def _string(text: str) -> dict[str, str]:
    return {"type": "STRING", "string_value": text}


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def medium_entity(medium: Medium) -> dict[str, Any]:
    """A medium as a post's entities list it."""
    place = f"https://pbs.twimg.com/media/{medium.id}.jpg"
    shown: dict[str, Any] = {
        "id_str": str(medium.id),
        "media_key": f"3_{medium.id}",
        "type": medium.kind,
        "url": place,
        "display_url": f"pic.x.com/{medium.id}",
        "expanded_url": place,
        "media_url_https": place,
        "indices": [0, 0],
        "sizes": {"large": {"h": 720, "w": 1280, "resize": "fit"}},
        "original_info": {"height": 720, "width": 1280, "focus_rects": []},
    }
    if medium.alt_text:
        shown["ext_alt_text"] = medium.alt_text
    if medium.kind != "photo":
        stream = f"https://video.twimg.com/{medium.id}.mp4"
        variant = {"bitrate": 832_000, "content_type": "video/mp4", "url": stream}
        shown["video_info"] = {"aspect_ratio": [16, 9], "duration_millis": 1000, "variants": [variant]}
    return shown
