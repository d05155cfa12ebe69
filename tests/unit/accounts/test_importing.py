from __future__ import annotations

import base64
import contextlib
import csv
import io
import json
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twikit_pool.accounts import json_lines, twscrape
from twikit_pool.accounts.caps import Cap
from twikit_pool.accounts.fields import proxy_from
from twikit_pool.accounts.importing import ImportFormat, Reading, read_accounts
from twikit_pool.errors import ConfigError, InvalidAccount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twikit_pool.accounts import Account

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COOKIES = "auth_token=canary-token; ct0=canary-csrf"


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Reading]:
    """Reads a text as a file would be."""

    def from_text(text: str | bytes, name: str = "accounts.txt", **options: object) -> Reading:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        reading = read_accounts(path, now=NOW, **options)  # type: ignore[arg-type]
        assert "canary" not in repr(reading)
        return reading

    return from_text


def test_every_csv_column(read: Callable[..., Reading]) -> None:
    reading = read(
        "id,handle,auth_token,ct0,cookies,proxy,tags,capabilities,caps,password,email,totp,notes\r\n"
        f'brand,@Brand_UK,,,"{COOKIES}",h:1:u:canary,"uk, news",long_posts,CreateTweet=50,'
        "canary,c@canary,canary,"
        '"two\r\nlines"\r\n'
        ",solo,canary,canary,,,,,,,,,\r\n"
    )
    assert reading.format is ImportFormat.CSV
    assert not reading.rejected
    brand, solo = reading.accounts
    assert (brand.id, brand.handle, solo.id) == ("brand", "Brand_UK", "solo")
    assert brand.credentials.cookies == {"auth_token": "canary-token", "ct0": "canary-csrf"}
    assert brand.proxy is not None
    assert brand.proxy.reveal() == "http://u:canary@h:1"
    assert (brand.tags, brand.capabilities, brand.caps) == (
        {"uk", "news"},
        {"long_posts"},
        {"CreateTweet": (Cap(50, 86_400.0),)},
    )
    assert brand.notes == "two\r\nlines"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_bad_csv_rows_are_named_by_line_and_the_rest_goes_on(
    read: Callable[..., Reading], delimiter: str
) -> None:
    lines = [
        "id,auth_token,proxy,caps,handle",
        "ok1,canary",
        "",
        "canary id,canary",
        "none,",
        "dup,canary",
        "dup,canary",
        "wide,canary,,,,,,",
        "prox,canary,canary://x",
        "caps,canary,,canary",
        "hand,canary,,,ca nary",
        'quote,"canary"x',
        "ctl,canary\x07",
        "ok2,canary",
    ]
    reading = read("\n".join(lines).replace(",", delimiter))
    assert [account.id for account in reading.accounts] == ["ok1", "dup", "ok2"]
    assert [rejected.where for rejected in reading.rejected] == [
        f"line {n}" for n in (4, 5, 7, 8, 9, 10, 11, 12, 13)
    ]
    reasons = " ".join(map(str, reading.rejected))
    for reason in (
        "id is missing or malformed",
        "no cookies",
        "line 6 already",
        "8 cells",
        "proxy",
        "caps",
        "handle",
    ):
        assert reason in reasons


def test_a_csv_without_its_header_is_refused_unread(read: Callable[..., Reading]) -> None:
    with pytest.raises(InvalidAccount, match="column 1 of the header") as caught:
        read("canary,canary\n", file_format=ImportFormat.CSV)
    assert "'canary'" not in str(caught.value)


def test_twscrape_lines(read: Callable[..., Reading]) -> None:
    encoded = base64.b64encode(json.dumps({"auth_token": "canary"}).encode()).decode()
    reading = read(
        f"one:canary:c@x:canary:{COOKIES}\ntwo:canary:c@x:canary\n\nthree:_:_:_:{encoded}\nfour:x\n"
    )
    assert reading.format is ImportFormat.TWSCRAPE
    one, three = reading.accounts
    assert (one.id, one.handle) == ("one", "one")
    assert one.credentials.password is not None
    assert one.credentials.password.reveal() == "canary"
    assert three.credentials.password is None
    assert three.credentials.cookies == {"auth_token": "canary"}
    assert [rejected.where for rejected in reading.rejected] == ["line 2", "line 5"]


def test_twscrape_line_formats(read: Callable[..., Reading]) -> None:
    reading = read(
        f"canary|x|bob|{COOKIES}|http://u:canary@h:1|canary|dropped",
        file_format=ImportFormat.TWSCRAPE,
        line_format="email|_|username|cookies|proxy|mfa_code",
    )
    (bob,) = reading.accounts
    assert bob.id == "bob"
    assert bob.credentials.totp is not None
    for wrong in ("password:email", "username:nonsense", ""):
        with pytest.raises(ConfigError, match="line format"):
            twscrape.LineFormat(wrong)


