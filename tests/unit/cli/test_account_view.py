from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from rich.console import Console

from twikit_pool.accounts import Account, AccountState, Credentials, Standing
from twikit_pool.cli.account_budgets import Budget, budgets_left
from twikit_pool.cli.account_view import AccountView, described, table_of
from twikit_pool.redaction import Cookies, Secret
from twikit_pool.sessions.saved_ledger import SavedCap, SavedEndpoint, SavedLedger, SavedWindow

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
T = NOW.timestamp()
DAY = 86_400.0


def account(account_id: str = "brand_uk", **fields: Any) -> Account:
    standing = Standing(**{"state": AccountState.ACTIVE, **fields.pop("standing", {})})
    expires = fields.pop("expires", None)
    credentials = Credentials(
        cookies=Cookies(auth_token="canary"), password=Secret("canary"), expires=expires
    )
    return Account(id=account_id, credentials=credentials, standing=standing, **fields)


def ledger(**fields: Any) -> bytes:
    return msgspec.json.encode(SavedLedger(saved_at=T - 60, **fields))


def window(remaining: int, limit: int | None, ends: float, reason: str = "") -> SavedEndpoint:
    return SavedEndpoint(
        window=SavedWindow(
            limit=limit, remaining=remaining, reset=None, ends=T + ends, length=900, reason=reason
        )
    )


def view(account: Account, *budgets: Budget) -> AccountView:
    return AccountView(account=account, budgets=budgets, now=NOW)


def budget(endpoint: str, left: int, limit: int | None = 50, minutes: float = 12, **more: Any) -> Budget:
    returns = NOW + timedelta(minutes=minutes)
    return Budget(
        **{"endpoint": endpoint, "left": left, "limit": limit, "seconds": None, "returns": returns, **more}
    )


def shown(*views: AccountView, width: int) -> list[str]:
    screen = Console(file=io.StringIO(), width=width)
    screen.print(table_of(views, width))
    assert isinstance(screen.file, io.StringIO)
    return [line.rstrip() for line in screen.file.getvalue().splitlines()]


# ---------------------------------------------------------------- budgets


def test_what_is_left_is_read_from_the_ledger_the_most_used_first() -> None:
    saved = ledger(
        endpoints={
            "UserTweets": window(45, 50, 300),
            "SearchTimeline": window(12, 50, 600),
            "Likes": window(3, 500, -1),
            "Followers": SavedEndpoint(),
        }
    )
    found = budgets_left(account(), saved, NOW)
    assert [(each.endpoint, each.left, each.limit) for each in found] == [
        ("SearchTimeline", 12, 50),
        ("UserTweets", 45, 50),
    ]
    assert found[0].returns == NOW + timedelta(minutes=10)


def test_what_is_left_of_the_likes_that_a_run_allows_is_told() -> None:
    likes = (SavedCap(seconds=DAY, slices=((T - 600, 30),)),)
    (found,) = budgets_left(account(), ledger(caps={"FavoriteTweet": likes}), NOW)
    assert (found.endpoint, found.left, found.limit, found.seconds) == ("FavoriteTweet", 70, 100, DAY)


def test_a_cap_counts_the_calls_of_its_period_and_the_tightest_is_told() -> None:
    capped = {
        "CreateTweet": (SavedCap(seconds=DAY, slices=((T - DAY - 5, 9), (T - 80_000, 4), (T - 60, 6))),)
    }
    saved = ledger(endpoints={"CreateTweet": window(290, 300, 600)}, caps=capped)
    (found,) = budgets_left(account(), saved, NOW)
    assert (found.left, found.limit, found.seconds) == (40, 50, DAY)
    assert found.returns == NOW + timedelta(seconds=6400)
    (own,) = budgets_left(account(caps={"CreateTweet": "12/day"}), saved, NOW)
    assert (own.left, own.limit) == (2, 12)
    (lifted,) = budgets_left(account(caps={"CreateTweet": "none"}), saved, NOW)
    assert (lifted.left, lifted.limit, lifted.seconds) == (290, 300, None)


@pytest.mark.parametrize("saved", [None, b"", b"{}", b"nonsense", b'{"saved_at": "x"}'])
def test_without_a_ledger_that_can_be_read_there_are_no_budgets(saved: bytes | None) -> None:
    assert budgets_left(account(), saved, NOW) == ()


# ---------------------------------------------------------------- what comes next


@pytest.mark.parametrize(
    ("standing", "comes"),
    [
        ({"state": "quarantined", "until": NOW + timedelta(minutes=5)}, r"quarantine ends \d\d:\d\d"),
        (
            {"state": "quarantined", "until": NOW + timedelta(days=5)},
            r"quarantine ends on 2026-03-06 \d\d:\d\d",
        ),
        ({"state": "quarantined", "until": NOW - timedelta(minutes=5)}, "it is over"),
        ({"state": "stale"}, "accounts refresh, with fresh cookies"),
        ({"state": "locked"}, "unlocked"),
        ({"state": "suspended"}, "lifted"),
        ({"state": "disabled"}, "accounts enable"),
        ({"state": "active"}, "^$"),
        ({"state": "quarantined"}, "^$"),
    ],
)
def test_what_comes_next_follows_from_the_state(standing: dict[str, Any], comes: str) -> None:
    standing["state"] = AccountState(standing["state"])
    told = view(account(standing=standing)).comes
    assert re.search(comes, told), told


