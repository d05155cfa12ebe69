"""Media that X would refuse: kinds, sizes, and what goes together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from twikit_pool.safety.checks.check import Context, Sighting, Text
from twikit_pool.sessions.media import GIF_BYTES, IMAGE_BYTES, VIDEO_BYTES

MOST_BYTES: Final = {
    "image/jpeg": IMAGE_BYTES,
    "image/png": IMAGE_BYTES,
    "image/webp": IMAGE_BYTES,
    "image/gif": GIF_BYTES,
    "video/mp4": VIDEO_BYTES,
    "video/quicktime": VIDEO_BYTES,
}
MOST_PICTURES: Final = 4


class MediaCheck:
    """X takes four pictures in a post, or one video, or one GIF."""

    quick = True

    def look(self, text: Text, context: Context) -> Iterator[Sighting]:
        """Whether X takes the media."""
        if not text.main:
            return
        given = text.post.attachments
        for each in given:
            what = each.source or "a piece of media"
            most = MOST_BYTES.get(each.mime)
            if most is None:
                yield Sighting(
                    "media.type",
                    f"{what} is {each.mime}, which X does not take",
                    f"give one of {', '.join(MOST_BYTES)}",
                )
            elif each.size > most:
                yield Sighting(
                    "media.size",
                    f"{what} has {each.size:,} bytes; X takes {most:,} of {each.mime}",
                    "make it smaller",
                )
        moving = sum(each.mime == "image/gif" or each.mime.startswith("video/") for each in given)
        if moving > 1 or (moving and len(given) > 1) or len(given) > MOST_PICTURES:
            yield Sighting(
                "media.together",
                f"{len(given)} pieces of media, {moving} of which move, do not go together",
                f"give {MOST_PICTURES} pictures at most, or one video, or one GIF",
            )
