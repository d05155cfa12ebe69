"""What goes wrong, on demand."""

from __future__ import annotations

import random
from typing import Final, Literal

import msgspec

from twikit_pool.errors import ConfigError

When = Literal["before", "after"]
"""Before X acts on the call, or after: the write is done, but its answer is lost or wrong."""

KINDS: Final[dict[str, When | None]] = {
    "lock": "before",
    "suspend": "before",
    "expire": "before",
    "code": "before",
    "server_error": "before",
    "rate_limited": "before",
    "stale_query": "before",
    "garbage": "before",
    "slow": "before",
    "hang": "before",
    "reset": "before",
    "close": "after",
    "truncate": "after",
    "drip": None,
    "empty_legacy": None,
    "connection_close": None,
}
"""Every kind of fault, and when it strikes unless told otherwise; None where that makes no difference."""

ANSWERS: Final = frozenset(
    {"lock", "suspend", "expire", "code", "server_error", "rate_limited", "stale_query", "garbage"}
)
"""Faults that put another answer in place of the real one; all others are about how it travels."""

STANDING: Final = frozenset({"lock", "suspend", "expire"})
"""Faults of the account itself: while they last, the home page shows them too."""

SIDE_ENDPOINTS: Final = frozenset({"home", "ondemand.s", "user_state"})
"""What clients ask on their own account. A fault strikes there only when it names the endpoint, so that
a fault for one call is not used up by the handshake."""


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong.

    Attributes:
        kind: one of `KINDS`.
        account: whose calls it strikes; None for anyone's.
        endpoint: the operation it strikes (`CreateTweet`, `friendships/create`); None for all of the API.
        times: how many calls it strikes; None until it is cleared.
        probability: the chance that it strikes a call that fits, 0 to 1, drawn from the seed.
        when: before X acts on the call, or after; None for what is usual for the kind.
        status: the HTTP status (`code`, `server_error`); None for what is usual.
        code: X's code (`code`).
        message: X's words (`code`); None for what is usual.
        seconds: how long (`slow`), or how long for each byte (`drip`).
        headers: whether a 429 carries the rate headers (`rate_limited`).
        html: whether the body is a page instead of JSON (`server_error`).

    Raises:
        ConfigError: a field is missing, unknown or out of range.
    """

    kind: str
    account: str | None = None
    endpoint: str | None = None
    times: int | None = None
    probability: float = 1.0
    when: When | None = None
    status: int | None = None
    code: int | None = None
    message: str | None = None
    seconds: float = 0.0
    headers: bool = True
    html: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"no fault is called {self.kind!r}; there are {', '.join(KINDS)}")
        if (self.kind == "code") != (self.code is not None):
            raise ConfigError("the fault 'code', and only that one, needs X's code: code=226 for example")
        if self.kind in ("slow", "drip") and self.seconds <= 0:
            raise ConfigError(f"the fault {self.kind!r} needs seconds, more than 0")
        if self.kind == "stale_query" and (self.endpoint is None or self.account is not None):
            raise ConfigError("the fault 'stale_query' needs an endpoint, and strikes all accounts")
        if self.when is not None and KINDS[self.kind] is None:
            raise ConfigError(f"the fault {self.kind!r} takes no when")
        if self.kind == "truncate" and self.when == "before":
            raise ConfigError("the fault 'truncate' strikes after the call: there must be an answer to cut")
        if not 0 <= self.probability <= 1 or (self.times is not None and self.times < 1):
            raise ConfigError("probability must be 0 to 1, and times at least 1 or None")
        if self.status is not None and not 200 <= self.status <= 599:
            raise ConfigError(f"status must be 200 to 599, not {self.status}")

    @property
    def after(self) -> bool:
        """Whether the call is carried out first."""
        return (self.when or KINDS[self.kind]) == "after"


class Faults:
    """What is to go wrong, oldest first.

    Args:
        chance: draws for those that strike only sometimes.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """One more."""
        self._faults.append(fault)

    def clear(self, account: str | None = None, endpoint: str | None = None) -> None:
        """Forget all, or those of this account or endpoint."""
        self._faults = [
            fault
            for fault in self._faults
            if (account is not None and fault.account != account)
            or (endpoint is not None and fault.endpoint != endpoint)
        ]

    @property
    def all(self) -> list[Fault]:
        """Those that can still strike."""
        return list(self._faults)

    def travelling(self, account: str | None, endpoint: str) -> list[Fault]:
        """All that strike this call on its way; each is counted."""
        struck = [
            fault
            for fault in self._faults
            if fault.kind not in ANSWERS and self._strikes(fault, account, endpoint)
        ]
        for fault in struck:
            self._count(fault)
        return struck

    def answering(self, account: str | None, endpoint: str) -> Fault | None:
        """The oldest one that answers this call; only that one is counted."""
        for fault in self._faults:
            if fault.kind in ANSWERS and self._strikes(fault, account, endpoint):
                self._count(fault)
                return fault
        return None

    def _count(self, fault: Fault) -> None:
        if fault.times is not None:
            fault.times -= 1
            if not fault.times:
                self._faults.remove(fault)

    def _strikes(self, fault: Fault, account: str | None, endpoint: str) -> bool:
        if fault.account not in (None, account):
            return False
        if endpoint in SIDE_ENDPOINTS:
            lasting = fault.kind in STANDING and fault.times is None and fault.endpoint is None
            if fault.endpoint != endpoint and not lasting:
                return False
        elif fault.endpoint not in (None, endpoint):
            return False
        return fault.probability == 1 or self._chance.random() < fault.probability
