"""Accounts from files that other programs wrote."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from twikit_pool.accounts import cookie_files, json_lines, twscrape
from twikit_pool.accounts.fields import FIELDS, account_from
from twikit_pool.accounts.model import Account
from twikit_pool.errors import InvalidAccount

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

MAX_IMPORT: Final = 64 * 2**20
"""Bytes. Ten thousand accounts with all of a browser's cookies take about half."""

_SQLITE: Final = b"SQLite format 3\0"
_DELIMITERS: Final = ",;\t"
_COOKIE_HEADER: Final = re.compile(r"(Cookie:\s*)?[\w-]+=")


class ImportFormat(StrEnum):
    """What a file of accounts is."""

    COOKIES = "cookies"
    """A cookie file, or a folder of them; an account's id is the file's name."""
    CSV = "csv"
    JSONL = "jsonl"
    TWSCRAPE = "twscrape"
    TWSCRAPE_DB = "twscrape-db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A row that gives no account: where it stands, and why; never what it holds."""

    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a file gave."""

    format: ImportFormat
    accounts: tuple[Account, ...]
    rejected: tuple[Rejected, ...]


def read_accounts(
    path: str | Path,
    *,
    now: datetime,
    file_format: ImportFormat | None = None,
    account_id: str | None = None,
    line_format: str = twscrape.LINE_FORMAT,
) -> Reading:
    """Read every account of a file; a bad row is set aside and the rest goes on.

    Args:
        path: the file or pipe, or a folder of cookie files.
        now: the time, to tell a log-in that has ended.
        file_format: what it is; detected unless given.
        account_id: the account's id, for a single cookie file; it must be given for a pipe.
        line_format: the order of twscrape's text file.

    Raises:
        InvalidAccount: the file as a whole cannot be read, or is none of the formats.
        ConfigError: the line format is malformed.
    """
    path = Path(path)
    folder = path.is_dir() and file_format in {None, ImportFormat.COOKIES}
    whole = folder or file_format is ImportFormat.TWSCRAPE_DB
    content = b"" if whole else _bytes(path)  # once: a pipe gives it no second time
    file_format = file_format or (ImportFormat.COOKIES if folder else detect(path, content))
    if account_id is not None and (file_format is not ImportFormat.COOKIES or folder):
        raise InvalidAccount(f"{path} names its accounts itself: an id is for a single cookie file")
    match file_format:
        case ImportFormat.COOKIES:
            rows = _cookie_files(path) if folder else [_cookie_file(path, content, account_id)]
        case ImportFormat.CSV:
            rows = _csv(path, content)
        case ImportFormat.JSONL:
            rows = _lines(_text(path, content), json_lines.parse)
        case ImportFormat.TWSCRAPE:
            rows = _lines(_text(path, content), twscrape.LineFormat(line_format).parse)
        case ImportFormat.TWSCRAPE_DB:
            if _is_pipe(path):
                raise InvalidAccount(f"{path} is a pipe: name the file of the database")
            rows = twscrape.read_database(path)
    return _sorted_out(file_format, rows, now)


def detect(path: Path, content: bytes) -> ImportFormat:
    """Tell what a file is.

    Raises:
        InvalidAccount: it is none of the formats, or no text.
    """
    if content.startswith(_SQLITE):
        return ImportFormat.TWSCRAPE_DB
    text = _text(path, content).strip()
    first = text.partition("\n")[0].strip()
    if _is_json_line(first):
        return ImportFormat.JSONL
    if text[:1] in {"{", "["} or _COOKIE_HEADER.match(first):
        return ImportFormat.COOKIES
    if {"id", "handle"} & {name.strip().lower() for name in first.split(_delimiter(first))}:
        return ImportFormat.CSV
    if any(line.count("\t") == 6 for line in text.splitlines()):  # the seven fields of cookies.txt
        return ImportFormat.COOKIES
    if first.count(":") >= 3:
        return ImportFormat.TWSCRAPE
    raise InvalidAccount(
        f"{path} is none of the known formats ({', '.join(ImportFormat)}): name the one it is with --format"
    )


_Row = tuple[str, Account | InvalidAccount]
"""Where it stands, and the account or what is wrong."""


def _sorted_out(file_format: ImportFormat, rows: Iterable[_Row], now: datetime) -> Reading:
    seen: dict[str, str] = {}
    accounts: list[Account] = []
    rejected: list[Rejected] = []
    for where, row in rows:
        if isinstance(row, InvalidAccount):
            reason = str(row)
        elif row.id in seen:
            reason = f"account {row.id!r} stands at {seen[row.id]} already: keep one of the two"
        elif row.credentials.expires is not None and row.credentials.expires <= now:
            reason = f"the log-in ended on {row.credentials.expires:%Y-%m-%d}: log in and export again"
        else:
            seen[row.id] = where
            accounts.append(row)
            continue
        rejected.append(Rejected(where=where, reason=reason))
    return Reading(format=file_format, accounts=tuple(accounts), rejected=tuple(rejected))


def _cookie_files(folder: Path) -> Iterator[_Row]:
    for file in cookie_files.matching(folder):
        try:
            yield file.name, cookie_files.read_account(file, file.stem)
        except InvalidAccount as error:
            yield file.name, error


def _cookie_file(path: Path, content: bytes, account_id: str | None) -> _Row:
    if account_id is None and _is_pipe(path):
        raise InvalidAccount(f"{path} is a pipe, without a name for its account: give one with --id")
    try:
        return path.name, cookie_files.account_of(cookie_files.text_of(content), account_id or path.stem)
    except InvalidAccount as error:
        return path.name, error


def _lines(text: str, parse: Any) -> Iterator[_Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield f"line {number}", parse(line.strip())
        except InvalidAccount as error:
            yield f"line {number}", error


def _csv(path: Path, content: bytes) -> Iterator[_Row]:
    text = _text(path, content)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=_delimiter(text.partition("\n")[0]), strict=True
    )
    names: list[str] | None = None
    while True:
        where = f"line {reader.line_num + 1}"
        try:
            cells = next(reader)
            if not any(cells):
                continue
            if names is None:
                names = _header(cells)
                continue
            yield where, _csv_account(names, cells)
        except StopIteration:
            return
        except csv.Error as error:
            yield where, InvalidAccount(f"it is not proper CSV ({error})")
        except InvalidAccount as error:
            if names is None:
                raise InvalidAccount(f"{path}: {error}") from None
            yield where, error


def _header(cells: list[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    for number, name in enumerate(names, 1):
        # Without its text: in a file that has no header, it would be somebody's password.
        if name not in FIELDS or name in names[: number - 1]:
            raise InvalidAccount(
                f"column {number} of the header is unknown or there twice: the first line names the columns, "
                f"of {', '.join(FIELDS)}"
            )
    return names


def _csv_account(names: list[str], cells: list[str]) -> Account:
    if len(cells) > len(names):
        raise InvalidAccount(
            f"it has {len(cells)} cells under {len(names)} columns: put quotes around commas"
        )
    return account_from(
        {name: cell if name == "password" else cell.strip() for name, cell in zip(names, cells, strict=False)}
    )


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)


def _is_json_line(first: str) -> bool:
    try:
        document = msgspec.json.decode(first)
    except (msgspec.DecodeError, RecursionError):
        return False
    return isinstance(document, dict) and isinstance(cast("dict[str, Any]", document).get("id"), str)


def _is_pipe(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_IMPORT + 1)
    except OSError as error:
        raise InvalidAccount(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > MAX_IMPORT:
        raise InvalidAccount(f"{path} is larger than {MAX_IMPORT // 2**20} MiB: split it")
    return content


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass  # raised anew below, without the bytes that this error carries
    raise InvalidAccount(f"{path} is not text in UTF-8: save it so, or name its format with --format")
