"""The filter where writes leave the pool; see `pool.guarding`.

A post is looked at before it waits for a connection (what can be said at once), again when the account is
known, and compared once more in the instant before it leaves, when it is entered among those that were sent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.errors import ConfigError, PostBlocked, PostHeld, SafetyError
from twikit_pool.safety.filter import ContentSafetyFilter
from twikit_pool.safety.memory import PostMemory
from twikit_pool.safety.posts import Attachment, Post, carries_words, post_of
from twikit_pool.safety.reviews import Reviews
from twikit_pool.safety.settings import DEFAULT_SAFETY, SafetySettings
from twikit_pool.safety.verdicts import Decision, Verdict
from twikit_pool.sessions.outcomes import Taken

if TYPE_CHECKING:
    from pathlib import Path

    from twikit_pool.accounts.model import Account
    from twikit_pool.clock import Clock
    from twikit_pool.safety.checks.check import Context
    from twikit_pool.safety.reviews import Review
    from twikit_pool.sessions.actions import Action
    from twikit_pool.sessions.media import Media

logger = logging.getLogger(__name__)

LONGEST_REASON: Final = 500
"""Characters of why something was overridden."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Somebody who may has decided that a post goes, whatever the filter says."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overridden:
    """What an override let go: for the audit."""

    override: Override
    account_id: str
    action: str
    verdict: Verdict

    def __str__(self) -> str:
        rules = ", ".join(dict.fromkeys(each.rule for each in self.verdict.deciding))
        return f"{self.action} as {self.account_id} past {rules}: {self.override.reason}"


_OVERRIDE: Final[ContextVar[Override | None]] = ContextVar("twikit_pool_override", default=None)


@contextmanager
def overriding(reason: str, *, by: str) -> Generator[Override]:
    """Let posts of this task go whatever the filter says; each is told to the guard's `on_override`.

    Args:
        reason: why, for the audit.
        by: who decided it.

    Raises:
        ConfigError: there is no reason, or it is longer than 500 characters.
    """
    reason = reason.strip()
    if not 1 <= len(reason) <= LONGEST_REASON:
        raise ConfigError(f"an override takes a reason of 1 to {LONGEST_REASON} characters, for the audit")
    override = Override(by=by, reason=reason)
    token = _OVERRIDE.set(override)
    try:
        yield override
    finally:
        _OVERRIDE.reset(token)


