"""A post as the filter sees it: what people will read, and how it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from twikit_pool.sessions.actions import Action

TEXTS: Final[dict[str, tuple[str, ...]]] = {
    "post_tweet": ("content",),
    "schedule_tweet": ("content",),
    "send_dm": ("text",),
    "create_list": ("name_", "description"),
    "upload_media": ("alt_text",),
}
"""The actions that carry words, and which of their parameters those are. Others write nothing to read."""


class Kind(StrEnum):
    """How a text is sent."""

    POST = "post"
    REPLY = "reply"
    QUOTE = "quote"
    MESSAGE = "message"
    LIST = "list"
    MEDIA = "media"


PUBLISHED: Final = frozenset({Kind.POST, Kind.REPLY, Kind.QUOTE})
"""Those that are compared with others and measured: X's rules on duplicates are about posts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A picture or video, by its MIME type and its bytes."""

    mime: str
    size: int
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What is to be sent.

    Attributes:
        text: the main text.
        kind: how it is sent.
        others: further texts that people will read, by field: `poll.choices[0]`, `description`.
        name: what the main text's field is called.
        to: the post that it answers or quotes, or the user it is sent to.
        attachments: its media, as far as they are known yet.
        long: whether it may be longer than 280.
        at: when X is to post it, where that is not at once.
    """

    text: str
    kind: Kind = Kind.POST
    others: tuple[tuple[str, str], ...] = ()
    name: str = "content"
    to: str | None = None
    attachments: tuple[Attachment, ...] = ()
    long: bool = False
    at: datetime | None = None

    @property
    def texts(self) -> tuple[tuple[str, str], ...]:
        """Every text, by field; the main one first, even if it is empty."""
        return ((self.name, self.text), *self.others)

    @property
    def published(self) -> bool:
        """Whether everyone will read it on the account's profile."""
        return self.kind in PUBLISHED


def carries_words(name: str) -> bool:
    """Whether an action of this name writes something that people read."""
    return name in TEXTS


def post_of(action: Action, attachments: tuple[Attachment, ...] = ()) -> Post | None:
    """What an action would have people read; None if nothing."""
    fields = TEXTS.get(action.name)
    if fields is None:
        return None
    texts = [(name.rstrip("_"), str(getattr(action, name) or "")) for name in fields]
    poll = getattr(action, "poll", None)
    if poll is not None:
        texts += [(f"poll.choices[{place}]", choice) for place, choice in enumerate(poll.choices)]
    (name, text), *others = texts
    if action.name == "upload_media" and not text and not attachments:
        return None
    return Post(
        text=text,
        kind=_kind(action),
        others=tuple(others),
        name=name,
        to=next(
            (given for each in ("reply_to", "quote", "user_id") if (given := getattr(action, each, None))),
            None,
        ),
        attachments=attachments,
        long=bool(getattr(action, "long", False)),
        at=getattr(action, "at", None),
    )


def _kind(action: Action) -> Kind:
    match action.name:
        case "send_dm":
            return Kind.MESSAGE
        case "create_list":
            return Kind.LIST
        case "upload_media":
            return Kind.MEDIA
        case _ if getattr(action, "reply_to", None):
            return Kind.REPLY
        case _:
            return Kind.QUOTE if getattr(action, "quote", None) else Kind.POST
