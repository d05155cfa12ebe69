"""Messages over real HTTP, to a receiver that fails, hangs, refuses, and takes them at last."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import random
import sys
from datetime import UTC, datetime

import msgspec
import pytest

from tests.integration.alerts.receiver import CANARY, receiving
from twikit_pool.alerts import Alert, AppriseChat, Notice, Severity, Webhook
from twikit_pool.alerts import outbox as outboxes
from twikit_pool.alerts.outbox import Outbox
from twikit_pool.errors import ConfigError, DeliveryFailed
from twikit_pool.redaction import Secret

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALERT = Alert(
    id="0123456789abcdef",
    rule="queue_long",
    severity=Severity.WARNING,
    pool_id="news",
    message="requests wait",
    why="queued_requests is 25",
    advice="add accounts",
    began_at=NOW,
    fired_at=NOW,
    told=1,
)
NOTICE = Notice.of("firing", ALERT)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses and patience that a test has time for."""
    monkeypatch.setattr(outboxes, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(outboxes, "LONGEST_PAUSE", 0.02)
    monkeypatch.setattr(outboxes, "PATIENCE", 0.5)


async def test_a_message_is_posted_as_json_with_its_key_and_signature() -> None:
    key = b"a secret of thirty-two bytes, so"
    secret = Secret("whsec_" + base64.b64encode(key).decode())
    async with receiving() as receiver:
        webhook = Webhook(receiver.url, secret=secret)
        await webhook.send(NOTICE)
        await webhook.aclose()
    [headers], [body] = receiver.headers, receiver.bodies
    assert receiver.lines[0].startswith("POST /hooks/")
    assert headers["content-type"] == "application/json"
    assert headers["idempotency-key"] == headers["webhook-id"] == NOTICE.key == f"{ALERT.id}-1"
    signed = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
    right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{right}"
    told = msgspec.json.decode(body)
    assert (told["kind"], told["severity"], told["key"]) == ("firing", "warning", NOTICE.key)
    assert told["alert"]["rule"] == "queue_long"
    assert "requests wait" in told["text"]


async def test_without_a_secret_nothing_is_signed() -> None:
    async with receiving() as receiver:
        webhook = Webhook(receiver.url)
        await webhook.send(NOTICE)
        await webhook.aclose()
    assert "webhook-signature" not in receiver.headers[0]


@pytest.mark.parametrize(
    ("answer", "again", "says"),
    [
        (500, True, "it answered 500"),
        (429, True, "it answered 429"),
        (404, False, "it answered 404"),
        (302, False, "it answered 302"),
        ("cut", True, "it cannot be reached (RemoteProtocolError)"),
    ],
)
async def test_what_is_not_taken_says_why_and_whether_to_try_again(
    answer: int | str, again: bool, says: str
) -> None:
    async with receiving(answer) as receiver:
        webhook = Webhook(receiver.url)
        with pytest.raises(DeliveryFailed) as caught:
            await webhook.send(NOTICE)
        await webhook.aclose()
    assert (str(caught.value), caught.value.again) == (says, again)
    assert caught.value.after == (1.0 if answer == 429 else 0.0)


async def test_nobody_who_listens_is_an_attempt_that_failed() -> None:
    async with receiving() as receiver:
        url = receiver.url
    webhook = Webhook(url)
    with pytest.raises(DeliveryFailed, match="cannot be reached") as caught:
        await webhook.send(NOTICE)
    await webhook.aclose()
    assert caught.value.__suppress_context__


@pytest.mark.usefixtures("_quick")
async def test_it_fails_hangs_answers_500_and_takes_it_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    done = asyncio.Event()
    outcomes: list[bool | None] = []

    def told(_notice: Notice, well: bool | None) -> None:
        outcomes.append(well)
        done.set()

    async with receiving("cut", "hang", 500, 503, 200) as receiver:
        outbox = Outbox([Webhook(receiver.url, name="webhook 1")], random.Random(1), told)
        outbox.begin()
        outbox.put(NOTICE)
        await done.wait()
        [status] = outbox.status
        await outbox.end(1)
    assert outcomes == [True]
    assert (status.sent, status.failed, status.problem) == (1, 0, "")
    assert len(receiver.bodies) == 5
    assert {each["webhook-id"] for each in receiver.headers} == {NOTICE.key}, "so that nobody takes it twice"
    assert CANARY not in caplog.text
    assert CANARY not in repr(status)


@pytest.mark.usefixtures("_quick")
async def test_one_that_hangs_delays_no_other() -> None:
    async with receiving(*["hang"] * 20) as hanging, receiving() as well:
        outbox = Outbox([Webhook(hanging.url), Webhook(well.url)], random.Random(1))
        outbox.begin()
        for number in range(3):
            outbox.put(msgspec.structs.replace(NOTICE, key=f"k{number}"))
        while len(well.bodies) < 3:
            well.came.clear()
            await well.came.wait()
        assert outbox.status[0].sent == 0
        await outbox.end(0.1)


@pytest.mark.parametrize(
    "url", ["ftp://h/canary", "canary", "http://", "file:///canary", "https://[canary", "http://h:x/canary"]
)
def test_only_web_addresses_are_taken_and_they_are_not_shown(url: str) -> None:
    with pytest.raises(ConfigError, match="must be a URL that begins with http:// or https://") as caught:
        Webhook(Secret(url), name="webhook 3")
    assert "canary" not in str(caught.value)
    assert "webhook 3" in str(caught.value)


def test_a_secret_that_is_no_base64_is_refused() -> None:
    with pytest.raises(ConfigError, match="what follows is no base64") as caught:
        Webhook(Secret("http://h/"), secret=Secret("whsec_canary!"))
    assert "canary" not in str(caught.value)


# ---------------------------------------------------------------- apprise


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
async def test_apprise_sends_to_what_it_knows() -> None:
    pytest.importorskip("apprise")
    async with receiving() as receiver:
        address = receiver.url.reveal().removeprefix("http://").partition("?")[0]
        chat = AppriseChat(Secret(f"json://{address}"))
        await chat.send(NOTICE)
        await chat.aclose()
    told = msgspec.json.decode(receiver.bodies[0])
    assert told["title"] == NOTICE.title
    assert told["message"] == NOTICE.text
    assert told["type"] == "warning"


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
async def test_apprise_tells_when_it_was_not_taken_and_nothing_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pytest.importorskip("apprise")
    caplog.set_level(logging.DEBUG)
    async with receiving(500) as receiver:
        address = receiver.url.reveal().removeprefix("http://").partition("?")[0]
        chat = AppriseChat(Secret(f"json://{address}"), name="apprise 1")
        with pytest.raises(DeliveryFailed, match="apprise does not say why") as caught:
            await chat.send(NOTICE)
    assert caught.value.again
    with pytest.raises(ConfigError, match="apprise does not understand apprise 2") as refused:
        AppriseChat(Secret("nonsense://canary"), name="apprise 2")
    assert "canary" not in str(refused.value) + caplog.text


def test_without_apprise_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigError, match=r"pip install 'twikit-pool\[notify\]'"):
        AppriseChat(Secret("json://h"))
