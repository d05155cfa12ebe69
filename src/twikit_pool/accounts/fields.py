"""An account from a row of words, as tables of accounts hold it."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from twikit_pool.accounts import cookie_files
from twikit_pool.accounts.caps import Cap, read_caps
from twikit_pool.accounts.model import ACCOUNT_ID, LOGIN_COOKIE, Account, Credentials
from twikit_pool.errors import ConfigError, InvalidAccount
from twikit_pool.redaction import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

FIELDS: Final = (
    *("id", "handle", "auth_token", "ct0", "cookies", "proxy", "tags", "capabilities", "caps"),
    *("password", "email", "totp", "notes"),
)
"""The names that a row may have. Lists are separated by spaces, commas or semicolons."""

_HANDLE: Final = re.compile(r"\w{1,64}", re.ASCII)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_SEPARATORS: Final = re.compile(r"[\s,;]+")
_NO_CAPS: Final = "its caps are not understood: write CreateTweet=50/day,3/90s FavoriteTweet=200"
_PROXY_SCHEMES: Final = frozenset({"http", "https", "socks5", "socks5h"})


def account_from(fields: Mapping[str, str]) -> Account:
    """Make the account; without an id it goes by its handle.

    No message repeats a value: in a file with its columns mixed up, a password may stand anywhere.

    Raises:
        InvalidAccount: a field is missing or malformed.
    """
    handle = fields.get("handle", "").removeprefix("@")
    if handle and not _HANDLE.fullmatch(handle):
        raise InvalidAccount("its handle is not letters, digits and _: check the order of the columns")
    account_id = fields.get("id") or handle
    if not ACCOUNT_ID.fullmatch(account_id):
        raise InvalidAccount(
            "its id is missing or malformed: use 1 to 64 letters, digits and _ . @ -; "
            "check the order of the columns"
        )
    cookies: dict[str, str] = {}
    expires: datetime | None = None
    if fields.get("cookies"):
        found = cookie_files.parse(_plain(fields["cookies"]))
        cookies, expires = dict(found.cookies), found.expires
    cookies |= {name: fields[name] for name in (LOGIN_COOKIE, "ct0") if fields.get(name)}
    if not cookies:
        raise InvalidAccount(
            "it has no cookies, and X has retired the log-in by password: export the cookies of a "
            "logged-in browser"
        )
    return Account(
        id=account_id,
        handle=handle or None,
        credentials=Credentials(
            cookies=cookie_files.checked(cookies),
            password=_secret(fields.get("password")),
            email=_secret(fields.get("email")),
            totp=_secret(fields.get("totp")),
            expires=expires,
        ),
        proxy=proxy_from(fields["proxy"]) if fields.get("proxy") else None,
        tags=frozenset(_words(fields.get("tags", ""))),
        capabilities=frozenset(_words(fields.get("capabilities", ""))),
        caps=caps_from(_by_endpoint(fields.get("caps", ""))),
        notes=fields.get("notes", ""),
    )


def proxy_from(given: str) -> Secret:
    """A proxy's URL, from one or from `host:port`, `user:password@host:port` or `host:port:user:password`.

    Raises:
        InvalidAccount: it is none of these.
    """
    parts = given.split(":")
    if "://" not in given and "@" not in given and len(parts) == 4:
        host, port, user, password = parts
        given = f"{user}:{password}@{host}:{port}"
    url = given if "://" in given else f"http://{given}"
    try:
        split = urlsplit(url)
        good = split.scheme in _PROXY_SCHEMES and bool(split.hostname) and split.port != 0
    except ValueError:
        good = False
    if not good or not url.isprintable() or " " in url:
        raise InvalidAccount(
            "its proxy is not understood: write http://user:password@host:port (or https, socks5, socks5h)"
        )
    return Secret(url)


def _plain(text: str) -> str:
    """The text, out of base64 if it was so wrapped."""
    if not _BASE64.fullmatch(text):
        return text
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return text


def _secret(value: str | None) -> Secret | None:
    return Secret(value) if value else None


def _words(text: str) -> list[str]:
    return [word for word in _SEPARATORS.split(text) if word]


def caps_from(given: Mapping[str, str | int]) -> dict[str, tuple[Cap, ...]]:
    """Caps by endpoint or action.

    Raises:
        InvalidAccount: one is not understood.
    """
    try:
        return read_caps(given)
    except ConfigError:
        raise InvalidAccount(_NO_CAPS) from None


def _by_endpoint(text: str) -> dict[str, str]:
    """The text of each endpoint's caps, of `CreateTweet=50/day,3/90s FavoriteTweet=200`."""
    caps: dict[str, str] = {}
    endpoint = ""
    for word in _words(text):
        name, named, several = word.rpartition("=")
        if named:
            endpoint = name
        if not endpoint:
            raise InvalidAccount(_NO_CAPS)
        caps[endpoint] = f"{caps[endpoint]},{several}" if endpoint in caps else several
    return caps
