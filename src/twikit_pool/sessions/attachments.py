"""The media that an action carries, read before any account is asked to wait for it."""

from __future__ import annotations

import asyncio

from twikit_pool.sessions.actions import Action, UploadMedia, WithMedia
from twikit_pool.sessions.media import Media, fetch_media, read_media


async def attachments(action: Action) -> tuple[Media, ...]:
    """The action's media, fetched and read, in the order URLs then files.

    Raises:
        MediaRefused: a URL may not be fetched, a file cannot be read, or neither is what X takes.
        MediaUnavailable: a URL could not be fetched for a reason that may pass.
    """
    urls: list[str] = []
    paths: list[str] = []
    if isinstance(action, WithMedia):
        urls, paths = action.media_urls, action.media
    elif isinstance(action, UploadMedia):
        urls, paths = [action.url] if action.url else [], [action.path] if action.path else []
    return (
        *[await fetch_media(url) for url in urls],
        *[await asyncio.to_thread(read_media, path) for path in paths],
    )