def twscrape_database(path: Path, columns: str, *rows: tuple[object, ...]) -> Path:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE accounts ({columns})")
        for row in rows:
            connection.execute(f"INSERT INTO accounts VALUES ({','.join('?' * len(row))})", row)  # noqa: S608 - marks only
    return path


def test_twscrapes_database_of_any_version(tmp_path: Path) -> None:
    columns = "username, password, email, email_password, user_agent, cookies, proxy TEXT"
    good = json.dumps({"auth_token": "canary", "ct0": "canary"})
    path = twscrape_database(
        tmp_path / "old.db",
        columns,
        ("a", "_", "_", "_", "ua", good, None),
        ("b", "canary", "_", "_", "ua", "{}", None),
        ("c", "canary", "_", "_", "ua", b"\xffcanary", None),
    )
    before = path.read_bytes()
    reading = read_accounts(path, now=NOW)
    assert reading.format is ImportFormat.TWSCRAPE_DB
    assert [account.id for account in reading.accounts] == ["a"]
    assert [rejected.where for rejected in reading.rejected] == ["row 2", "row 3"]
    assert "canary" not in repr(reading)
    assert path.read_bytes() == before
    newer = twscrape_database(
        tmp_path / "new.db", columns + ", mfa_code", ("a", "_", "_", "_", "ua", good, "h:1", "canary")
    )
    (account,) = read_accounts(newer, now=NOW).accounts
    assert account.credentials.totp is not None
    other = twscrape_database(tmp_path / "other.db", "x TEXT")
    with pytest.raises(InvalidAccount, match="no accounts of twscrape"):
        read_accounts(other, now=NOW)


def test_a_cookie_file_and_a_folder_of_them(read: Callable[..., Reading], tmp_path: Path) -> None:
    (account,) = read('{"auth_token": "canary"}', "bob.json").accounts
    assert account.id == "bob"
    (account,) = read('{"auth_token": "canary"}', "bob.json", account_id="other").accounts
    assert account.id == "other"
    read("[]", "bad.json")
    read("#HttpOnly_.x.com\tTRUE\t/\tTRUE\t5\tauth_token\tcanary\n", "ended.txt")
    reading = read_accounts(tmp_path, now=NOW)
    assert [account.id for account in reading.accounts] == ["bob"]
    assert {rejected.where for rejected in reading.rejected} == {"bad.json", "ended.txt"}
    assert "ended on 1970-01-01" in str(reading.rejected)


def test_an_id_is_for_one_cookie_file_only(read: Callable[..., Reading]) -> None:
    with pytest.raises(InvalidAccount, match="names its accounts itself"):
        read("id,auth_token\na,canary\n", account_id="b")


@pytest.mark.parametrize("text", ["", "hello", "a:b", b"\xff\xfe\x00", "x" * 1000])
def test_what_is_no_list_of_accounts_is_refused(read: Callable[..., Reading], text: str | bytes) -> None:
    with pytest.raises(InvalidAccount, match=r"accounts\.txt"):
        read(text)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidAccount, match="cannot be read: No such file"):
        read_accounts(tmp_path / "none", now=NOW)


def test_json_lines_come_back_whole(
    read: Callable[..., Reading], full_account: Callable[[str], Account]
) -> None:
    accounts = (full_account("a"), full_account("b"))
    assert read(json_lines.render(accounts, include_secrets=True)).accounts == accounts
    public = json_lines.render(accounts, include_secrets=False)
    assert b"canary" not in public
    assert len(read(public).rejected) == 2


@pytest.mark.parametrize(
    "line",
    [
        "{",
        '{"id": "a", "canary": 1}',
        '{"id": "a", "state": "canary", "cookies": {"auth_token": "canary"}}',
        '{"id": "a", "cookies": {"auth_token": "canary"}, "caps": {"x": -1}}',
        '{"id": "a", "cookies": {"auth_token": ["canary"]}}',
        '{"id": "a", "cookies": {"auth_token": "canary"}, "proxy": "canary://"}',
    ],
)
def test_bad_json_lines_are_rejected(read: Callable[..., Reading], line: str) -> None:
    reading = read(line, file_format=ImportFormat.JSONL)
    assert [rejected.where for rejected in reading.rejected] == ["line 1"]


