"""What may be posted: the content filter, its memory and its review queue; see docs/safety.md."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from twikit_pool.safety.checks import Check, Context, Sighting
    from twikit_pool.safety.classifier import Classifier, Opinion
    from twikit_pool.safety.filter import ContentSafetyFilter, Planned
    from twikit_pool.safety.guard import Overridden, Override, PostGuard, overriding
    from twikit_pool.safety.memory import PostMemory
    from twikit_pool.safety.posts import Attachment, Kind, Post, post_of
    from twikit_pool.safety.reviews import Review, Reviews, ReviewState
    from twikit_pool.safety.settings import DEFAULT_SAFETY, SafetySettings
    from twikit_pool.safety.verdicts import Decision, Reason, Severity, Span, Verdict

_HOME: Final = {
    "Attachment": "posts",
    "Check": "checks",
    "Classifier": "classifier",
    "ContentSafetyFilter": "filter",
    "Context": "checks",
    "DEFAULT_SAFETY": "settings",
    "Decision": "verdicts",
    "Kind": "posts",
    "Opinion": "classifier",
    "Overridden": "guard",
    "Override": "guard",
    "Planned": "filter",
    "Post": "posts",
    "PostGuard": "guard",
    "PostMemory": "memory",
    "Reason": "verdicts",
    "Review": "reviews",
    "ReviewState": "reviews",
    "Reviews": "reviews",
    "SafetySettings": "settings",
    "Severity": "verdicts",
    "Sighting": "checks",
    "Span": "verdicts",
    "Verdict": "verdicts",
    "overriding": "guard",
    "post_of": "posts",
}

__all__ = [
    "DEFAULT_SAFETY",
    "Attachment",
    "Check",
    "Classifier",
    "ContentSafetyFilter",
    "Context",
    "Decision",
    "Kind",
    "Opinion",
    "Overridden",
    "Override",
    "Planned",
    "Post",
    "PostGuard",
    "PostMemory",
    "Reason",
    "Review",
    "ReviewState",
    "Reviews",
    "SafetySettings",
    "Severity",
    "Sighting",
    "Span",
    "Verdict",
    "overriding",
    "post_of",
]


def __getattr__(name: str) -> Any:
    # Lazily: the settings are read by commands that check nothing.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
