"""The checks that settings ask for."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from twikit_pool.safety.checks import (
    Check,
    Contacts,
    DeniedLinks,
    Language,
    Length,
    Lookalikes,
    MediaCheck,
    PersonalNumbers,
    QuietHours,
    Repeats,
    Secrets,
    Shape,
    Shorteners,
    Similar,
    Unresolvable,
    own_words,
    profanity,
)
from twikit_pool.safety.extra import installed
from twikit_pool.safety.verdicts import Severity

if TYPE_CHECKING:
    from collections.abc import Callable

    from twikit_pool.safety.settings import SafetySettings

logger = logging.getLogger(__name__)

HELPED: Final = {
    "secrets": ("detect_secrets", "tokens of further services"),
    "lookalikes": ("confusable_homoglyphs", "hosts that are wholly of letters that look like Latin ones"),
    "unresolvable": ("tldextract", "bare suffixes such as co.uk"),
}
"""Rules that see more with a library of the extra `safety`, and what they miss without."""


def checks_of(settings: SafetySettings) -> Iterator[tuple[Check, Severity]]:
    """Each check that is not off, and what it weighs. The cheap ones come first.

    Raises:
        ConfigError: a check cannot be made: its file, its zone or its extra is missing.
    """
    given = settings
    made: tuple[tuple[str, bool, Callable[[], Check]], ...] = (
        ("length", True, Length),
        ("media", True, MediaCheck),
        ("secrets", True, Secrets),
        ("personal", True, PersonalNumbers),
        ("contacts", True, Contacts),
        ("profanity", bool(given.profanity_languages), lambda: profanity(given.profanity_languages)),
        (
            "denied_links",
            bool(given.allowed_hosts or given.denied_hosts),
            lambda: DeniedLinks(allowed=given.allowed_hosts, denied=given.denied_hosts),
        ),
        ("shorteners", True, Shorteners),
        ("lookalikes", True, Lookalikes),
        ("unresolvable", True, Unresolvable),
        ("language", bool(given.languages), lambda: Language(given.languages)),
        (
            "shape",
            True,
            lambda: Shape(
                most_capitals=given.most_capitals,
                most_mentions=given.most_mentions,
                most_hashtags=given.most_hashtags,
            ),
        ),
        (
            "quiet",
            given.quiet_hours is not None,
            lambda: QuietHours(given.quiet_hours or "", given.quiet_zone),
        ),
        ("repeats", True, lambda: Repeats(given.repeat_hours)),
        ("similar", True, lambda: Similar(given.similar_score, given.similar_least)),
    )
    if given.words is not None:
        yield own_words(given.words), Severity.BLOCK
    for name, wanted, make in made:
        weight = getattr(given, name)
        if wanted and weight != "off":
            yield make(), Severity(weight)


def tell_what_is_missed(settings: SafetySettings) -> None:
    """Log which rules see less than they could."""
    missed = [
        f"{rule} ({what})"
        for rule, (module, what) in HELPED.items()
        if getattr(settings, rule) != "off" and not installed(module)
    ]
    if missed:
        logger.info(
            "the content filter sees more with an extra (pip install 'twikit-pool[safety]'): %s",
            ", ".join(missed),
        )
