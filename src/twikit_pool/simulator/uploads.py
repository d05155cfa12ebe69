"""Media on their way up, and polls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from twikit_pool.simulator.refusals import Refusal
from twikit_pool.simulator.world import number

IMAGE_LIMIT: Final = 5 * 1024 * 1024
GIF_LIMIT: Final = 15 * 1024 * 1024
VIDEO_LIMIT: Final = 512 * 1024 * 1024
"""Bytes that X takes of each kind."""


@dataclass(slots=True, eq=False)
class Medium:
    """An upload. `ready_at` is the epoch second from which it may be posted; None before FINALIZE."""

    id: int
    owner: int
    media_type: str
    total: int
    segments: dict[int, int] = field(default_factory=dict[int, int])
    ready_at: float | None = None
    alt_text: str = ""

    @property
    def kind(self) -> str:
        """What X calls it in a post."""
        if self.media_type == "image/gif":
            return "animated_gif"
        return "video" if self.media_type.startswith("video/") else "photo"


@dataclass(slots=True, eq=False)
class Poll:
    """A poll card; `votes` maps a user's id to the number of his choice, from 1."""

    uri: str
    choices: tuple[str, ...]
    minutes: int
    ends_at: float
    votes: dict[int, int] = field(default_factory=dict[int, int])

    @property
    def name(self) -> str:
        """The card's name."""
        return f"poll{len(self.choices)}choice_text_only"


class Uploads:
    """All media and polls that were made.

    Args:
        processing: seconds that X works on a video or animated image after FINALIZE.
    """

    def __init__(self, processing: float) -> None:
        self._processing = processing
        self._media: dict[int, Medium] = {}
        self._polls: dict[str, Poll] = {}

    def begin(self, media_id: int, owner: int, media_type: str, total: int) -> Medium:
        """INIT.

        Raises:
            Refusal: X takes no such file, or not of this size (324).
        """
        medium = Medium(id=media_id, owner=owner, media_type=media_type, total=total)
        limit = {"photo": IMAGE_LIMIT, "animated_gif": GIF_LIMIT, "video": VIDEO_LIMIT}[medium.kind]
        if not media_type.startswith(("image/", "video/")):
            raise Refusal(324, f"The media type {media_type!r} is not accepted.", 400)
        if not 0 < total <= limit:
            raise Refusal(324, f"The file size must be 1 to {limit} bytes, not {total}.", 400)
        self._media[media_id] = medium
        return medium

    def medium(self, media_id: object, owner: int) -> Medium:
        """An upload of this user.

        Raises:
            Refusal: there is none of this id (324).
        """
        medium = self._media.get(number(media_id))
        if medium is None or medium.owner != owner:
            raise Refusal(324)
        return medium

    def finalize(self, medium: Medium, now: float) -> None:
        """FINALIZE.

        Raises:
            Refusal: bytes are missing (324).
        """
        if sum(medium.segments.values()) != medium.total or sorted(medium.segments) != list(
            range(len(medium.segments))
        ):
            raise Refusal(324, "Not all segments of the media were received.", 400)
        medium.ready_at = now if medium.kind == "photo" else now + self._processing

    def attach(self, media_ids: list[object], owner: int, now: float) -> tuple[Medium, ...]:
        """The media of a post.

        Raises:
            Refusal: more than X allows, unknown, unfinished or still in work (324).
        """
        media = tuple(self.medium(media_id, owner) for media_id in media_ids)
        moving = sum(medium.kind != "photo" for medium in media)
        if len(media) > 4 or (moving and len(media) > 1):
            raise Refusal(324)
        if any(medium.ready_at is None or medium.ready_at > now for medium in media):
            raise Refusal(324)
        return media

    def make_poll(self, poll_id: int, choices: tuple[str, ...], minutes: int, now: float) -> Poll:
        """A card to post.

        Raises:
            Refusal: not two to four choices of 1 to 25 characters (214).
        """
        if not 2 <= len(choices) <= 4 or any(not 1 <= len(choice) <= 25 for choice in choices):
            raise Refusal(214, "A poll has two to four choices of 1 to 25 characters.", 400)
        poll = Poll(uri=f"card://{poll_id}", choices=choices, minutes=minutes, ends_at=now + minutes * 60)
        self._polls[poll.uri] = poll
        return poll

    def poll(self, uri: object) -> Poll:
        """A card by its address.

        Raises:
            Refusal: there is no such card (214).
        """
        found = self._polls.get(str(uri))
        if found is None:
            raise Refusal(214, "No such card.", 400)
        return found