def test_the_next_window_is_told_when_one_is_used_up() -> None:
    both = (budget("SearchTimeline", 0), budget("UserTweets", 0, minutes=3), budget("Likes", 9))
    assert view(account(), *both).comes == "open again in 3 min: UserTweets and 1 more later"
    assert view(account(), both[0]).comes == "open again in 12 min: SearchTimeline"
    assert view(account(), both[2]).comes == ""


@pytest.mark.parametrize(
    ("days", "comes"),
    [(-1, "cookies expired on 2026-02-28"), (3, "cookies expire on 2026-03-04"), (30, "")],
)
def test_cookies_that_end_are_told(days: int, comes: str) -> None:
    assert view(account(expires=NOW + timedelta(days=days))).comes == comes


def test_why_names_the_evidence_and_the_person() -> None:
    locked = {"state": AccountState.LOCKED, "reason": "locked", "evidence": "HTTP 403, code 326"}
    assert account(standing=locked).standing.why == "locked (HTTP 403, code 326)"
    off = {"state": AccountState.DISABLED, "reason": "on holiday", "by": "ada"}
    assert account(standing=off).standing.why == "on holiday, by ada"
    since = view(account(standing={**off, "since": NOW - timedelta(hours=3)})).since
    assert since == "3 h 0 min"


# ---------------------------------------------------------------- tables


def test_a_wide_table_has_a_row_and_a_column_for_everything() -> None:
    off = {"state": AccountState.DISABLED, "reason": "on holiday", "by": "ada", "since": NOW}
    views = [
        view(account("a", handle="ada", tags=frozenset({"news"})), budget("SearchTimeline", 12)),
        view(account("b", standing=off), budget("UserTweets", 3)),
    ]
    header, first, second = shown(*views, width=160)
    assert header.split("  ")[0] == "id"
    for word in ("handle", "state", "since", "why", "next", "calls left", "tags"):
        assert word in header
    assert first.split() == ["a", "ada", "active", "SearchTimeline", "12/50", "news"]
    assert "on holiday, by ada" in second
    assert "UserTweets" not in second, "it can use none of them"


def test_columns_that_nobody_fills_are_left_out() -> None:
    assert shown(view(account()), width=160)[0].split() == ["id", "state"]


def test_a_narrow_table_keeps_to_its_width() -> None:
    ill = {"state": AccountState.LOCKED, "reason": "word " * 30, "since": NOW - timedelta(days=3)}
    views = [
        view(account("a" * 20, standing=ill)),
        view(account("b"), *(budget(f"Endpoint{n}", n, 900) for n in range(9))),
    ]
    lines = shown(*views, width=80)
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    assert "once it is unlocked: accounts check --live" in text
    assert "Endpoint1 1/900" in text
    assert "Endpoint5" not in text


def test_markup_in_what_people_wrote_is_only_text() -> None:
    odd = {"state": AccountState.DISABLED, "reason": "[red]holiday[/red]", "by": "[b]ada"}
    for width in (80, 200):
        assert "[red]holiday[/red], by [b]ada" in " ".join(shown(view(account(standing=odd)), width=width))


def test_one_account_in_full() -> None:
    rests = budget("HomeTimeline", 0, None, reason="a refusal without headers")
    cap = budget("CreateTweet", 3, seconds=DAY)
    odd = budget("Likes", 1, 3, seconds=90.0)
    told = described(view(account(notes="hm"), rests, cap, odd, budget("SearchTimeline", 12)))
    assert told["calls left"].splitlines() == [
        "HomeTimeline rests: a refusal without headers, a new window in 12 min",
        "CreateTweet 3/50 a day, the next one back in 12 min",
        "Likes 1/3 in 90 s, the next one back in 12 min",
        "SearchTimeline 12/50, a new window in 12 min",
    ]
    assert told["next"] == "open again in 12 min: HomeTimeline"
    assert told["also stored"] == "password"
    assert "reason" not in told


def test_json_has_everything_and_no_secret() -> None:
    off = Standing(state=AccountState.DISABLED, reason="on holiday", by="ada", since=NOW)
    whole = view(replace(account(), standing=off), budget("CreateTweet", 3, seconds=DAY)).as_json()
    encoded = msgspec.json.encode(whole)
    assert b"canary" not in encoded
    assert msgspec.json.decode(encoded) == {
        "id": "brand_uk",
        "state": "disabled",
        "reason": "on holiday",
        "since": "2026-03-01T12:00:00Z",
        "by": "ada",
        "next": "accounts enable",
        "budgets": [
            {
                "endpoint": "CreateTweet",
                "left": 3,
                "limit": 50,
                "seconds": DAY,
                "kind": "cap",
                "returns": "2026-03-01T12:12:00Z",
            }
        ],
    }
    assert view(account()).as_json() == {"id": "brand_uk", "state": "active"}
