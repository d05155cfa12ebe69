"""Whose calls they are: bound and unbound clients, what they return, and what only its maker may use."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from twikit import errors

from twikit_pool.accounts import AccountState
from twikit_pool.drop_in import PooledClient
from twikit_pool.errors import AccountNotFound, InvalidParameters
from twikit_pool.pool import ConnectionPriority, ConnectionRequest

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


async def test_what_comes_back_is_bound_to_the_account_that_answered(home: Any) -> None:
    client = home.client()
    tweet = await client.create_tweet("hello")
    assert isinstance(tweet._client, PooledClient)
    assert tweet._client.account == tweet.user.screen_name
    assert client.account is None
    async with home.pool.acquire(ConnectionRequest(account_id=home.id(0))):
        answer, like = await asyncio.gather(tweet.reply("again"), tweet.favorite())
    assert answer.user.screen_name == tweet.user.screen_name
    assert like.status_code == 200


async def test_pages_come_from_the_account_that_gave_the_first(home: Any) -> None:
    client = home.client()
    page = await client.search_tweet("the", "Latest", 20)
    first = home.senders("/SearchTimeline")[0]
    others = [each.id for each in home.x.accounts if each.id != first]
    seen = []
    while page:
        seen += [tweet.id for tweet in page]
        # Use the others meanwhile, so that the pool would rather hand out one of them.
        await home.client().with_account(others[0]).search_tweet("the", "Latest")
        page = await page.next()
    assert len(seen) == len(set(seen)) > 20
    assert set(home.senders("/SearchTimeline")) == {first, others[0]}
    assert await (await page.previous()).next() is not None


async def test_a_bound_client_is_that_account(home: Any) -> None:
    me = await home.client(1).user()
    assert me.screen_name == home.x.accounts[1].handle
    assert {account for account, _ in home.sent} == {home.id(1)}
    with pytest.raises(AccountNotFound, match="nobody"):
        await PooledClient(home.pool, account="nobody").user()


async def test_the_own_id_is_asked_once_an_account_and_not_once_a_client(home: Any) -> None:
    other = home.x.accounts[2].user_id
    for _ in range(3):
        await home.client(1).send_dm(other, "hi")
    for _ in range(6):
        await home.client().send_dm(other, "hi all")
    assert home.senders("account/settings.json").count(home.id(1)) == 1
    askers = home.senders("account/settings.json")
    assert len(askers) == len(set(askers))


async def test_an_upload_and_its_post_are_one_accounts(home: Any) -> None:
    client = home.client()
    uploader = ""
    for _ in range(3):
        media = await client.upload_media(PNG)
        await client.create_media_metadata(media, alt_text="a picture")
        uploader = home.senders("media/upload.json")[-1]
        others = [each.id for each in home.x.accounts if each.id != uploader]
        await client.with_account(others[0]).search_tweet("the", "Top")  # the hottest connection now
        tweet = await home.client().create_tweet("with picture", media_ids=[media])
        assert tweet.user.screen_name == uploader
        assert len(tweet.media) == 1
        assert (await client.delete_tweet(tweet.id)).status_code == 200
    assert home.senders("metadata/create.json")[-1] == uploader


async def test_a_large_upload_sends_its_segments_as_one_account(home: Any) -> None:
    """twikit sends the segments in tasks of their own, all at once."""
    film = bytes(9 * 1024 * 1024)
    media = await home.client().upload_media(film, True, 0.05, "video/mp4", "tweet_video")
    senders = home.senders("media/upload.json")
    assert len(senders) >= 5  # INIT, two segments, FINALIZE, STATUS until it is processed
    tweet = await home.client().create_tweet("large", media_ids=[media])
    assert {tweet.user.screen_name} == set(senders)


async def test_a_poll_and_its_post_are_one_accounts(home: Any) -> None:
    client = home.client()
    card = await client.create_poll(["yes", "no"], 60)
    maker = home.senders("cards/create.json")[0]
    others = [each.id for each in home.x.accounts if each.id != maker]
    await client.with_account(others[0]).search_tweet("the", "Top")
    tweet = await client.create_tweet("so?", poll_uri=card)
    assert tweet.user.screen_name == maker
    assert [choice["label"] for choice in tweet.poll.choices] == ["yes", "no"]


async def test_two_accounts_uploads_are_not_posted_together(home: Any) -> None:
    one = await home.client(0).upload_media(PNG)
    two = await home.client(1).upload_media(PNG)
    with pytest.raises(InvalidParameters, match="only what one account made"):
        await home.client().create_tweet("both", media_ids=[one, two])


async def test_a_delegate_is_in_the_headers_of_that_client_alone(home: Any) -> None:
    client = home.client(0)
    client.set_delegate_account("4242")
    await client.search_tweet("the", "Top")
    await home.client(0).search_tweet("the", "Top")
    async with home.pool.acquire(ConnectionRequest(account_id=home.id(0))) as connection:
        assert connection.client._act_as is None
    acting = [request.headers.get("X-Act-As-User-Id") for _, request in home.sent[-2:]]
    assert acting == ["4242", None]


async def test_headers_are_the_accounts_own(home: Any) -> None:
    """The csrf token is that of the account that sends, and the language the client's, if it has one."""
    client = home.client()
    client.language = "ja"
    await client.get_user_by_screen_name(home.x.accounts[0].handle)
    request = home.sent[-1][1]
    assert request.headers["Accept-Language"] == "ja"
    await home.client().get_user_by_screen_name(home.x.accounts[0].handle)
    account, request = home.sent[-1]
    cookies = dict(part.split("=", 1) for part in request.headers["cookie"].split("; "))
    assert request.headers["X-Csrf-Token"] == cookies["ct0"]
    assert request.headers["Accept-Language"] == "en-US"
    assert request.headers["User-Agent"].startswith("Mozilla/")
    assert cookies["auth_token"] == next(a.auth_token for a in home.x.accounts if a.id == account)