@pytest.mark.parametrize(
    "caps",
    ["CreateTweet=50/day,3/90s;follow_user=none", "CreateTweet=50/day;3/90s, follow_user=none"],
)
def test_several_caps_of_one_endpoint(read: Callable[..., Reading], caps: str) -> None:
    reading = read(f'id,auth_token,caps\na,canary,"{caps}"\n')
    assert not reading.rejected
    assert reading.accounts[0].caps == {
        "CreateTweet": (Cap(50, 86_400.0), Cap(3, 90.0)),
        "follow_user": (),
    }
    (line,) = json_lines.render(reading.accounts, include_secrets=True).splitlines()
    assert json_lines.parse(line.decode()).caps == reading.accounts[0].caps


def test_caps_as_numbers_a_day_still_load(read: Callable[..., Reading]) -> None:
    line = '{"id": "a", "cookies": {"auth_token": "canary"}, "caps": {"CreateTweet": 50}}'
    assert read(line, file_format=ImportFormat.JSONL).accounts[0].caps == {
        "CreateTweet": (Cap(50, 86_400.0),)
    }


@pytest.mark.parametrize("calls", ["9" * 10, "9" * 5000, "-1", "\u00b2", "many"])
def test_caps_that_are_no_number_of_calls_lose_no_other_row(read: Callable[..., Reading], calls: str) -> None:
    reading = read(f"id,auth_token,caps\na,canary,CreateTweet={calls}\nb,canary,CreateTweet=999999999\n")
    assert [str(row) for row in reading.rejected] == [
        "line 2: its caps are not understood: write CreateTweet=50/day,3/90s FavoriteTweet=200"
    ]
    assert [(account.id, account.caps) for account in reading.accounts] == [
        ("b", {"CreateTweet": (Cap(999_999_999, 86_400.0),)})
    ]


@pytest.fixture
def pipe() -> Iterator[Callable[[bytes], Path]]:
    """The name of a pipe with this in it."""
    with contextlib.ExitStack() as opened:

        def filled(content: bytes) -> Path:
            reads, writes = os.pipe()
            opened.callback(os.close, reads)
            os.write(writes, content)
            os.close(writes)
            return Path(f"/dev/fd/{reads}")

        yield filled


fd_files = pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs pipes that have names")


@fd_files
def test_a_pipe_is_read_once(pipe: Callable[[bytes], Path]) -> None:
    [account] = read_accounts(pipe(b"id,auth_token\na,canary\n"), now=NOW).accounts
    assert account.id == "a"
    [account] = read_accounts(pipe(COOKIES.encode()), now=NOW, account_id="b").accounts
    assert (account.id, dict(account.credentials.cookies)["ct0"]) == ("b", "canary-csrf")


@fd_files
def test_a_pipe_that_names_no_account_or_holds_a_database_is_refused(pipe: Callable[[bytes], Path]) -> None:
    with pytest.raises(InvalidAccount, match="give one with --id"):
        read_accounts(pipe(COOKIES.encode()), now=NOW)
    with pytest.raises(InvalidAccount, match="is a pipe: name the file"):
        read_accounts(pipe(b"SQLite format 3\0"), now=NOW)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://h:1", "http://h:1"),
        ("socks5://u:p@h:1", "socks5://u:p@h:1"),
        ("h:1", "http://h:1"),
        ("u:p@h:1", "http://u:p@h:1"),
        ("h:1:u:p", "http://u:p@h:1"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_proxies(given: str, url: str) -> None:
    assert proxy_from(given).reveal() == url


@pytest.mark.parametrize("given", ["ftp://h", "http://", "http://h:99999", "http://[", "http://a b", "h:x"])
def test_bad_proxies(given: str) -> None:
    with pytest.raises(InvalidAccount, match="proxy is not understood"):
        proxy_from(given)


WORDS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)


@given(
    rows=st.lists(
        st.tuples(st.from_regex(r"[a-z][a-z0-9]{0,9}", fullmatch=True), WORDS, WORDS),
        min_size=1,
        max_size=5,
        unique_by=lambda row: row[0],
    ),
    delimiter=st.sampled_from(",;\t"),
)
def test_any_csv_that_is_written_is_read(
    rows: list[tuple[str, str, str]], delimiter: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([("id", "auth_token", "password"), *rows])
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_text(text.getvalue(), newline="")
    reading = read_accounts(path, now=NOW)
    assert not reading.rejected
    read = [
        (account.id, account.credentials.cookies["auth_token"], account.credentials.password)
        for account in reading.accounts
    ]
    assert [(a, b, c.reveal() if c else "") for a, b, c in read] == rows
