"""What the filter says of a post: whether it may go, and why not, point by point."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias

import msgspec


class Decision(StrEnum):
    """What becomes of a post."""

    ALLOW = "allow"
    REVIEW = "review"
    """A person decides."""
    BLOCK = "block"


class Severity(StrEnum):
    """How much one reason weighs. The gravest decides."""

    NOTE = "note"
    """Told, and nothing follows."""
    REVIEW = "review"
    BLOCK = "block"


Weight: TypeAlias = Literal["off", "note", "review", "block"]
"""How much a rule weighs, in settings: `off` does not even look."""

_GRAVITY: Final = (Severity.NOTE, Severity.REVIEW, Severity.BLOCK)
_DECISIONS: Final = {
    Severity.NOTE: Decision.ALLOW,
    Severity.REVIEW: Decision.REVIEW,
    Severity.BLOCK: Decision.BLOCK,
}


class Span(msgspec.Struct, frozen=True):
    """Where in a text: from code point `start` to before `end`."""

    start: int
    end: int


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that speaks against a post.

    Attributes:
        rule: what was broken, as `similar.across_accounts`; its first part is the check's name.
        severity: how much it weighs.
        message: what is wrong, in a sentence. It repeats no secret and no personal data.
        suggestion: what to do about it.
        field: which text it is about: `content`, `poll.choices[0]`, …
        span: where in that text; None where it is about all of it, or none.
    """

    rule: str
    severity: Severity
    message: str
    suggestion: str
    field: str = "content"
    span: Span | None = None

    def __str__(self) -> str:
        at = f", {self.field} {self.span.start}-{self.span.end}" if self.span is not None else ""
        return f"{self.rule}{at}: {self.message}; {self.suggestion}"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the filter says of a post.

    Attributes:
        decision: what becomes of it.
        reasons: why, the gravest first.
        observed: what was told besides, and decides nothing: `language`, `sentiment`, `length`.
    """

    decision: Decision
    reasons: tuple[Reason, ...] = ()
    observed: dict[str, Any] = {}

    @classmethod
    def of(cls, reasons: list[Reason], observed: dict[str, Any] | None = None) -> Verdict:
        """The verdict to which these reasons come."""
        ordered = sorted(reasons, key=lambda each: -_GRAVITY.index(each.severity))
        decision = _DECISIONS[ordered[0].severity] if ordered else Decision.ALLOW
        return cls(decision=decision, reasons=tuple(ordered), observed=observed or {})

    @property
    def allowed(self) -> bool:
        """Whether it may go."""
        return self.decision is Decision.ALLOW

    @property
    def deciding(self) -> tuple[Reason, ...]:
        """The reasons of the verdict's own weight."""
        return tuple(each for each in self.reasons if _DECISIONS[each.severity] is self.decision)
