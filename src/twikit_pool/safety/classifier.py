"""A classifier of the operator's own: the last word on what no rule can tell."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from importlib import import_module
from inspect import isawaitable, iscoroutinefunction
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, TypeAlias, cast

from twikit_pool.errors import ConfigError
from twikit_pool.redaction import without_frames
from twikit_pool.safety.checks.check import Sighting
from twikit_pool.safety.verdicts import Decision, Severity

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from twikit_pool.safety.checks.check import Context
    from twikit_pool.safety.posts import Post

Failure: TypeAlias = Literal["allow", "review", "block"]

_WEIGHTS: Final = {
    Decision.ALLOW: Severity.NOTE,
    Decision.REVIEW: Severity.REVIEW,
    Decision.BLOCK: Severity.BLOCK,
}


class Opinion(NamedTuple):
    """What a classifier says: a decision, a sentence of why, and where if it can tell."""

    decision: Decision
    message: str = ""
    start: int | None = None
    end: int | None = None


class Classifier(Protocol):
    """Called with each post; a function or a coroutine function. A function runs in a thread.

    It returns an opinion, a decision, or None where it has nothing to say.
    """

    def __call__(
        self, post: Post, context: Context, /
    ) -> Awaitable[Opinion | Decision | None] | Opinion | Decision | None:
        """What it thinks of a post."""
        ...


class Classifying:
    """Asks a classifier, for so long and no longer.

    Args:
        classifier: the operator's.
        timeout: seconds that it has for a post. A function that takes longer goes on in its thread, unheard.
        failure: what it means when it is late or raises.
        executor: runs functions; the loop's own when not given.
    """

    def __init__(
        self,
        classifier: Classifier,
        *,
        timeout: float = 1.0,
        failure: Failure = "review",
        executor: Executor | None = None,
    ) -> None:
        self._classifier = classifier
        self._timeout = timeout
        self._failure = Decision(failure)
        self._executor = executor

    async def ask(self, post: Post, context: Context) -> Sighting | None:
        """What it says of a post, as something that was seen."""
        try:
            async with asyncio.timeout(self._timeout):
                opinion = await self._opinion(post, context)
        except Exception as error:  # noqa: BLE001 - a boundary: the classifier is the operator's own code
            late = isinstance(error, TimeoutError)
            why = (
                f"took more than {self._timeout:g} s"
                if late
                else f"failed: {type(without_frames(error)).__name__}"
            )
            return Sighting(
                "classifier.failed",
                f"the classifier {why}, which counts as {self._failure.value!r}",
                "post it later, or see to the classifier; `classifier_failure` says what this means",
                severity=_WEIGHTS[self._failure],
            )
        if opinion is None:
            return None
        if isinstance(opinion, Decision):
            opinion = Opinion(opinion)
        if opinion.decision is Decision.ALLOW and not opinion.message:
            return None
        return Sighting(
            "classifier.opinion",
            opinion.message or "the classifier objects",
            "say it in other words",
            opinion.start,
            opinion.end,
            _WEIGHTS[opinion.decision],
        )

    async def _opinion(self, post: Post, context: Context) -> Opinion | Decision | None:
        ask = self._classifier
        if iscoroutinefunction(ask) or iscoroutinefunction(getattr(ask, "__call__", None)):  # noqa: B004
            said = ask(post, context)
        else:
            loop = asyncio.get_running_loop()
            said = await loop.run_in_executor(self._executor, partial(ask, post, context))
        return await said if isawaitable(said) else said


def classifier_named(name: str) -> Classifier:
    """What a setting names, as `package.module:name`.

    Raises:
        ConfigError: there is no such thing, or it cannot be called.
    """
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"the classifier {name} cannot be had: {error}") from None
    if not callable(found):
        raise ConfigError(
            f"the classifier {name} is a {type(found).__name__}, and nothing that can be called"
        )
    return cast("Classifier", found)
