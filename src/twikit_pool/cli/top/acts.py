"""What can be done: each act is a request to the service, and the words to ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from twikit_pool.cli.top.long_table import Row

SCOPES: Final = ("read", "execute", "operate", "admin")
"""Each includes those before it."""

DRAINED: Final = 600.0
"""Seconds to wait for a drain to end."""


def seconds(text: str) -> float:
    """A number of seconds."""
    value = float(text)
    if not 0 <= value <= 1e9:
        raise ValueError
    return value


@dataclass(frozen=True)
class Field:
    """Something that has to be said with an act.

    Attributes:
        name: as the service calls it.
        label: for a person.
        value: what is there at first.
        read: makes what was typed into what is sent; raises ValueError.
        needed: whether it may not be empty.
    """

    name: str
    label: str
    value: str = ""
    read: Callable[[str], Any] = str
    needed: bool = True


@dataclass(frozen=True)
class Act:
    """Something that can be done.

    Attributes:
        title: what it is.
        says: what it means.
        method, path: the request.
        fields: what goes into its body.
        scope: which a token needs for it.
        patience: seconds for the answer.
    """

    title: str
    says: str
    method: str
    path: str
    fields: Sequence[Field] = field(default=())
    scope: str = "operate"
    patience: float = 30.0

    def allowed(self, scope: str) -> bool:
        """Whether a token of this scope may do it."""
        return scope in SCOPES and SCOPES.index(scope) >= SCOPES.index(self.scope)

    def body(self, typed: Mapping[str, str]) -> dict[str, Any] | None:
        """What is sent.

        Raises:
            ValueError: something is missing, or no number; its text says what.
        """
        if not self.fields:
            return None
        body: dict[str, Any] = {}
        for each in self.fields:
            text = typed.get(each.name, "").strip()
            if not text:
                if each.needed:
                    raise ValueError(f"{each.label}: say something")
                continue
            try:
                body[each.name] = each.read(text)
            except ValueError:
                raise ValueError(f"{each.label}: {text!r} is no number that fits") from None
        return body


def emergency_stop(pool: str) -> Act:
    """The one that has a key of its own."""
    return Act(
        f"EMERGENCY STOP of {pool}",
        "Nothing below CRITICAL is sent any more, and whoever waits is refused, until the pause is over or "
        "the pool is resumed.",
        "POST",
        f"{_of(pool)}/emergency-stop",
        (
            Field("reason", "Reason, for everyone who is refused"),
            Field("pause", "Seconds; empty: the pool's setting", read=seconds, needed=False),
        ),
    )


def acts_of_pool(pool: str) -> Sequence[Act]:
    """What can be done about a pool."""
    of = _of(pool)
    return (
        Act(
            f"Resume {pool}",
            "Serves everyone again: after a stop, a suspension, a drain.",
            "POST",
            f"{of}/resume",
        ),
        Act(
            f"Suspend {pool}",
            "Serves nobody for a while; who comes waits.",
            "POST",
            f"{of}/suspend",
            (Field("seconds", "Seconds; empty: until it is resumed", read=seconds, needed=False),),
        ),
        Act(
            f"Resize {pool}",
            "Keeps so many connections. Where the pool is sized by itself, it decides anew at its next look.",
            "POST",
            f"{of}/resize",
            (Field("size", "Connections", read=int),),
        ),
        Act(
            f"Drain {pool}",
            "Refuses everyone, lets running leases end, and closes every connection.",
            "POST",
            f"{of}/drain",
            (
                Field(
                    "grace",
                    "Seconds for leases to end; empty: the pool's setting",
                    read=seconds,
                    needed=False,
                ),
            ),
            patience=DRAINED,
        ),
        emergency_stop(pool),
    )


def acts_of_row(pool: str, row: Row) -> Sequence[Act]:
    """What can be done about a connection, an account or a reservation; nothing about other rows."""
    if "health" in row:
        return (*_of_connection(pool, row["connection_id"]), *_of_account(pool, row["account_id"]))
    if "logins_today" in row:
        return (*_of_account(pool, row["id"]), *_switched(row["id"]))
    if "expires_at" in row:
        return _of_reservation(pool, row["id"], row["reserved_for"])
    return ()


def _of(pool: str) -> str:
    return f"/v1/pools/{quote(pool, safe='')}"


def _of_connection(pool: str, connection: str) -> Sequence[Act]:
    at = f"{_of(pool)}/connections/{quote(connection, safe='')}"
    return (
        Act(
            f"Close {connection}",
            "Closes it as soon as nobody uses it; another is opened where it is wanted.",
            "POST",
            f"{at}/close",
        ),
        Act(
            f"Release {connection}",
            "Takes it back from whoever has it, now: a call under way fails, later use finds the lease lost.",
            "POST",
            f"{at}/release",
        ),
    )


def _of_account(pool: str, account: str) -> Sequence[Act]:
    at = f"{_of(pool)}/accounts/{quote(account, safe='')}/quarantine"
    return (
        Act(
            f"Quarantine {account}",
            f"{pool} leaves it alone for so long.",
            "POST",
            at,
            (Field("reason", "Reason"), Field("seconds", "Seconds", "600", seconds)),
        ),
        Act(f"Use {account} again", f"Ends its quarantine in {pool}.", "DELETE", at),
    )


def _switched(account: str) -> Sequence[Act]:
    at = f"/v1/accounts/{quote(account, safe='')}"
    reason = Field("reason", "Reason", "by hand")
    return (
        Act(
            f"Switch {account} off",
            "No pool uses it until it is switched on.",
            "POST",
            f"{at}/disable",
            (reason,),
        ),
        Act(f"Switch {account} on", "Every pool may use it again.", "POST", f"{at}/enable", (reason,)),
    )


def _of_reservation(pool: str, reservation: str, owner: str) -> Sequence[Act]:
    at = f"{_of(pool)}/reservations/{quote(reservation, safe='')}"
    return (
        Act(
            f"Release the reservation of {owner}",
            "Its connection goes to whoever waits for it. A lease that runs is not touched.",
            "DELETE",
            at,
            scope="execute",
        ),
        Act(
            f"Extend the reservation of {owner}",
            "Lets it last so many seconds from now on, be that longer or shorter.",
            "POST",
            f"{at}/extend",
            (Field("seconds", "Seconds", "3600", seconds),),
            scope="execute",
        ),
    )
