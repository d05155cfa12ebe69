"""Uploads in segments, descriptions of media, polls."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from twikit_pool.simulator.refusals import Refusal
from twikit_pool.simulator.registry import Call, rest
from twikit_pool.simulator.shapes.cards import poll_values
from twikit_pool.simulator.world import number

LIVES: Final = 86_400
"""Seconds after which X forgets an upload that was not posted."""


@rest("POST", "/i/media/upload.json")
@rest("POST", "/i/media/upload2.json")
def upload(call: Call) -> dict[str, Any] | None:
    """INIT, APPEND or FINALIZE."""
    command = call.need("command")
    if command == "INIT":
        return _begin(call)
    medium = call.state.uploads.medium(call.need("media_id"), call.user.id)
    if command == "APPEND":
        medium.segments[int(call.need("segment_index"))] = _part_size(call)
        call.status = 204
        return None
    if command == "FINALIZE":
        call.state.uploads.finalize(medium, call.now)
        call.status = 201
        return _status(call)
    raise Refusal(214, f"The command {command!r} is unknown.", 400)


@rest("GET", "/i/media/upload.json")
@rest("GET", "/i/media/upload2.json")
def status(call: Call) -> dict[str, Any]:
    """STATUS: how far X is with a video or an animated image."""
    return _status(call)


def _begin(call: Call) -> dict[str, Any]:
    media_id = call.state.world.snowflakes.take(call.now)
    call.state.uploads.begin(
        media_id, call.user.id, str(call.need("media_type")), number(call.need("total_bytes"))
    )
    call.wrote(media_id)
    call.status = 202
    return {"media_id": media_id, "media_id_string": str(media_id), "expires_after_secs": LIVES}


def _status(call: Call) -> dict[str, Any]:
    medium = call.state.uploads.medium(call.need("media_id"), call.user.id)
    shown: dict[str, Any] = {
        "media_id": medium.id,
        "media_id_string": str(medium.id),
        "media_key": f"3_{medium.id}",
        "size": medium.total,
        "expires_after_secs": LIVES,
    }
    if medium.kind != "photo":
        left = math.inf if medium.ready_at is None else medium.ready_at - call.now
        done = {"state": "succeeded", "progress_percent": 100}
        busy = {"state": "in_progress", "progress_percent": 50, "check_after_secs": 1}
        shown["processing_info"] = done if left <= 0 else busy
    return shown


def _part_size(call: Call) -> int:
    """Bytes of the one file in a multipart body.

    Raises:
        Refusal: there is none (324).
    """
    _, _, boundary = call.request.headers.get("content-type", "").partition("boundary=")
    _, found, rest_of_it = call.request.body.partition(b"\r\n\r\n")
    end = rest_of_it.rfind(b"\r\n--" + boundary.strip('"').encode())
    if not boundary or not found or end < 0:
        raise Refusal(324, "The media parameter is missing.", 400)
    return end


@rest("POST", "/1.1/media/metadata/create.json")
def describe(call: Call) -> None:
    """Give a medium its alternative text."""
    medium = call.state.uploads.medium(call.need("media_id"), call.user.id)
    alt_text: dict[str, Any] = call.variables.get("alt_text") or {}
    medium.alt_text = str(alt_text.get("text", ""))
    call.wrote(medium.id)


@rest("POST", "/v2/cards/create.json")
def create_card(call: Call) -> dict[str, Any]:
    """A poll, to be posted."""
    try:
        card = msgspec.json.decode(call.need("card_data"), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Refusal(214, "card_data is not valid JSON.", 400) from error
    labels = (card.get(f"twitter:string:choice{place}_label") for place in range(1, 5))
    poll = call.state.uploads.make_poll(
        call.state.world.snowflakes.take(call.now),
        tuple(str(label) for label in labels if label is not None),
        number(card.get("twitter:long:duration_minutes")),
        call.now,
    )
    call.wrote(poll.uri)
    return {"card_uri": poll.uri, "status": "OK"}


@rest("POST", "/v2/capi/passthrough/id")
def vote(call: Call) -> dict[str, Any]:
    """One vote a person; a second one changes nothing."""
    poll = call.state.uploads.poll(call.need("twitter:string:card_uri"))
    choice = number(call.need("twitter:string:selected_choice"))
    if not 1 <= choice <= len(poll.choices) or call.now >= poll.ends_at:
        raise Refusal(214, "The poll is over, or has no such choice.", 400)
    if call.user.id not in poll.votes:
        poll.votes[call.user.id] = choice
        call.wrote(f"{poll.uri}/{choice}")
    values = poll_values(poll, call.user, call.now)
    return {"card": {"name": poll.name, "url": poll.uri, "binding_values": values}}
