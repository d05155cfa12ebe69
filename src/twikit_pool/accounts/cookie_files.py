"""Cookie files, in the formats that twikit and browsers write.

    twikit          a JSON object of name and value, as `Client.save_cookies` writes
    browser         a JSON list of cookies, as EditThisCookie and Cookie-Editor export
    storage_state   Playwright's JSON object with such a list under `cookies`
    netscape        the tab-separated cookies.txt of curl, wget and yt-dlp
    header          `name=value; name=value`, as a Cookie header

A browser's file may hold cookies of other sites: only those of x.com and twitter.com are read, and
everything else stays as it was when the file is written again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from twikit_pool.accounts.model import LOGIN_COOKIE, Account, Credentials
from twikit_pool.errors import InvalidAccount
from twikit_pool.redaction import Cookies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_COOKIE_FILE: Final = 4 * 2**20
"""Bytes. A whole browser's cookies take well under a megabyte; more is not a cookie file."""

_NETSCAPE_HEADER: Final = "# Netscape HTTP Cookie File\n"

_SITES: Final = ("twitter.com", "x.com")
"""From the least to the most trusted: X's log-in lives on x.com, twitter.com's is often left over."""


class CookieFormat(StrEnum):
    """How a cookie file is written."""

    TWIKIT = "twikit"
    BROWSER = "browser"
    STORAGE_STATE = "storage_state"
    NETSCAPE = "netscape"
    HEADER = "header"


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieFile:
    """What a cookie file says: X's cookies and, if the format tells, when the log-in ends (UTC)."""

    format: CookieFormat
    cookies: Cookies
    expires: datetime | None = None


@dataclass(slots=True, kw_only=True)
class _Entry:
    """One cookie of a browser's file. `place` is where it stands: an index or a line."""

    place: int
    name: str
    value: str
    domain: str
    expires: float | None


def matching(where: Path) -> list[Path]:
    """The cookie files of a folder or a pattern.

    Raises:
        InvalidAccount: there is none.
    """
    if where.is_dir():
        matching = [path for path in where.iterdir() if path.suffix in (".json", ".txt")]
    else:
        matching = list(where.parent.glob(where.name))
    files = sorted(path for path in matching if path.is_file() and not path.name.startswith("."))
    if not files:
        raise InvalidAccount(f"no cookie file in {where}: give a folder or a pattern such as cookies/*.json")
    return files


def read_text(path: Path) -> str:
    """The text of a cookie file.

    Raises:
        InvalidAccount: it cannot be read, is no text, or is larger than `MAX_COOKIE_FILE`.
    """
    try:
        with path.open("rb") as file:
            return text_of(file.read(MAX_COOKIE_FILE + 1))
    except OSError as error:
        raise InvalidAccount(f"it cannot be read ({error.strerror}): export the cookies again") from None


