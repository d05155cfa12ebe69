"""The keys that credentials are sealed with, and where they are kept.

A sealed field is `version, length of the key's id, key's id, nonce, ciphertext`: AES-256-GCM with a
random 96-bit nonce (NIST SP 800-38D; safe for 2^32 sealings with a key). The account's id and the
field's name are authenticated with it, so a field moved to another account or column does not open.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from typing import TYPE_CHECKING, Final, NoReturn, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from twikit_pool.accounts import locations
from twikit_pool.accounts.private_files import (
    create_private,
    make_private_folder,
    open_to_others,
    replace_private,
)
from twikit_pool.errors import KeyMissing, StoreError, WrongKey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEY: Final = "TWIKIT_POOL_KEY"
"""Environment variable: the keys themselves, in place of a key file."""

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_VERSION: Final = 1
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
_HOW_TO_MAKE_ONE: Final = "make one with `openssl rand -base64 32`"


@final
class Keyring:
    """Keys by id, of which the first seals and all open. Shows ids only.

    Args:
        keys: 32 bytes each, by id (1 to 32 letters, digits, `_` and `-`); the first is current.

    Raises:
        KeyMissing: there is no key, or one is malformed.
    """

    __slots__ = ("_ciphers", "_keys")

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise KeyMissing(f"a keyring needs at least one key: {_HOW_TO_MAKE_ONE}")
        for key_id, key in keys.items():
            if not _KEY_ID.fullmatch(key_id):
                raise KeyMissing("a key's id is 1 to 32 letters, digits, _ and -, before a colon: `id:key`")
            if len(key) != _KEY_BYTES:
                raise KeyMissing(f"key {key_id!r} has {len(key)} bytes instead of 32: {_HOW_TO_MAKE_ONE}")
        self._keys = dict(keys)
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}

    @classmethod
    def generate(cls) -> Keyring:
        """A keyring of one new key."""
        key = AESGCM.generate_key(bit_length=8 * _KEY_BYTES)
        return cls({_fingerprint(key): key})

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """Read `key` or `id:key` in base64, separated by commas or lines; the first is current.

        A key without an id goes by the first eight hex digits of its SHA-256.

        Raises:
            KeyMissing: there is no key, one is malformed, or two have the same id.
        """
        lines = (line.partition("#")[0] for line in text.splitlines())
        keys: dict[str, bytes] = {}
        for place, entry in enumerate((e.strip() for line in lines for e in line.split(",") if e.strip()), 1):
            given, colon, encoded = entry.rpartition(":")
            key = _decoded(encoded)
            if key is None:
                raise KeyMissing(f"key {place} is not 32 bytes in base64: {_HOW_TO_MAKE_ONE}")
            key_id = given if colon else _fingerprint(key)
            if key_id in keys:
                raise KeyMissing(f"key {place} has the same id as one before it: give each key its own")
            keys[key_id] = key
        return cls(keys)

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ) -> Keyring:
        """The keys of this environment: of `TWIKIT_POOL_KEY`, or else of the key file.

        Raises:
            KeyMissing: there are none, they are malformed, or others may read the key file.
        """
        if in_environment(environ):
            return cls.parse(environ[KEY])
        return read_key_file(locations.key_file(environ))

    @property
    def current(self) -> str:
        """The id of the key that seals."""
        return next(iter(self._keys))

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, the current one first."""
        return tuple(self._keys)

    def with_new_key(self) -> Keyring:
        """The same keys behind a new current one."""
        return Keyring(Keyring.generate()._keys | self._keys)

    def only_current(self) -> Keyring:
        """The current key alone."""
        return Keyring({self.current: self._keys[self.current]})

    def seal(self, plaintext: str, account_id: str, field: str) -> bytes:
        """Encrypt one field of one account with the current key."""
        head = bytes([_VERSION, len(self.current)]) + self.current.encode()
        nonce = os.urandom(_NONCE_BYTES)
        ciphertext = self._ciphers[self.current].encrypt(
            nonce, plaintext.encode(), _authenticated(head, account_id, field)
        )
        return head + nonce + ciphertext

    def open(self, sealed: bytes, account_id: str, field: str) -> str:
        """Decrypt what `seal` made for the same field of the same account.

        Raises:
            WrongKey: its key is not in this keyring.
            StoreError: it was altered, or made for another account or field.
        """
        try:
            key_id = key_id_of(sealed)
        except StoreError as error:
            raise StoreError(f"the {field} of {account_id!r}: {error}") from None
        if key_id not in self._ciphers:
            raise WrongKey(
                f"the {field} of {account_id!r} is sealed with key {key_id!r}, which is not among the "
                f"configured ones ({', '.join(self.ids)}): add that key behind the current one"
            )
        head = 2 + len(key_id)
        nonce, ciphertext = sealed[head : head + _NONCE_BYTES], sealed[head + _NONCE_BYTES :]
        try:
            authenticated = _authenticated(sealed[:head], account_id, field)
            return self._ciphers[key_id].decrypt(nonce, ciphertext, authenticated).decode()
        except (InvalidTag, ValueError):  # ValueError: cut so short that no nonce or tag is left
            raise StoreError(
                f"the {field} of {account_id!r} does not open: it was altered or moved since it was stored; "
                "restore the database, or remove the account and add it again"
            ) from None

    def render(self) -> str:
        """The text that `parse` reads: secret, for a key file only."""
        lines = (f"{key_id}:{base64.b64encode(key).decode()}" for key_id, key in self._keys.items())
        return "\n".join(["# Keys of twikit-pool's account store. The first seals, all open.", *lines, ""])

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self.ids)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Keyring is not pickled: load it again where it is needed")


