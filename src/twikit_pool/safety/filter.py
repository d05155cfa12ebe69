"""The content filter: what may be posted, and why not.

It is a policy filter. It tells what rules can tell; it does not know what is meant, and it detects no hate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from twikit_pool.accounts.model import Account
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.safety.building import checks_of, tell_what_is_missed
from twikit_pool.safety.checks.check import Check, Context, Sighting, Text
from twikit_pool.safety.checks.mood import Mood
from twikit_pool.safety.classifier import Classifier, Classifying, classifier_named
from twikit_pool.safety.memory import PostMemory
from twikit_pool.safety.posts import Post, post_of
from twikit_pool.safety.settings import DEFAULT_SAFETY, SafetySettings
from twikit_pool.safety.text import measure
from twikit_pool.safety.verdicts import Decision, Reason, Severity, Span, Verdict
from twikit_pool.sessions.actions import Action

if TYPE_CHECKING:
    from datetime import datetime

    from twikit_pool.clock import Clock

ZONE_TAG: Final = "tz:"
"""What a tag of an account begins with that names its time zone, as `tz:Europe/London`."""

Sendable: TypeAlias = str | Post | Action
"""What can be looked at: a text, a post, or an action that carries words."""

FINE: Final = Verdict(decision=Decision.ALLOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A post that is to be sent later.

    Attributes:
        post: what.
        account: who; None while that is open.
        at: when, with its time zone; None for when the plan begins.
    """

    post: Sendable
    account: str | None = None
    at: datetime | None = None


class ContentSafetyFilter:
    """Looks at posts before they are sent.

        filter = ContentSafetyFilter()
        verdict = await filter.check("Hello", "brand_uk")
        verdict.decision, verdict.reasons

    Args:
        settings: which rules there are and what they weigh.
        memory: what was posted lately; until the process ends when not given.
        classifier: the operator's own, in place of the one that settings name.
        checks: the operator's own, and what each weighs.
        clock: the time.

    Raises:
        ConfigError: a check cannot be made: its file, its zone or its extra is missing.
    """

    def __init__(
        self,
        settings: SafetySettings = DEFAULT_SAFETY,
        *,
        memory: PostMemory | None = None,
        classifier: Classifier | None = None,
        checks: Iterable[tuple[Check, Severity]] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.settings: Final = settings
        self._clock = clock
        every = [*checks_of(settings), *checks]
        self._quick = [each for each in every if each[0].quick]
        self._remembering = [each for each in every if not each[0].quick]
        if classifier is None and settings.classifier is not None:
            classifier = classifier_named(settings.classifier)
        self._classifying = (
            None
            if classifier is None
            else Classifying(
                classifier, timeout=settings.classifier_timeout, failure=settings.classifier_failure
            )
        )
        self._mood = Mood() if settings.sentiment else None
        self.memory: Final = PostMemory(days=settings.similar_days, clock=clock) if memory is None else memory
        tell_what_is_missed(settings)

    # ------------------------------------------------------------ one post

    async def check(
        self, post: Sendable, account: Account | str | None = None, context: Context | None = None
    ) -> Verdict:
        """Everything there is to say of a post, nothing of which is remembered.

        Args:
            post: a text, a post or an action.
            account: who is to send it; None compares with what all accounts sent.
            context: when and for whom; now, and nobody in particular, when not given.

        Raises:
            SafetyError: what was posted before cannot be looked up.
        """
        whole = _post(post)
        if whole is None:
            return FINE
        context = context or self.context(account)
        reasons = self._reasons(whole, context, (*self._quick, *self._remembering))
        if self._classifying is not None:
            opinion = await self._classifying.ask(whole, context)
            if opinion is not None:
                reasons.append(_reason(opinion, Severity.REVIEW, whole.name))
        return Verdict.of(reasons, self._observed(whole))

    def quick(self, post: Sendable, account: Account | str | None = None) -> Verdict:
        """What can be said at once: without other posts, hours of the day, and the classifier."""
        whole = _post(post)
        if whole is None:
            return FINE
        return Verdict.of(self._reasons(whole, self.context(account), self._quick))

    def compare(self, post: Post, context: Context) -> Verdict:
        """What depends on the moment, which is now: whether it was said before, and the hour.

        Raises:
            SafetyError: what was posted before cannot be looked up.
        """
        now = replace(context, now=self._clock.now())
        return Verdict.of(self._reasons(post, now, self._remembering))

    def context(
        self,
        account: Account | str | None = None,
        *,
        owner: str | None = None,
        now: datetime | None = None,
        memories: Sequence[PostMemory] = (),
    ) -> Context:
        """Who sends, now or at another time; an account's tag `tz:Europe/London` says where it is."""
        zone = None
        if isinstance(account, Account):
            zone = next(
                (each[len(ZONE_TAG) :] for each in sorted(account.tags) if each.startswith(ZONE_TAG)), None
            )
            account = account.id
        return Context(
            account=account,
            now=now or self._clock.now(),
            zone=zone,
            owner=owner,
            memories=(self.memory, *memories),
        )

    def _reasons(
        self, post: Post, context: Context, checks: Iterable[tuple[Check, Severity]]
    ) -> list[Reason]:
        texts = [Text(post, name, text) for name, text in post.texts]
        return [
            _reason(seen, weight, text.field)
            for check, weight in checks
            for text in texts
            for seen in check.look(text, context)
        ]

    def _observed(self, post: Post) -> dict[str, Any]:
        observed: dict[str, Any] = {}
        if post.published:
            observed["length"] = measure(post.text).length
        if self._mood is not None and post.text:
            observed["sentiment"] = self._mood.of(post.text)
        return observed

    # ------------------------------------------------------------ several

    async def check_all(self, posts: Iterable[tuple[Sendable, Account | str | None]]) -> list[Verdict]:
        """As `check`, of several that have nothing to do with each other."""
        verdicts: list[Verdict] = []
        for post, account in posts:
            verdicts.append(await self.check(post, account))
            await asyncio.sleep(0)  # others have their turn
        return verdicts

    async def validate(self, plan: Iterable[Planned], *, owner: str | None = None) -> list[Verdict]:
        """A whole campaign before it starts: each post at its time, compared with those before it as well.

        Args:
            plan: the posts, in the order in which they are to be sent.
            owner: the campaign.

        Returns:
            A verdict for each.

        Raises:
            SafetyError: what was posted before cannot be looked up.
        """
        drafts = PostMemory(days=365.0, clock=self._clock)
        verdicts: list[Verdict] = []
        try:
            for each in plan:
                post = _post(each.post)
                if post is None:
                    verdicts.append(FINE)
                    continue
                post = post if each.at is None else replace(post, at=each.at)
                context = self.context(each.account, owner=owner, now=each.at, memories=(drafts,))
                verdicts.append(await self.check(post, each.account, context))
                if post.published and each.account is not None:
                    with drafts.exclusive():
                        drafts.enter(post, each.account, owner)
                await asyncio.sleep(0)
        finally:
            drafts.close()
        return verdicts

    def close(self) -> None:
        """Let the memory's file be."""
        self.memory.close()


def _post(given: Sendable) -> Post | None:
    if isinstance(given, str):
        return Post(text=given)
    return post_of(given) if isinstance(given, Action) else given


def _reason(seen: Sighting, weight: Severity, field: str) -> Reason:
    span = None if seen.start is None or seen.end is None else Span(seen.start, seen.end)
    return Reason(
        rule=seen.rule,
        severity=seen.severity or weight,
        message=seen.message,
        suggestion=seen.suggestion,
        field=field,
        span=span,
    )
