from __future__ import annotations

from typing import Any

import pytest

from twikit_pool.accounts import Account, Credentials
from twikit_pool.accounts.caps import Cap, read_caps, render_caps
from twikit_pool.errors import ConfigError, InvalidAccount, UnknownAction
from twikit_pool.redaction import Cookies
from twikit_pool.sessions.limits import DEFAULT_CAPS, caps_by_endpoint

DAY = 86_400.0


@pytest.mark.parametrize(
    ("given", "meant", "text"),
    [
        ("50/day", [Cap(50, DAY)], "50/day"),
        ("15/window", [Cap(15, 900.0)], "15/window"),
        ("10/hour", [Cap(10, 3600.0)], "10/hour"),
        ("3/90s", [Cap(3, 90.0)], "3/90s"),
        ("3/0.5s", [Cap(3, 0.5)], "3/0.5s"),
        ("50", [Cap(50, DAY)], "50/day"),
        (50, [Cap(50, DAY)], "50/day"),
        (0, [Cap(0, DAY)], "0/day"),
        ("50/day, 3/90s", [Cap(50, DAY), Cap(3, 90.0)], "50/day,3/90s"),
        (["50/day", 3, Cap(1, 2.0)], [Cap(50, DAY), Cap(3, DAY), Cap(1, 2.0)], "50/day,3/day,1/2s"),
        ("10/900s", [Cap(10, 900.0)], "10/window"),
        ("none", [], "none"),
        (None, [], "none"),
        ((), [], "none"),
    ],
)
def test_what_is_written_is_what_holds(given: Any, meant: list[Cap], text: str) -> None:
    caps = read_caps({"CreateTweet": given})
    assert caps == {"CreateTweet": tuple(meant)}
    assert render_caps(caps) == {"CreateTweet": text}
    assert read_caps(render_caps(caps)) == caps == read_caps(caps)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "many",
        "-1",
        -1,
        "5/month",
        "5/",
        "/day",
        "5/0s",
        "5/0.0s",
        "5/s",
        "5 a day",
        "5/day,",
        True,
        5.0,
        ["x"],
    ],
)
def test_what_is_not_understood_is_named_with_its_account(given: Any) -> None:
    with pytest.raises(ConfigError, match="of CreateTweet is not understood: write 50/day, 15/window"):
        read_caps({"CreateTweet": given})
    with pytest.raises(InvalidAccount, match=r"account 'brand': the cap .* of CreateTweet is not understood"):
        Account(
            id="brand",
            credentials=Credentials(cookies=Cookies(auth_token="canary")),
            caps={"CreateTweet": given},
        )


def test_an_action_s_cap_is_its_endpoint_s_and_later_ones_replace_earlier_ones() -> None:
    caps = caps_by_endpoint(
        DEFAULT_CAPS, {"post_tweet": 20, "search_tweet": "5/hour"}, {"CreateTweet": "none"}
    )
    assert caps == {
        "CreateTweet": (),
        "friendships/create": (Cap(15, 900.0),),
        "SearchTimeline": (Cap(5, 3600.0),),
    }


def test_a_cap_for_an_action_that_there_is_not_is_refused() -> None:
    with pytest.raises(UnknownAction, match="did you mean 'post_tweet'"):
        caps_by_endpoint({"post_twet": 20})