def text_of(content: bytes) -> str:
    """The text of a cookie file's content.

    Raises:
        InvalidAccount: it is no text, or larger than `MAX_COOKIE_FILE`.
    """
    if len(content) > MAX_COOKIE_FILE:
        raise InvalidAccount(f"it is larger than {MAX_COOKIE_FILE // 2**20} MiB, so it is no cookie file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass  # raised anew below, without the bytes that this error carries
    raise InvalidAccount("it is not text in UTF-8: export the cookies again")


def read_account(path: Path, account_id: str) -> Account:
    """The account of one cookie file.

    Raises:
        InvalidAccount: the file or the id is malformed.
    """
    return account_of(read_text(path), account_id)


def account_of(text: str, account_id: str) -> Account:
    """The account of a cookie file's text.

    Raises:
        InvalidAccount: the text or the id is malformed.
    """
    found = parse(text)
    return Account(id=account_id, credentials=Credentials(cookies=found.cookies, expires=found.expires))


def detect(text: str) -> CookieFormat:
    """Tell the format.

    Raises:
        InvalidAccount: it is none of them.
    """
    start = text.lstrip("\ufeff \t\r\n")[:1]
    if start == "[":
        return CookieFormat.BROWSER
    if start == "{":
        return CookieFormat.STORAGE_STATE if _is_storage_state(_decode(text)) else CookieFormat.TWIKIT
    if any(_netscape_fields(line) is not None for line in text.split("\n")):
        return CookieFormat.NETSCAPE
    if "=" in text and len(text.strip().splitlines()) == 1:
        return CookieFormat.HEADER
    raise InvalidAccount(
        "this is no cookie file: give twikit's JSON, a browser's JSON export, or a Netscape cookies.txt"
    )


def parse(text: str, cookie_format: CookieFormat | None = None) -> CookieFile:
    """Read X's cookies from the text of a cookie file; the format is detected unless given.

    Raises:
        InvalidAccount: it is malformed, or holds no cookie of x.com.
    """
    text = text.removeprefix("\ufeff")
    cookie_format = cookie_format or detect(text)
    if cookie_format is CookieFormat.TWIKIT:
        return CookieFile(format=cookie_format, cookies=checked(_twikit(text)))
    if cookie_format is CookieFormat.HEADER:
        return CookieFile(format=cookie_format, cookies=checked(_header(text)))
    chosen = _chosen(_entries(text, cookie_format))
    cookies = checked({name: entry.value for name, entry in chosen.items()})
    login = chosen.get(LOGIN_COOKIE)
    return CookieFile(format=cookie_format, cookies=cookies, expires=_when(login.expires if login else None))


def render(cookies: Cookies, cookie_format: CookieFormat, original: str = "") -> str:
    """Write the cookies in a format, into the original text where there is one.

    A browser's file keeps its other sites and every attribute of the cookies that stay; cookies that
    are gone are taken out, new ones are added for `.x.com`.
    """
    if cookie_format is CookieFormat.TWIKIT:
        return _json(dict(cookies))
    if cookie_format is CookieFormat.HEADER:
        return "; ".join(f"{name}={value}" for name, value in cookies.items()) + "\n"
    if cookie_format is CookieFormat.NETSCAPE:
        return _render_netscape(cookies, original or _NETSCAPE_HEADER)
    if cookie_format is CookieFormat.BROWSER:
        return _json(_render_browser(cookies, _browser_list(original or "[]"), playwright=False))
    state = original or '{"cookies": [], "origins": []}'
    return _json(
        {**_decode(state), "cookies": _render_browser(cookies, _browser_list(state), playwright=True)}
    )


# ---------------------------------------------------------------- JSON


def _decode(text: str) -> Any:
    try:
        return msgspec.json.decode(text.removeprefix("\ufeff"))
    except msgspec.DecodeError as error:
        problem = str(error)
    except RecursionError:
        problem = "it is nested too deeply"
    raise InvalidAccount(f"this is not proper JSON ({problem}): export the cookies again")


def _json(document: object) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _is_storage_state(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(cast("dict[str, Any]", document).get("cookies"), list)


def _twikit(text: str) -> dict[str, str]:
    document = _decode(text)
    if not isinstance(document, dict):
        raise InvalidAccount("twikit's cookie file is a JSON object of names and values, and this is not")
    return cast("dict[str, str]", document)


def _header(text: str) -> dict[str, str]:
    pairs = (pair.strip().partition("=") for pair in text.strip().removeprefix("Cookie:").split(";"))
    return {name.strip(): value for name, equals, value in pairs if equals}


def _browser_list(text: str) -> list[Any]:
    document = _decode(text)
    listed: Any = document["cookies"] if _is_storage_state(document) else document
    if not isinstance(listed, list):
        raise InvalidAccount("a browser's cookie file is a JSON list of cookies, and this is not")
    return cast("list[Any]", listed)


def _browser_entry(place: int, cookie: Any) -> _Entry:
    if not isinstance(cookie, dict):
        raise InvalidAccount(f"cookie {place + 1} of the list is not an object: export the cookies again")
    fields = cast("dict[str, Any]", cookie)
    name, value, domain = fields.get("name"), fields.get("value"), fields.get("domain", "x.com")
    if not (isinstance(name, str) and isinstance(value, str) and isinstance(domain, str)):
        raise InvalidAccount(f"cookie {place + 1} of the list lacks a name, value or domain of text")
    expires = fields.get("expirationDate", fields.get("expires"))
    return _Entry(
        place=place,
        name=name,
        value=value,
        domain=domain,
        expires=expires if isinstance(expires, int | float) else None,
    )


def _render_browser(cookies: Cookies, listed: list[Any], *, playwright: bool) -> list[Any]:
    entries = [_browser_entry(place, cookie) for place, cookie in enumerate(listed)]
    values, gone, new = _changes(cookies, entries)
    rewritten = [
        {**cookie, "value": values[place]} if place in values else cookie
        for place, cookie in enumerate(listed)
        if place not in gone
    ]
    expires = {"expires": -1, "sameSite": "None"} if playwright else {"session": True}
    for name in new:
        where = {"domain": ".x.com", "path": "/", "secure": True, "httpOnly": name == LOGIN_COOKIE}
        rewritten.append({"name": name, "value": cookies[name], **where, **expires})
    return rewritten


# ---------------------------------------------------------------- Netscape


def _netscape_fields(line: str) -> list[str] | None:
    """Domain, subdomains, path, secure, expiry, name, value; None for a comment or anything else."""
    if line.startswith("#") and not line.startswith("#HttpOnly_"):
        return None
    fields = line.removeprefix("#HttpOnly_").rstrip("\r\n").split("\t")
    return fields if len(fields) == 7 else None


def _netscape_entries(text: str) -> Iterator[_Entry]:
    for place, line in enumerate(text.split("\n")):
        fields = _netscape_fields(line)
        if fields is None:
            if line.strip() and not line.startswith("#"):
                raise InvalidAccount(
                    f"line {place + 1} has not the seven tab-separated fields of cookies.txt"
                )
            continue
        domain, _, _, _, expires, name, value = fields
        seconds = float(expires) if expires.isdecimal() and expires != "0" else None
        yield _Entry(place=place, name=name, value=value, domain=domain, expires=seconds)


def _render_netscape(cookies: Cookies, original: str) -> str:
    lines = original.removesuffix("\n").split("\n")
    values, gone, new = _changes(cookies, list(_netscape_entries(original)))
    for place, value in values.items():
        ending = "\r" if lines[place].endswith("\r") else ""
        lines[place] = "\t".join([*lines[place].split("\t")[:6], value]) + ending
    kept = [line for place, line in enumerate(lines) if place not in gone]
    for name in new:
        prefix = "#HttpOnly_" if name == LOGIN_COOKIE else ""
        kept.append("\t".join([f"{prefix}.x.com", "TRUE", "/", "TRUE", "0", name, cookies[name]]))
    return "\n".join(kept) + "\n"


# ---------------------------------------------------------------- which cookies are X's


def _entries(text: str, cookie_format: CookieFormat) -> list[_Entry]:
    if cookie_format is CookieFormat.NETSCAPE:
        return list(_netscape_entries(text))
    return [_browser_entry(place, cookie) for place, cookie in enumerate(_browser_list(text))]


def _trust(entry: _Entry) -> int:
    """How much the cookie's domain counts: -1 for a site that is not X."""
    domain = entry.domain.lstrip(".").lower()
    for trust, site in enumerate(_SITES):
        if domain == site:
            return 2 * trust + 1
        if domain.endswith(f".{site}"):
            return 2 * trust
    return -1


def _chosen(entries: list[_Entry]) -> dict[str, _Entry]:
    """The cookie to use under each name: the most trusted domain's, the last of equals."""
    chosen: dict[str, _Entry] = {}
    for entry in entries:
        if _trust(entry) >= 0 and (entry.name not in chosen or _trust(entry) >= _trust(chosen[entry.name])):
            chosen[entry.name] = entry
    return chosen


def _changes(cookies: Cookies, entries: list[_Entry]) -> tuple[dict[int, str], set[int], list[str]]:
    """What to do to a browser's file: new values by place, places to take out, names to add."""
    chosen = _chosen(entries)
    values = {entry.place: cookies[name] for name, entry in chosen.items() if name in cookies}
    gone = {entry.place for entry in entries if _trust(entry) >= 0 and entry.name not in cookies}
    return values, gone, [name for name in cookies if name not in chosen]


def checked(cookies: dict[str, Any]) -> Cookies:
    """Cookies that can be sent.

    Raises:
        InvalidAccount: there is none, or one is not plain text.
    """
    for name, value in cookies.items():
        if not isinstance(value, str) or not (name + value).isprintable() or not (name + value).isascii():
            raise InvalidAccount(f"the value of cookie {name!r} is not plain text: export the cookies again")
    if not cookies:
        raise InvalidAccount("there is no cookie of x.com in it: export while logged in to x.com")
    return Cookies(cookies)


def _when(seconds: float | None) -> datetime | None:
    if seconds is None or seconds <= 0:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None  # an absurd expiry says nothing; the cookie itself may still be good
