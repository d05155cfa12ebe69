from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from twikit.errors import AccountLocked, Forbidden, InvalidSession, Unauthorized

from twikit_pool.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.simulator.conftest import Connect


@pytest.fixture
async def raw(x: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    """A plain httpx client as a browser behind the first account would be one."""
    account = x.accounts[0]
    async with httpx.AsyncClient(transport=x.transport(), cookies=account.cookies) as client:
        client.headers.update({"x-csrf-token": account.ct0, "x-client-transaction-id": "t"})
        yield client


SETTINGS = "https://api.x.com/1.1/account/settings.json"


async def test_the_handshake_reads_two_pages_once(x: Simulator, connect: Connect) -> None:
    client = connect(x)
    await client.user_id()
    await client.user()
    assert x.calls.count("home") == x.calls.count("ondemand.s") == 1


async def test_who_is_logged_in(x: Simulator, connect: Connect) -> None:
    for number, account in enumerate(x.accounts):
        client = connect(x, number)
        assert await client.user_id() == account.user_id
        assert (await client.user()).screen_name == account.handle == account.id
        assert await client.is_logged_in()


@pytest.mark.parametrize("cookies", [{}, {"auth_token": "0" * 40}])
async def test_unknown_log_ins_see_the_shell_and_are_refused(
    x: Simulator, connect: Connect, cookies: dict[str, str]
) -> None:
    client = connect(x, cookies=cookies)
    with pytest.raises(InvalidSession):
        await client.search_tweet("python", "Latest")
    assert not await client.is_logged_in()
    async with httpx.AsyncClient(transport=x.transport(), cookies=cookies) as plain:
        answer = await plain.get(SETTINGS)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (401, 32)


async def test_no_transaction_id_is_an_empty_404(raw: httpx.AsyncClient) -> None:
    del raw.headers["x-client-transaction-id"]
    answer = await raw.get(SETTINGS)
    assert (answer.status_code, answer.content) == (404, b"")


async def test_csrf_header_and_cookie_must_agree(x: Simulator, raw: httpx.AsyncClient) -> None:
    assert (await raw.get(SETTINGS)).status_code == 200
    for wrong in ("", "f" * 32, "nonsense"):
        answer = await raw.get(SETTINGS, headers={"x-csrf-token": wrong})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, 353)
        cookie = answer.headers["set-cookie"]
        assert cookie == f"ct0={x.accounts[0].ct0}; Domain=.x.com; Path=/; Secure"


async def test_a_self_made_csrf_token_is_adopted(x: Simulator, connect: Connect) -> None:
    client = connect(x, cookies={"auth_token": x.accounts[0].auth_token})
    assert await client.is_logged_in()
    assert x.accounts[0].ct0 == client.get_cookies()["ct0"]


async def test_current_and_previous_token_are_good_and_older_ones_not(
    x: Simulator, raw: httpx.AsyncClient
) -> None:
    account, seen = x.accounts[0], []

    async def ask(token: str) -> int:
        headers = {"x-csrf-token": token, "cookie": f"auth_token={account.auth_token}; ct0={token}"}
        return (await raw.get(SETTINGS, headers=headers)).status_code

    for _ in range(3):
        seen.append(account.ct0)
        x.rotate_ct0(account.id)
    assert [await ask(token) for token in (*seen, account.ct0)] == [403, 403, 200, 200]
    assert await ask("0123456789abcdef" * 2) == 200
    assert await ask("short") == 403


async def test_rotation_reaches_the_cookie_jar_and_twikit_then_sends_the_old_header(connect: Connect) -> None:
    async with Simulator(accounts=1, ct0_rotation=3) as x:
        client, before = connect(x), x.accounts[0].ct0
        for _ in range(3):
            await client.v11.settings()
        assert x.accounts[0].ct0 != before
        fresh = [c.value for c in client.http.cookies.jar if c.name == "ct0" and c.domain == ".x.com"]
        assert fresh == [x.accounts[0].ct0]
        # twikit reads the header from whichever copy of the cookie comes last, which is the old one.
        with pytest.raises(Forbidden, match="353"):
            await client.v11.settings()
        client.set_cookies(x.accounts[0].cookies)
        await client.v11.settings()


async def test_a_rotated_token_comes_with_the_next_answer_once(x: Simulator, raw: httpx.AsyncClient) -> None:
    x.rotate_ct0("sim_001")
    answer = await raw.get(SETTINGS)
    assert answer.headers["set-cookie"].startswith(f"ct0={x.accounts[0].ct0};")
    again = await raw.get(SETTINGS, headers={"cookie": raw.headers.get("cookie", "")})
    assert "set-cookie" not in again.headers


async def test_the_home_page_has_the_size_asked_for() -> None:
    async with (
        Simulator(accounts=1, home_page_bytes=295_000) as x,
        httpx.AsyncClient(transport=x.transport(), cookies=x.accounts[0].cookies) as client,
    ):
        page = await client.get("https://x.com/")
    assert page.headers["content-type"].startswith("text/html")
    assert 290_000 < len(page.content) < 300_000


async def test_a_profile_is_the_same_page_as_home(x: Simulator, raw: httpx.AsyncClient) -> None:
    home, profile = await raw.get("https://x.com/"), await raw.get("https://x.com/tesla")
    assert b"twitter-site-verification" in profile.content
    assert profile.content == home.content
    assert x.calls.count("home", "sim_001", 200) == 2
    assert (await raw.get("https://x.com/i/flow/login")).status_code == 404


async def test_a_full_size_home_page_serves_the_handshake(connect: Connect) -> None:
    async with Simulator(accounts=1, home_page_bytes=295_000) as x:
        assert await connect(x).is_logged_in()


async def test_standing_faults_show_on_the_home_page(x: Simulator, connect: Connect) -> None:
    x.fault("lock", account="sim_001")
    x.fault("suspend", account="sim_002")
    x.fault("expire", account="sim_003")
    for number in (0, 1):
        with pytest.raises(AccountLocked):
            await connect(x, number).user_id()
    with pytest.raises(InvalidSession):
        await connect(x, 2).user_id()
    x.clear_faults()
    assert await connect(x).is_logged_in()


async def test_an_expired_session_that_has_its_handshake(x: Simulator, connect: Connect) -> None:
    client = connect(x)
    await client.user_id()
    x.fault("expire", account="sim_001")
    with pytest.raises(Unauthorized, match="32"):
        await client.search_tweet("python", "Latest")


async def test_nothing_secret_in_a_repr(x: Simulator) -> None:
    for account in x.accounts:
        for shown in (repr(account), str(account.cookies)):
            assert account.auth_token not in shown
            assert account.ct0 not in shown
