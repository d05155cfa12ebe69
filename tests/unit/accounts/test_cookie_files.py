from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twikit_pool.accounts.cookie_files import CookieFormat, detect, parse, render
from twikit_pool.errors import InvalidAccount
from twikit_pool.redaction import Cookies

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,15}", fullmatch=True)
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=";"), max_size=30)
JARS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=6).map(Cookies)

BROWSER = json.dumps(
    [
        {"name": "auth_token", "value": "old", "domain": ".twitter.com", "hostOnly": False},
        {
            "name": "auth_token",
            "value": "token",
            "domain": ".x.com",
            "expirationDate": 1893456000.5,
            "sameSite": "x",
        },
        {"name": "ct0", "value": "csrf", "domain": ".x.com"},
        {"name": "auth_token", "value": "theirs", "domain": "notx.com"},
        {"name": "sid", "value": "bank", "domain": ".bank.example"},
    ]
)
STATE = json.dumps({"cookies": json.loads(BROWSER), "origins": [{"origin": "https://x.com"}]})
NETSCAPE = (
    "# Netscape HTTP Cookie File\n# a comment\n\n"
    "#HttpOnly_.x.com\tTRUE\t/\tTRUE\t1893456000\tauth_token\ttoken\r\n"
    ".x.com\tTRUE\t/\tTRUE\t0\tct0\tcsrf\n"
    ".bank.example\tTRUE\t/\tTRUE\t0\tsid\tbank\n"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('\ufeff{"auth_token": "token", "ct0": "csrf"}', CookieFormat.TWIKIT),
        (BROWSER, CookieFormat.BROWSER),
        (STATE, CookieFormat.STORAGE_STATE),
        (NETSCAPE, CookieFormat.NETSCAPE),
        ("Cookie: auth_token=token; ct0=csrf", CookieFormat.HEADER),
    ],
)
def test_reads_each_format(text: str, expected: CookieFormat) -> None:
    found = parse(text)
    assert found.format is expected
    assert found.cookies == {"auth_token": "token", "ct0": "csrf"}


@pytest.mark.parametrize("text", [BROWSER, STATE, NETSCAPE])
def test_tells_when_the_login_ends(text: str) -> None:
    expires = parse(text).expires
    assert expires is not None
    assert expires.replace(microsecond=0) == datetime(2030, 1, 1, tzinfo=UTC)


@given(jar=JARS, cookie_format=st.sampled_from(CookieFormat))
def test_what_is_written_is_read(jar: Cookies, cookie_format: CookieFormat) -> None:
    text = render(jar, cookie_format)
    assert parse(text, cookie_format).cookies == jar
    if cookie_format is not CookieFormat.HEADER and cookie_format is not CookieFormat.TWIKIT:
        assert detect(text) is cookie_format


@given(jar=JARS, original=st.sampled_from([BROWSER, STATE, NETSCAPE]))
def test_writing_into_a_browsers_file_leaves_other_sites_alone(jar: Cookies, original: str) -> None:
    text = render(jar, detect(original), original)
    found = parse(text)
    assert found.cookies == jar
    assert found.format is detect(original)
    assert "bank" in text
    if original is not NETSCAPE:
        assert "theirs" in text
    else:
        assert "# a comment" in text
    assert render(found.cookies, found.format, text) == text


def test_attributes_of_a_changed_cookie_stay() -> None:
    rewritten = json.loads(render(Cookies(auth_token="new"), CookieFormat.BROWSER, BROWSER))
    changed = [cookie for cookie in rewritten if cookie["value"] == "new"]
    assert changed == [{**json.loads(BROWSER)[1], "value": "new"}]
    assert not [cookie for cookie in rewritten if cookie["name"] == "ct0"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no cookie file"),
        ("hello", "no cookie file"),
        ("{", "not proper JSON"),
        ("[" * 100_000, "nested too deeply|not proper JSON"),
        ("[1]", "cookie 1 of the list is not an object"),
        ('[{"name": "a", "value": 5}]', "cookie 1 of the list lacks"),
        ("[]", "no cookie of x.com"),
        ('[{"name": "a", "value": "v", "domain": "example.org"}]', "no cookie of x.com"),
        ('{"auth_token": 5}', "not plain text"),
        ('{"auth_token": "canary\\r\\nSet-Cookie: x"}', "not plain text"),
        (NETSCAPE + "canary canary\n", "line 7 has not the seven"),
    ],
)
def test_bad_files_are_explained_without_what_they_hold(text: str, message: str) -> None:
    with pytest.raises(InvalidAccount, match=message) as caught:
        parse(text)
    assert "canary" not in str(caught.value)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidAccount):
        parse(text)


@pytest.mark.parametrize("digits", [20, 400])
def test_an_absurd_expiry_is_none(digits: int) -> None:
    cookie = '{"name": "auth_token", "value": "token", "domain": ".x.com", "expirationDate": '
    found = parse("[" + cookie + "9" * digits + "}]")
    assert (dict(found.cookies), found.expires) == ({"auth_token": "token"}, None)