class PostGuard:
    """Stands before every write that carries words; give it to a pool or its manager as `guard`.

    Args:
        filter: decides.
        reviews: where posts wait for a person; in memory when not given.
        on_override: told of each post that went by an override, before it goes.
    """

    def __init__(
        self,
        filter: ContentSafetyFilter,  # noqa: A002 - what it is
        reviews: Reviews | None = None,
        *,
        on_override: Callable[[Overridden], None] = lambda _: None,
    ) -> None:
        self.filter: Final = filter
        self.reviews: Final = Reviews(most=filter.settings.most_reviews) if reviews is None else reviews
        self.on_override = on_override

    @classmethod
    def of(
        cls,
        settings: SafetySettings = DEFAULT_SAFETY,
        path: Path | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> Self:
        """A guard as settings have it.

        Args:
            settings: of the filter.
            path: where posts are remembered; reviews wait in a file beside it. In memory when not given.
            clock: the time.

        Raises:
            ConfigError: a check cannot be made.
            SafetyError: a file cannot be used.
        """
        beside = None if path is None else path.with_name(f"{path.stem}-reviews{path.suffix}")
        memory = PostMemory(path, days=settings.similar_days, clock=clock)
        try:
            found = ContentSafetyFilter(settings, memory=memory, clock=clock)
            return cls(found, Reviews(beside, most=settings.most_reviews, clock=clock))
        except BaseException:
            memory.close()
            raise

    def close(self) -> None:
        """Let the files be."""
        self.filter.close()
        self.reviews.close()

    # ------------------------------------------------------------ what the pool asks

    def look(self, action: Action, account_id: str | None) -> None:
        """Refuse at once what no account may send.

        Raises:
            PostBlocked: a rule forbids it.
        """
        if not carries_words(action.name) or _OVERRIDE.get() is not None:
            return
        verdict = self.filter.quick(action, account_id)
        if verdict.decision is Decision.BLOCK:
            raise _blocked(action, account_id, verdict)

    async def admit(
        self, action: Action, account: Account, *, pool_id: str, owner: str | None, files: Sequence[Media]
    ) -> Passage | None:
        """Look at what an account is about to send; None where nothing needs to be noted of it.

        Raises:
            PostBlocked: a rule forbids it.
            PostHeld: a person is to decide.
            SafetyError: it cannot be compared with what was sent.
        """
        post = post_of(
            action,
            tuple(Attachment(mime=each.mime, size=len(each.content), source=each.source) for each in files),
        )
        if post is None:
            return None
        context = self.filter.context(account, owner=owner)
        passage = Passage(self, action, post, context, pool_id, _OVERRIDE.get())
        passage.judge(await self.filter.check(post, account, context))
        return passage


class Passage:
    """A post on its way out, of one account."""

    __slots__ = (
        "_action",
        "_approval",
        "_context",
        "_guard",
        "_key",
        "_override",
        "_pool_id",
        "_post",
        "_told",
    )

    def __init__(
        self,
        guard: PostGuard,
        action: Action,
        post: Post,
        context: Context,
        pool_id: str,
        override: Override | None,
    ) -> None:
        self._guard = guard
        self._action = action
        self._post = post
        self._context = context
        self._pool_id = pool_id
        self._override = override
        self._approval: Review | None = None
        self._key: int | None = None
        self._told = False

    def judge(self, verdict: Verdict) -> None:
        """Refuse what a verdict does not let go, unless somebody has decided otherwise.

        Raises:
            PostBlocked, PostHeld: as the verdict says.
        """
        if verdict.allowed:
            return
        account = self._context.account or ""
        if self._override is not None:
            if not self._told:
                self._told = True
                self._guard.on_override(
                    Overridden(
                        override=self._override, account_id=account, action=self._action.name, verdict=verdict
                    )
                )
            return
        if verdict.decision is Decision.BLOCK:
            raise _blocked(self._action, account, verdict)
        reviews = self._guard.reviews
        self._approval = self._approval or reviews.approval(self._action, account)
        if self._approval is None:
            held = reviews.hold(
                self._action, account, self._pool_id, verdict.reasons, owner=self._context.owner
            )
            raise PostHeld(
                f"{_told(self._action, account, verdict)}; a person is to decide about review {held.id} "
                "(`twikit-pool reviews`)",
                verdict.reasons,
                held.id,
            )

    def leave(self) -> None:
        """It is about to leave: compare once more, and enter it among what was sent.

        Raises:
            PostBlocked, PostHeld: it was said meanwhile.
            SafetyError: it cannot be entered.
        """
        if self._post.published and self._key is None:
            memory, account = self._guard.filter.memory, self._context.account or ""
            with memory.exclusive():
                self.judge(self._guard.filter.compare(self._post, self._context))
                self._key = memory.enter(self._post, account, self._context.owner)
        if self._approval is not None:
            self._guard.reviews.spend(self._approval.id)

    def end(self, taken: Taken, result: Any = None) -> None:
        """What became of it. If nobody knows, or it cannot be noted, it counts as sent."""
        try:
            if taken is Taken.NO:
                self._take_back()
            elif taken is Taken.YES and self._key is not None:
                self._guard.filter.memory.confirm(self._key, getattr(result, "id", None))
        except SafetyError as error:  # it is done, whatever can be noted of it
            logger.warning("%s as %s: %s", self._action.name, self._context.account, error)

    def _take_back(self) -> None:
        if self._key is not None:
            self._guard.filter.memory.withdraw(self._key)
        if self._approval is not None:
            self._guard.reviews.unspend(self._approval.id)


def _blocked(action: Action, account: str | None, verdict: Verdict) -> PostBlocked:
    return PostBlocked(_told(action, account, verdict), verdict.reasons)


def _told(action: Action, account: str | None, verdict: Verdict) -> str:
    whose = f" as {account}" if account else ""
    return f"{action.name}{whose} was not sent: {'; '.join(map(str, verdict.deciding))}"
