"""The same request with the same key is carried out once: the header `Idempotency-Key`.

- The same key with the same request gives the same answer, for a day.
- While the first is under way a second waits for it.
- The same key with another request is refused.
- What ended before anything was sent, or failed for a reason that passes with X having certainly taken
  nothing, frees its key. What X may have taken is never sent again.

Keys are each token's own, and in memory: after a restart a key is new. So a client that lost the service
under a write looks at the account before it writes again, or uses jobs, whose journal is on disk.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from litestar.exceptions import HTTPException, TooManyRequestsException

from twikit_pool.service.acts import Act, Acts, Answer, Work

if TYPE_CHECKING:
    from litestar import Request

    from twikit_pool.clock import Clock
    from twikit_pool.service.access import Caller

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"

KEPT: Final = 24 * 3600.0
"""Seconds for which an answer is kept; as long as Stripe keeps its."""

MOST_KEYS: Final = 10_000
"""Of one token; then the oldest go."""

MOST_BYTES: Final = 32_000_000
"""Of the answers to one token, which may be long where it reads; then the oldest go."""

LONGEST_KEY: Final = 200


class KeyRefused(HTTPException):
    """The key was used for something else, or is none."""

    status_code = 422


class _Entry:
    """A key: what was asked with it, who does it, and the answer once there is one."""

    __slots__ = ("act", "answer", "asked", "began")

    def __init__(self, asked: bytes, began: float, act: Act) -> None:
        self.asked: Final = asked
        self.began: Final = began
        self.act: Act | None = act
        self.answer: Answer | None = None


class _Keys:
    """The keys of one token, the oldest first."""

    __slots__ = ("entries", "size")

    def __init__(self) -> None:
        self.entries: OrderedDict[str, _Entry] = OrderedDict()
        self.size = 0


class IdempotentActs:
    """Carries requests out, each that has a key once.

    Args:
        acts: does them.
        clock: the time.
    """

    def __init__(self, acts: Acts, clock: Clock) -> None:
        self._acts = acts
        self._clock = clock
        self._tokens: dict[str, _Keys] = {}

    async def answer(
        self, request: Request[Any, Caller, Any], key: str | None, asked: bytes, work: Work
    ) -> Answer:
        """Carry a request out, or tell what came of it before.

        Args:
            request: whose client waits.
            key: what it has sent as `Idempotency-Key`.
            asked: what it asks for; with one key always the same.
            work: does it.

        Raises:
            KeyRefused: the key is too long, or was used for another request.
            TooManyRequestsException: the token has too many requests under way.
            ClientGone, PoolClosed: as `Acts.outcome`.
        """
        if key is None:
            return await self._acts.outcome(self._acts.begin(request, work), request.receive)
        if not 0 < len(key) <= LONGEST_KEY:
            raise KeyRefused(detail=f"an {HEADER} has 1 to {LONGEST_KEY} characters")
        asked = sha256(f"{request.method} {request.url.path}\n".encode() + asked).digest()
        keys = self._tokens.setdefault(request.auth.token.id, _Keys())
        entry = self._found(keys, key)
        if entry is None:
            self._make_room(keys)
            entry = _Entry(asked, self._clock.monotonic(), self._acts.begin(request, work))
            self._enter(keys, key, entry)
            return await self._outcome(keys, key, entry, request)
        if entry.asked != asked:
            raise KeyRefused(detail=f"this {HEADER} was used for another request: make a new one for each")
        answer = await self._outcome(keys, key, entry, request)
        return Answer(
            status=answer.status,
            body=answer.body,
            media_type=answer.media_type,
            headers={**answer.headers, REPLAYED: "true"},
        )

    async def _outcome(
        self, keys: _Keys, key: str, entry: _Entry, request: Request[Any, Caller, Any]
    ) -> Answer:
        if entry.act is None:
            assert entry.answer is not None  # noqa: S101 - for the type checker: it has the one or the other
            return entry.answer
        answer = await self._acts.outcome(entry.act, request.receive)
        self._settle(keys, key, entry)
        return answer

    def _found(self, keys: _Keys, key: str) -> _Entry | None:
        """The entry of a key that still holds."""
        entry = keys.entries.get(key)
        if entry is None:
            return None
        if entry.act is not None and entry.act.task.done():
            self._settle(keys, key, entry)
        abandoned = entry.act is not None and entry.act.abandoned
        old = entry.act is None and self._clock.monotonic() >= entry.began + KEPT
        if abandoned or old:
            self._drop(keys, key, entry)
        return keys.entries.get(key)

    def _enter(self, keys: _Keys, key: str, entry: _Entry) -> None:
        keys.entries[key] = entry
        if entry.act is not None:
            entry.act.task.add_done_callback(lambda _task: self._settle(keys, key, entry))

    def _settle(self, keys: _Keys, key: str, entry: _Entry) -> None:
        """An act has ended: its answer is kept, or its key is free. Harmless when that is done."""
        act, entry.act = entry.act, None
        if act is None:
            return
        answer = None if act.task.cancelled() else act.task.result()
        if answer is None or not answer.final:
            self._drop(keys, key, entry)
        elif keys.entries.get(key) is entry:
            entry.answer = answer
            keys.size += len(answer.body)
            self._make_room(keys, 0)

    def _drop(self, keys: _Keys, key: str, entry: _Entry) -> None:
        if keys.entries.get(key) is entry:
            del keys.entries[key]
            keys.size -= 0 if entry.answer is None else len(entry.answer.body)

    def _make_room(self, keys: _Keys, more: int = 1) -> None:
        """Let the oldest go: those that are over, and as many as are too many. Never one under way."""
        now, number, size = self._clock.monotonic(), len(keys.entries) + more, keys.size
        going: list[tuple[str, _Entry]] = []
        for key, entry in keys.entries.items():
            if number <= MOST_KEYS and size <= MOST_BYTES and now < entry.began + KEPT:
                break
            if entry.act is None:
                going.append((key, entry))
                number -= 1
                size -= 0 if entry.answer is None else len(entry.answer.body)
        for key, entry in going:
            self._drop(keys, key, entry)
        if number > MOST_KEYS:
            raise TooManyRequestsException(
                "too many requests of this token are under way", headers={"Retry-After": "1"}
            )