def key_id_of(sealed: bytes) -> str:
    """The id of the key that a field was sealed with.

    Raises:
        StoreError: it is in a form that this version does not know.
    """
    if sealed[:1] != bytes([_VERSION]):
        raise StoreError("a sealed field is in an unknown form: restore the database or upgrade twikit-pool")
    return sealed[2 : 2 + sealed[1]].decode("ascii", "backslashreplace") if len(sealed) > 1 else ""


def in_environment(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the keys come from `TWIKIT_POOL_KEY` rather than from a file."""
    return bool(environ.get(KEY))


def configured(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this environment has keys, be they readable or not."""
    if in_environment(environ):
        return True
    try:
        locations.key_file(environ).stat()
    except FileNotFoundError:
        return False
    except OSError:
        pass  # what cannot be reached may be there
    return True


def read_key_file(path: Path) -> Keyring:
    """The keys of a file.

    Raises:
        KeyMissing: there is no such file, it cannot be read, or others may read it.
    """
    problem = ""
    try:
        if open_to_others(path):
            raise KeyMissing(
                f"others on this machine may read the keys in {path}: run `chmod 600 {path}` and, if "
                "someone may have read them, `twikit-pool keys rotate`"
            )
        return Keyring.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise KeyMissing(
            f"there is no encryption key: {KEY} is not set and {path} does not exist; set it, restore the "
            "file from your backup, or start a new store with `twikit-pool accounts add`"
        ) from None
    except OSError as error:
        problem = error.strerror or type(error).__name__
    except UnicodeDecodeError:
        problem = "it is not text"
    raise KeyMissing(f"the key file {path} cannot be read: {problem}")


def create_key_file(path: Path) -> Keyring:
    """Make a key file with one new key, and return it; if there is a file by then, return that one's keys.

    Raises:
        KeyMissing: the file cannot be written.
    """
    keyring = Keyring.generate()
    try:
        make_private_folder(path.parent)
        create_private(path, keyring.render().encode())
    except FileExistsError:
        return read_key_file(path)
    except OSError as error:
        raise KeyMissing(f"the key file {path} cannot be made: {error.strerror}; or set {KEY}") from None
    return keyring


def write_key_file(path: Path, keyring: Keyring) -> None:
    """Replace the keys in the file, all or nothing.

    Raises:
        KeyMissing: the file cannot be written; it is as it was.
    """
    try:
        replace_private(path, keyring.render().encode())
    except OSError as error:
        raise KeyMissing(f"the key file {path} cannot be written: {error.strerror}") from None


def _authenticated(head: bytes, account_id: str, field: str) -> bytes:
    return b"\0".join([head, account_id.encode(), field.encode()])


def _fingerprint(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:8]


def _decoded(encoded: str) -> bytes | None:
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == _KEY_BYTES else None
