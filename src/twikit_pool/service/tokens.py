"""API tokens: 256 random bits each, kept as their SHA-256 in a private file.

A slow hash guards what people choose. Nobody guesses 256 random bits, and argon2 would hold the event loop up
for a tenth of a second with every request.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from twikit_pool.accounts.private_files import make_private_folder, open_to_others, replace_private
from twikit_pool.clock import SYSTEM_CLOCK
from twikit_pool.errors import ConfigError

if TYPE_CHECKING:
    from twikit_pool.clock import Clock

PREFIX: Final = "tp"
"""What every token begins with, so that scanners for leaked secrets can be told of it."""

SECRET_BYTES: Final = 32
ID_BYTES: Final = 4

FRESH: Final = 1.0
"""Seconds for which the file is not looked at again: a token that is revoked is good for as long."""

MOST_CHARACTERS: Final = 200
"""Of what is taken for a token at all."""


class Scope(StrEnum):
    """What a token may do. Each includes those before it."""

    READ = "read"
    """See everything that is no secret."""
    EXECUTE = "execute"
    """Also act through accounts: calls, leases, reservations, jobs."""
    OPERATE = "operate"
    """Also change what runs: sizes, settings, accounts on and off, emergency stop."""
    ADMIN = "admin"
    """Also pools and accounts: make and remove them, give them cookies."""

    def covers(self, other: Scope) -> bool:
        """Whether who has this may do what the other allows."""
        order = list(Scope)
        return order.index(self) >= order.index(other)


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token as it is kept: without the token.

    Attributes:
        id: its first part, by which it is named; no secret.
        name: whose, or what for.
        scope: what it may do.
        created_at: when it was made, in UTC.
        expires_at: when it ends by itself, in UTC; None for never.
        digest: SHA-256 of the whole token, in hexadecimal.
    """

    id: str
    name: str
    scope: Scope
    created_at: datetime
    expires_at: datetime | None = None
    digest: str = ""

    def __repr__(self) -> str:
        return f"<token {self.id} of {self.name!r}, {self.scope}>"


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    version: int = 1
    tokens: tuple[Token, ...] = ()


class TokenBook:
    """The tokens in a file. Several processes may use one: it is read again when it has changed.

    Args:
        path: the file; made with the first token, for its owner alone.
        clock: the time.
    """

    def __init__(self, path: Path, clock: Clock = SYSTEM_CLOCK) -> None:
        self._path = path
        self._clock = clock
        self._by_id: dict[str, Token] = {}
        self._seen: tuple[int, int, int] | None = None
        self._looked: float | None = None

    def create(self, name: str, scope: Scope, *, expires_at: datetime | None = None) -> tuple[Token, str]:
        """Make a token; the second that is returned is the token itself, which is kept nowhere.

        Raises:
            ConfigError: it has no name, or the file cannot be used.
        """
        if not name.strip():
            raise ConfigError("a token needs a name: say whose it is, or what for")
        with self._changing() as tokens:
            taken = {each.id for each in tokens}
            number = next(each for each in iter(lambda: secrets.token_hex(ID_BYTES), "") if each not in taken)
            plain = f"{PREFIX}_{number}_{secrets.token_urlsafe(SECRET_BYTES)}"
            token = Token(
                id=number,
                name=name.strip(),
                scope=scope,
                created_at=self._clock.now(),
                expires_at=expires_at,
                digest=_digest(plain),
            )
            tokens.append(token)
        return token, plain

    def revoke(self, token_id: str) -> Token:
        """Let a token be good for nothing any more.

        Raises:
            ConfigError: there is none of this id, or the file cannot be used.
        """
        with self._changing() as tokens:
            found = next((each for each in tokens if each.id == token_id), None)
            if found is None:
                raise ConfigError(f"there is no token {token_id!r}: `twikit-pool tokens list` shows them")
            tokens.remove(found)
        return found

    def all(self) -> list[Token]:
        """Every token, the oldest first.

        Raises:
            ConfigError: the file cannot be used.
        """
        self._read()
        return sorted(self._by_id.values(), key=lambda each: each.created_at)

    def verify(self, plain: str) -> Token | None:
        """Whose token this is; None if it is nobody's, or not any more.

        Raises:
            ConfigError: the file cannot be used.
        """
        now = self._clock.monotonic()
        if self._looked is None or not 0 <= now - self._looked < FRESH:
            self._looked = now
            self._read()
        if len(plain) > MOST_CHARACTERS:
            return None
        _, _, rest = plain.partition("_")
        token = self._by_id.get(rest.partition("_")[0])
        # Compared in either case, so that the time tells nothing of which ids there are.
        right = hmac.compare_digest(_digest(plain), "" if token is None else token.digest)
        if token is None or not right:
            return None
        return None if token.expires_at is not None and token.expires_at <= self._clock.now() else token

    def _read(self) -> None:
        try:
            stat = self._path.stat()
            seen = stat.st_mtime_ns, stat.st_size, stat.st_ino
            if seen == self._seen:
                return
            if open_to_others(self._path):
                raise ConfigError(f"{self._path} can be read by others: chmod 600 it")
            kept = msgspec.json.decode(self._path.read_bytes(), type=_Kept)
        except FileNotFoundError:
            self._by_id, self._seen = {}, None
            return
        except OSError as error:
            raise ConfigError(f"{self._path} cannot be read: {error.strerror}") from None
        except msgspec.DecodeError as error:
            raise ConfigError(
                f"{self._path} holds no tokens ({error}): move it away, and make new ones"
            ) from None
        self._by_id, self._seen = {each.id: each for each in kept.tokens}, seen

    @contextmanager
    def _changing(self) -> Generator[list[Token]]:
        """The tokens, to change; what is left of them at the end is kept."""
        self._read()
        tokens = list(self._by_id.values())
        yield tokens
        try:
            make_private_folder(self._path.parent)
            replace_private(self._path, msgspec.json.encode(_Kept(tokens=tuple(tokens))))
        except OSError as error:
            raise ConfigError(f"{self._path} cannot be written: {error.strerror}") from None
        self._read()


def _digest(plain: str) -> str:
    return hashlib.sha256(plain.encode()).hexdigest()