async def test_cookies_of_a_bound_client_with_the_rotated_ones(home: Any, tmp_path: Path) -> None:
    client = home.client(0)
    assert client.get_cookies() == dict(home.x.accounts[0].cookies)
    home.x.rotate_ct0(home.id(0))
    await client.search_tweet("the", "Top")
    assert client.get_cookies()["ct0"] == home.x.accounts[0].ct0
    file = tmp_path / "cookies.json"
    client.save_cookies(str(file))
    assert json.loads(file.read_text()) == client.get_cookies()
    assert file.stat().st_mode & 0o777 == 0o600 or os.name != "posix"
    with pytest.raises(AccountNotFound):
        client.with_account("nobody").get_cookies()


async def test_the_urgent_go_first(simulated: Any) -> None:
    async with simulated(accounts=1, limits=False) as home:
        done: list[str] = []

        async def search(name: str, client: PooledClient) -> None:
            await client.search_tweet("the", "Top")
            done.append(name)

        client = home.client()
        async with asyncio.TaskGroup() as tasks, home.pool.acquire():
            tasks.create_task(search("low", client.with_priority(ConnectionPriority.LOW)))
            tasks.create_task(search("urgent", client.with_priority(ConnectionPriority.EMERGENCY)))
            await asyncio.sleep(0.05)
            assert home.pool.waiting == 2
    assert done == ["urgent", "low"]


async def test_raw_requests_go_through_the_pool_too(home: Any) -> None:
    client = home.client()
    settings, response = await client.v11.settings()
    assert settings["screen_name"] in {each.handle for each in home.x.accounts}
    assert response.status_code == 200
    found, _ = await client.gql.user_by_screen_name(home.x.accounts[0].handle)
    assert found["data"]["user"]["result"]["rest_id"] == home.x.accounts[0].user_id
    again, _ = await client.get(str(response.request.url), headers=client._base_headers)
    assert "screen_name" in again


async def test_files_are_fetched_under_a_lease_and_judge_no_account(home: Any, tmp_path: Path) -> None:
    client = home.client()
    media = await client.upload_media(PNG)
    tweet = await client.create_tweet("a picture", media_ids=[media])
    (picture,) = tweet.media
    home.canned[urlsplit(picture.media_url).path] = b"the picture"
    await picture.download(str(tmp_path / "picture"))
    assert (tmp_path / "picture").read_bytes() == b"the picture"
    assert home.sent[-1][0] == tweet.user.screen_name
    home.canned[urlsplit(picture.media_url).path] = 401  # as for a file that is gone
    with pytest.raises(errors.NotFound):
        await picture.download(str(tmp_path / "gone"))
    with pytest.raises(errors.Unauthorized):
        await client.get(picture.media_url)
    assert all(each.account.standing.state is AccountState.ACTIVE for each in home.pool.connections())


async def test_many_calls_of_one_client_at_once(home: Any) -> None:
    client = home.client()
    pages = await asyncio.gather(*(client.search_tweet("the", "Latest", 5) for _ in range(30)))
    assert all(len(page) == 5 for page in pages)
    assert {page[0]._client.account for page in pages} == {each.id for each in home.x.accounts}


async def test_a_cancelled_call_gives_the_connection_back(home: Any) -> None:
    home.x.fault("hang", endpoint="SearchTimeline", times=1)
    call = asyncio.create_task(home.client(0).search_tweet("the", "Top"))
    await asyncio.sleep(0.2)
    assert home.senders("/SearchTimeline")
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await home.client(0).search_tweet("the", "Top")
