from __future__ import annotations

import httpx
import pytest

from twikit_pool.sessions.responses import endpoint_of_request, errors_in, read_response


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://x.com/i/api/graphql/BGd0T_j7oVwlW5U79tO_0A/SearchTimeline", "SearchTimeline"),
        ("https://x.com/i/api/1.1/friendships/create.json", "friendships/create"),
        ("https://x.com/i/api/2/notifications/all.json", "notifications/all"),
        ("https://x.com/i/api/1.1/dm/conversation/12-345.json", "dm/conversation/id"),
        ("https://x.com/i/api/1.1/dm/conversation/12-345/delete.json", "dm/conversation/id/delete"),
        ("https://upload.x.com/i/media/upload.json", "media/upload"),
        ("https://api.x.com/1.1/account/settings.json", "account/settings"),
        ("https://api.x.com/help-center/forms/api/prod/user_state.json", "user_state"),
        ("https://caps.x.com/v2/cards/create.json", "v2/cards/create"),
        ("https://x.com/i/api/2/guide.json", "guide"),
        ("https://x.com", "home"),
        ("https://x.com/", "home"),
        ("https://abs.twimg.com/responsive-web/client-web/ondemand.s.0a.js", "ondemand.s"),
    ],
)
def test_an_operation_has_one_name_whatever_the_ids(url: str, endpoint: str) -> None:
    assert endpoint_of_request(httpx.Request("GET", f"{url}?variables=1")) == endpoint


def response(status: int, body: bytes, **headers: str) -> httpx.Response:
    request = httpx.Request("POST", "https://x.com/i/api/graphql/q/CreateTweet")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, content=body, headers=named, request=request)


def test_the_window_is_read_from_the_headers() -> None:
    raw = read_response(
        response(
            200,
            b"{}",
            x_rate_limit_limit="50",
            x_rate_limit_remaining="49",
            x_rate_limit_reset="1700000900",
            date="Tue, 14 Nov 2023 22:13:20 GMT",
        )
    )
    assert (raw.limit, raw.remaining, raw.reset, raw.date) == (50, 49, 1_700_000_900, 1_700_000_000)
    broken = read_response(response(200, b"{}", x_rate_limit_remaining="soon", date="yesterday"))
    assert (broken.remaining, broken.date) == (None, None)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"errors":[{"code":88,"message":"Rate limit exceeded."}]}', 88),
        (b'{"errors":[{"message":"x","extensions":{"code":187}}],"data":{}}', 187),
        (b'{"errors":[{"code":344,"message":"x"}],"data":{"create_tweet":null}}', 344),
        (b'{"errors":["oops"]}', None),
        (b'{"errors":[],"data":{}}', None),
    ],
)
def test_an_error_inside_a_200_is_seen(body: bytes, code: int | None) -> None:
    assert read_response(response(200, body)).code == code


def test_an_error_beside_usable_data_is_none() -> None:
    assert errors_in(b'{"errors":[{"code":29,"path":["a"]}],"data":{"user":{"id":1}}}') == ()


def test_a_post_that_speaks_of_errors_is_no_error() -> None:
    assert errors_in(b'{"data":{"text":"\\"errors\\":[{\\"code\\":88}]"}}') == ()


@pytest.mark.parametrize(
    ("body", "readable"), [(b"{}", True), (b"", False), (b"<html>", False), (b"\x00\x01", False)]
)
def test_an_answer_that_is_not_json_is_told_apart(body: bytes, readable: bool) -> None:
    assert read_response(response(200, body)).readable is readable
