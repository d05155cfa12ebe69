"""The daemon's settings: where they come from, which counts, and what is said of wrong ones."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twikit_pool.cli.config_text import as_json, as_toml
from twikit_pool.config import DEFAULT_CONNECTION_POOL_CONFIG, ConnectionPoolConfig
from twikit_pool.errors import ConfigError
from twikit_pool.pool.request import ConnectionPriority
from twikit_pool.service.sections import (
    POOL_KINDS,
    PRIORITIES,
    SECTIONS,
    AccountSettings,
    PoolSettings,
    ServiceSettings,
)
from twikit_pool.service.setting_sources import MOST_BYTES, PREFIX
from twikit_pool.service.setting_words import kinds, masked, meanings
from twikit_pool.service.settings import is_loopback, load_settings

if TYPE_CHECKING:
    from twikit_pool.service.settings import Loaded

CANARY = "canary-password"
PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"

OTHER: dict[str, dict[str, Any]] = {
    "service": {
        "host": "::1",
        "port": 0,
        "allow_remote": True,
        "tokens": "/t/tokens.json",
        "audit": "/t/audit.log",
        "shutdown_timeout": 5.0,
        "max_body": 2_000,
        "max_header": 3_000,
        "header_timeout": 1.5,
        "body_timeout": 2.5,
        "max_requests": 7,
        "max_sockets": 8,
        "requests_per_second": 0.5,
        "burst": 9,
        "origins": ["https://a.example", "http://b.example:8000"],
    },
    "accounts": {"cookies": "/t/cookies", "sandbox_faults": False},
    "history": {"enabled": False, "weeks": 3},
    "automation": {
        "most_connections": 50,
        "guarantees": {"default": 20},
        "priorities": {"default": "HIGH"},
    },
    "safety": {
        "enabled": False,
        "memory": "/t/safety.db",
        **dict.fromkeys(
            ("length", "media", "secrets", "denied_links", "repeats", "similar", "quiet"), "note"
        ),
        **dict.fromkeys(("personal", "profanity", "lookalikes", "language"), "block"),
        **dict.fromkeys(("contacts", "shorteners", "unresolvable", "shape"), "off"),
        "profanity_languages": ["de"],
        "words": __file__,
        "allowed_hosts": ["example.org"],
        "denied_hosts": ["example.com"],
        "languages": ["en"],
        "most_capitals": 0.5,
        "most_mentions": 3,
        "most_hashtags": 4,
        "repeat_hours": 12.0,
        "similar_score": 90.0,
        "similar_days": 7.0,
        "similar_least": 30,
        "quiet_hours": "22:00-07:00",
        "quiet_zone": "Europe/London",
        "sentiment": True,
        "classifier": "package.module:name",
        "classifier_timeout": 2.0,
        "classifier_failure": "allow",
        "most_reviews": 10,
    },
    "alerts": {
        "enabled": False,
        "webhooks": ["https://hooks.example/canary-url"],
        "webhook_secret": "canary-signing-secret",
        "apprise": ["json://canary-chat"],
        "file": "/t/alerts.json",
        "rules": {"pool_busy": {"above": 0.95}},
    },
    "jobs": {
        "folder": "/t/jobs",
        "max_batches": 3,
        "max_jobs": 400,
        "max_kept": 5,
        "keep_for": 3_600.0,
        "grace": 4.0,
        "allow_engagement": True,
    },
}
"""Another value than the default for every setting, but for three of four choices of accounts."""

OTHER_OF_POOL: dict[str, Any] = {
    name: {
        "selection": "least_used",
        "scaling_rules": ["queue"],
        "head_starts": [9.0, 8.0, 7.0, 6.0, 5.0],
        "max_waiting_by_priority": ["none", 1, 2, 3, 4],
        "accept_tags": ["uk", "news"],
        "shared": True,
        "lease_timeout": 77.0,
        "initial_connections": 21,
        "max_connections_per_account": 2,
        "open_backoff_max": 120.0,
    }.get(name)
    for name in POOL_KINDS
}
for _name, _value in msgspec.structs.asdict(DEFAULT_CONNECTION_POOL_CONFIG).items():
    if OTHER_OF_POOL[_name] is None:
        OTHER_OF_POOL[_name] = (
            not _value
            if isinstance(_value, bool)
            else _value + 1
            if isinstance(_value, int)
            else _value * 0.99
        )
OTHER_OF_POOL["min_connections"] = 11
OTHER_OF_POOL["scale_up_threshold"] = 0.85


@pytest.fixture(autouse=True)
def no_file_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr("twikit_pool.service.setting_sources.platformdirs.user_config_path", _own(tmp_path))


def _own(folder: Path) -> Any:
    return lambda *_, **__: folder / "own"


def load(folder: Path, text: str = "", flags: dict[str, Any] | None = None, /, **environ: str) -> Loaded:
    """What a file of this text, these flags and variables say."""
    if text:
        (folder / "twikit-pool.toml").write_text(text, encoding="utf-8")
    return load_settings(flags or {}, environ=environ, cwd=folder)


def wrong(folder: Path, text: str = "", flags: dict[str, Any] | None = None, /, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, flags, **environ)
    return str(caught.value)


def toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(each)}" for name, each in value.items()) + "}"
    return msgspec.json.encode(value).decode()


def test_without_any_source_all_is_as_by_default(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert loaded.settings == ServiceSettings()
    assert loaded.settings.pools == {"default": PoolSettings(config=DEFAULT_CONNECTION_POOL_CONFIG)}
    assert (loaded.origins, loaded.file) == ({}, None)


def test_every_setting_can_be_given_in_the_file(tmp_path: Path) -> None:
    sections = [
        f"[{name}]\n" + "".join(f"{each} = {toml(value)}\n" for each, value in table.items())
        for name, table in {**OTHER, "pools.default": OTHER_OF_POOL}.items()
    ]
    loaded = load(tmp_path, "\n".join(sections))
    all_are_other(loaded)
    assert set(loaded.origins.values()) == {f"file {tmp_path / 'twikit-pool.toml'}"}


def test_every_setting_can_be_given_in_the_environment(tmp_path: Path) -> None:
    environ = {
        f"{PREFIX}{section}__{name}".upper(): toml(value)
        for section, table in {**OTHER, "pools__default": OTHER_OF_POOL}.items()
        for name, value in table.items()
    }
    loaded = load(tmp_path, **environ)
    all_are_other(loaded)
    assert loaded.origins["service.port"] == "environment TWIKIT_POOL__SERVICE__PORT"
    assert loaded.origins["pools.default.debug"] == "environment TWIKIT_POOL__POOLS__DEFAULT__DEBUG"


def all_are_other(loaded: Loaded) -> None:
    found, default = loaded.settings, ServiceSettings()
    given = {f"{section}.{name}" for section, table in OTHER.items() for name in table}
    assert set(loaded.origins) == given | {f"pools.default.{name}" for name in OTHER_OF_POOL}
    for section, struct in SECTIONS.items():
        for name in kinds(struct):
            if name not in ("store", "sandbox", "simulator"):
                assert getattr(getattr(found, section), name) != getattr(getattr(default, section), name), (
                    name
                )
    pool = found.pools["default"]
    assert pool.accept_tags == ("uk", "news")
    assert pool.shared
    for name in ConnectionPoolConfig.__struct_fields__:
        assert getattr(pool.config, name) != getattr(DEFAULT_CONNECTION_POOL_CONFIG, name), name
    assert found.automation.priorities == {"default": 3}
    assert found.service.port == 0


@pytest.mark.parametrize(
    ("name", "value"), [("store", "postgresql+psycopg://h/d"), ("sandbox", 5), ("simulator", "http://h:1")]
)
def test_other_accounts(tmp_path: Path, name: str, value: object) -> None:
    expected = AccountSettings(**{name: value})  # type: ignore[arg-type] - of the setting's own type
    assert load(tmp_path, f"[accounts]\n{name} = {toml(value)}").settings.accounts == expected


# ---------------------------------------------------------------- which counts


def test_flags_come_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    text = "[service]\nport = 1\nburst = 1\nmax_requests = 1\n"
    loaded = load(
        tmp_path,
        text,
        {"service": {"port": 3}},
        TWIKIT_POOL__SERVICE__PORT="2",
        TWIKIT_POOL__SERVICE__BURST="2",
    )
    at = loaded.settings.service
    assert (at.port, at.burst, at.max_requests) == (3, 2, 1)
    assert loaded.origins == {
        "service.port": "flag",
        "service.burst": "environment TWIKIT_POOL__SERVICE__BURST",
        "service.max_requests": f"file {tmp_path / 'twikit-pool.toml'}",
    }


def test_the_first_file_that_there_is(tmp_path: Path) -> None:
    own = tmp_path / "own" / "config.toml"
    own.parent.mkdir()
    own.write_text("[service]\nport = 1\n")
    assert load(tmp_path).file == own
    assert load(tmp_path, "[service]\nport = 2\n").settings.service.port == 2
    given = tmp_path / "given.toml"
    given.write_text("[service]\nport = 3\n")
    loaded = load_settings(file=given, environ={}, cwd=tmp_path)
    assert (loaded.settings.service.port, loaded.file) == (3, given)


def test_only_names_with_two_underscores_are_settings(tmp_path: Path) -> None:
    assert not load(tmp_path, TWIKIT_POOL_STORE="x", TWIKIT_POOL_HOME="y", TWIKIT_POOLS__X="z").origins


def test_an_empty_variable_says_nothing(tmp_path: Path) -> None:
    assert not load(tmp_path, TWIKIT_POOL__SERVICE__PORT="", TWIKIT_POOL__NONSENSE="").origins


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("TWIKIT_POOL__SERVICE__HOST", "127.0.0.1", "127.0.0.1"),
        ("TWIKIT_POOL__SERVICE__HOST", '"::1"', "::1"),
        ("TWIKIT_POOL__SERVICE__PORT", " 0x10 ", 16),
        ("TWIKIT_POOL__SERVICE__BODY_TIMEOUT", "1e1", 10.0),
        ("TWIKIT_POOL__SERVICE__ALLOW_REMOTE", "true", True),
        ("TWIKIT_POOL__SERVICE__ORIGINS", "['https://a.example']", ("https://a.example",)),
        ("TWIKIT_POOL__ACCOUNTS__COOKIES", "/2024", "/2024"),
        ("TWIKIT_POOL__ACCOUNTS__STORE", "sqlite:///a", "sqlite:///a"),
        ("TWIKIT_POOL__ACCOUNTS__STORE", "none", None),
        ("TWIKIT_POOL__AUTOMATION__MOST_CONNECTIONS", "None", None),
    ],
)
def test_a_variable_is_a_toml_value_or_else_text(tmp_path: Path, name: str, text: str, value: object) -> None:
    _, section, key = name.lower().split("__")
    assert getattr(getattr(load(tmp_path, **{name: text}).settings, section), key) == value


@pytest.mark.parametrize("text", ["2024", "true", "2024-01-01", "[a]", "{ a = 1 }", "1\nb = 2"])
def test_a_text_that_happens_to_be_a_toml_value_is_a_text(tmp_path: Path, text: str) -> None:
    loaded = load(tmp_path, TWIKIT_POOL__ACCOUNTS__COOKIES=text)
    assert loaded.settings.accounts.cookies == str(tmp_path / text)


def test_a_variable_means_a_pool_without_regard_to_case_and_hyphens(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        "[pools.Brand-UK]\n",
        TWIKIT_POOL__POOLS__BRAND_UK__MAX_CONNECTIONS="5",
        TWIKIT_POOL__POOLS__TWO__WORDS__DEBUG="true",
    )
    assert list(loaded.settings.pools) == ["Brand-UK", "two__words"]
    assert loaded.settings.pools["Brand-UK"].config == ConnectionPoolConfig(max_connections=5)
    told = wrong(tmp_path, "[pools.a-b]\n[pools.a_b]\n", TWIKIT_POOL__POOLS__A_B__DEBUG="true")
    assert told.startswith(
        "pools 'a-b' and 'a_b' cannot be told apart here (environment TWIKIT_POOL__POOLS__A_B"
    )


def test_named_pools_replace_the_default_one(tmp_path: Path) -> None:
    assert list(load(tmp_path, "[pools.brand]\n[pools.research]\n").settings.pools) == ["brand", "research"]


def test_sizes_that_nobody_gives_follow_the_others(tmp_path: Path) -> None:
    loaded = load(tmp_path, "[pools.default]\nmax_connections = 5\n")
    assert loaded.settings.pools["default"].config == ConnectionPoolConfig(max_connections=5)
    assert loaded.settings.pools["default"].config.changed(max_connections=50).min_connections == 10


def test_who_chooses_accounts_sets_aside_what_weaker_sources_chose(tmp_path: Path) -> None:
    text = '[accounts]\ncookies = "/c"\nsandbox_faults = false\n'
    chosen = load(tmp_path, text, {"accounts": {"sandbox": 3}}, TWIKIT_POOL__ACCOUNTS__STORE="/s").settings
    assert chosen.accounts == AccountSettings(sandbox=3, sandbox_faults=False)
    assert load(tmp_path, text, TWIKIT_POOL__ACCOUNTS__STORE="/s").settings.accounts.cookies is None
    assert load(tmp_path, text, TWIKIT_POOL__ACCOUNTS__COOKIES="none").settings.accounts.cookies is None


def test_relative_paths_begin_where_they_were_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/x")
    file = tmp_path / "etc" / "c.toml"
    file.parent.mkdir()
    file.write_text('[service]\ntokens = "t"\naudit = "~/a"\n[accounts]\nstore = "s.db"\n')
    loaded = load_settings({"service": {"tokens": "u"}}, file=file, environ={}, cwd=tmp_path).settings
    assert loaded.service.tokens == tmp_path / "u"
    assert str(loaded.service.audit) == "/home/x/a"
    assert loaded.accounts.store == str(file.parent / "s.db")


# ---------------------------------------------------------------- what is wrong


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = """
    [service]
    prot = 1
    max_body = 5
    [servce]
    [pools.default]
    max_connections = 0
    open_backoff = 70
    max_conections = 4
    """
    told = wrong(
        tmp_path,
        text,
        {"service": {"port": 70_000}},
        TWIKIT_POOL__POOLS__DEFAULT__CALL_TIMEOUT="soon",
        TWIKIT_POOL__SERVICE="1",
    )
    place = f"(file {tmp_path / 'twikit-pool.toml'})"
    assert told.splitlines()[0] == "9 things are wrong:"
    assert sorted(told.splitlines()[1:]) == [
        "- pools.default.call_timeout must be a number, more than 0 seconds, not 'soon' "
        "(environment TWIKIT_POOL__POOLS__DEFAULT__CALL_TIMEOUT)",
        f"- pools.default.max_connections must be a whole number, at least 1, not 0 {place}",
        "- pools.default.open_backoff must be at most open_backoff_max (60.0), not 70.0 "
        f"{place[:-1]}; open_backoff_max: the default)",
        f"- service.max_body must be a whole number of bytes from 1000 to 100000000, not 5 {place}",
        "- service.port must be a whole number from 0 to 65535, not 70000 (flag)",
        "- there is no setting 'pools.default.max_conections': did you mean pools.default.max_connections? "
        f"{place}",
        f"- there is no setting 'servce': did you mean service? {place}",
        "- there is no setting 'service': did you mean service? (environment TWIKIT_POOL__SERVICE)",
        f"- there is no setting 'service.prot': did you mean service.port? {place}",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("port = 1", "no setting 'port': did you mean service.port?"),
        ("service = 1", "service must be a table, as [service] begins, not a int"),
        ("[[service]]", "service must be a table, as [service] begins, not a list"),
        ("[pools]\nmax_connections = 1", "pools.max_connections must be a table, as [pools.default] begins"),
        ("pools = 1", "pools must be a table, as [pools.default] begins, not a int"),
        ("[pools.'a b']", "the name of a pool has 1 to 64 letters, digits, - and _"),
        ("[pools.'']\ndebug = true", "the name of a pool has 1 to 64 letters"),
        ("[pools.default]\nconfig = {}", "there is no setting 'pools.default.config'"),
        ("[pools.default]\nshared = 1", "pools.default.shared must be true or false, not 1"),
        ("[pools.default]\naccept_tags = 'uk'", 'must be a list of tags, as ["uk", "news"], not \'uk\''),
        ("[pools.default]\nselection = 'none'", "selection must be one of 'best_quality', 'hottest'"),
        ("[pools.default]\nmin_connections = 200", "must be at most max_connections (100), not 200"),
        ("[pools.default]\nhead_starts = [1, 2, 3, 4, 5]", "five durations that fall"),
        ("[pools.default]\ndebug = 'yes'", "pools.default.debug must be true or false, not 'yes'"),
        ("[service]\nport = true", "service.port must be a whole number from 0 to 65535, not true"),
        ("[service]\nport = 1.0", "service.port must be"),
        ("[service]\nbody_timeout = inf", "service.body_timeout must be a number, more than 0"),
        ("[service]\nbody_timeout = nan", "service.body_timeout must be"),
        ("[service]\nport = 0x" + "f" * 5_000, "service.port must be"),
        ("[pools.default]\nmax_connections = 0x" + "f" * 5_000, "pools.default.max_connections must be"),
        ("[service]\nport = " + "9" * 5_000, "a number in it has too many digits"),
        ("[service]\ntokens = ''", 'service.tokens must be the path of a file, or "none"'),
        ("[service]\ntokens = '~nosuchuser/x'", "service.tokens: the path ~nosuchuser/x names the home"),
        ("[service]\norigins = ['*']", "service.origins must be a list of origins"),
        ("[service]\norigins = ['https://a.example/']", "service.origins must be a list of origins"),
        ("[service]\nhost = ''", "service.host must be an IP address or a host name, not ''"),
        ("[accounts]\nsandbox = 0", "accounts.sandbox must be a whole number of accounts from 1 to 10000"),
        ("[accounts]\nsimulator = 'ftp://x'", "accounts.simulator must be an address such as"),
        (
            "[accounts]\nsandbox = 3\ncookies = 'c'",
            "accounts.cookies and accounts.sandbox exclude each other",
        ),
        (
            "[automation]\nmost_connections = 5\nguarantees = { brand = 1 }",
            "automation.guarantees must name pools that there are (default), not 'brand'",
        ),
        (
            "[automation]\nmost_connections = 5\nguarantees = { default = 6 }",
            "automation.guarantees must be at most most_connections (5) together, not 6",
        ),
        (
            "[automation]\npriorities = { default = 'HIGH' }",
            "automation.priorities needs automation.most_connections",
        ),
        (
            "[automation]\nmost_connections = 5\npriorities = { default = 'URGENT' }",
            "automation.priorities must be a table of LOW, NORMAL, HIGH, CRITICAL, EMERGENCY or 1 to 5",
        ),
        ("[service]\nport = \n", "is broken: Invalid value (at line 2, column 8)"),
        ("[service]\nport = 1\nport = 2\n", "is broken: Cannot overwrite a value (at line 3, column 9)"),
        (
            "[service]\nport = 1 2",
            "Expected newline or end of document after a statement (at line 2, ",
        ),
    ],
)
def test_one_thing_that_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    told = wrong(tmp_path, text)
    assert says in told
    assert str(tmp_path / "twikit-pool.toml") in told or "[pools.''" in text or text == "[pools.'a b']"
    assert "\n" not in told


def test_what_follows_from_a_wrong_setting_is_not_told(tmp_path: Path) -> None:
    text = "[pools.default]\nmax_connections = 'many'\nmin_connections = 500\ninitial_connections = 600\n"
    assert wrong(tmp_path, text).startswith("pools.default.max_connections must be")
    text = "[service]\nallow_remote = 'yes'\nhost = '0.0.0.0'\n"
    assert wrong(tmp_path, text).startswith("service.allow_remote must be")
    text = "[automation]\nmost_connections = 0\nguarantees = { default = 1 }\n"
    assert wrong(tmp_path, text).startswith("automation.most_connections must be")


@pytest.mark.parametrize("host", [".".join("0000"), "::", "192.168.1.1", "example.org", "127.1"])
def test_other_machines_reach_it_only_when_that_is_allowed(tmp_path: Path, host: str) -> None:
    told = wrong(tmp_path, f'[service]\nhost = "{host}"\n')
    assert told.startswith("service.host must be an address that only this machine reaches")
    assert f"not '{host}', unless service.allow_remote is true (file " in told
    loaded = load(tmp_path, TWIKIT_POOL__SERVICE__ALLOW_REMOTE="true")
    assert loaded.settings.service.host == host


def test_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.8.8", "::1", "localhost")))
    assert not any(map(is_loopback, ("localhost.example", "", "10.0.0.1", "fe80::1%lo")))


def test_no_secret_is_told(tmp_path: Path) -> None:
    values = [
        f"postgresql+psycopg://me:{CANARY}@host/db",
        f"postgresql+psycopg://me:{CANARY}@x@host/db",
        f"postgresql+psycopg://me:a/{CANARY}?@host/db?sslmode=x",
        f"postgresql+psycopg://host/db?password={CANARY}",
        f"http://me:{CANARY}@host:1/",
        f"host=h password={CANARY}",
        f"tp_0123abcd_{CANARY}",
        "x" * 70 + f"://me:{CANARY}" + "y" * 70 + "@host",
    ]
    for value in values:
        assert CANARY not in masked(value)
        for text in (
            f"[service]\nport = {toml(value)}",
            f"[service]\nport = [{toml(value)}, {{ a = {toml(value)} }}]",
            f"[pools.default]\ncall_timeout = {toml(value)}",
            f"[pools.default]\nhead_starts = [{toml(value)}]",
            f"[pools.default]\npassword = {toml(value)}",
            f"{toml(value)} = 1",
            f"[pools]\n{toml(value)} = 1",
            f"[pools.{toml(value + chr(32))}]\ndebug = true",
            f"[service]\n{toml(value)} = 1",
            f"store = {toml(value)}",
        ):
            assert CANARY not in wrong(tmp_path, text)
        assert CANARY not in wrong(tmp_path, "[service]", TWIKIT_POOL__SERVICE__PORT=value)
    loaded = load(tmp_path, "[service]", TWIKIT_POOL__ACCOUNTS__STORE=values[0])
    assert loaded.settings.accounts.store == values[0]
    assert CANARY not in as_toml(loaded.settings, loaded.origins)
    assert "://me:•••@host/db" in as_toml(loaded.settings, loaded.origins)


@pytest.mark.parametrize("part", ["://", "://:", "://a:@", "?", "password", "password=", "tp_0123abcd_", " "])
def test_long_texts_are_masked_quickly(part: str) -> None:
    began = time.perf_counter()
    for text in (part * 10_000, f"@{part * 10_000}", f"://a:{part * 10_000}", f"password{part * 10_000}"):
        masked(text)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            f'webhooks = ["ftp://{CANARY}"]',
            "alerts.webhooks must begin with http:// or https://, and number 1",
        ),
        (f'webhooks = "https://{CANARY}"', "alerts.webhooks must be a list of URLs"),
        (f"webhook_secret = ['{CANARY}']", "alerts.webhook_secret must be a text"),
        (f"apprise = '{CANARY}'", "alerts.apprise must be a list of URLs as apprise has them"),
        ("rules = 5", "alerts.rules must be a table for each rule"),
        (
            "[alerts.rules.mine]\nabove = 1",
            "alerts.rules.mine.metric is missing: it is one of acquired, active_",
        ),
        (
            "[alerts.rules.mine]\nmetric = 'queue_requests'\nabove = 1",
            "alerts.rules.mine.metric names no figure, 'queue_requests': did you mean queued_requests?",
        ),
        (
            "[alerts.rules.mine]\nmetric = 'calls'",
            "alerts.rules.mine.above or alerts.rules.mine.below is missing",
        ),
        (
            "[alerts.rules.mine]\nmetric = 'calls'\nabove = 1\npools = ['x']",
            "alerts.rules.mine.pools must name pools that there are (default), not 'x'",
        ),
        (
            "[alerts.rules.pool_busy]\nabve = 1",
            "alerts.rules.pool_busy.abve is no setting of a rule: did you mean",
        ),
    ],
)
def test_what_is_wrong_with_alerts(tmp_path: Path, text: str, says: str) -> None:
    told = wrong(tmp_path, f"[alerts]\n{text}")
    assert says in told
    assert CANARY not in told


def test_secrets_of_alerts_are_shown_nowhere(tmp_path: Path) -> None:
    loaded = load(tmp_path, "[alerts]\n" + "".join(f"{n} = {toml(v)}\n" for n, v in OTHER["alerts"].items()))
    for shown in (as_toml(loaded.settings, loaded.origins), repr(loaded), as_json(loaded.settings, {}, None)):
        assert "canary" not in shown
    assert "•••" in as_toml(loaded.settings, None)


def test_much_that_is_wrong_is_told_in_part_and_quickly(tmp_path: Path) -> None:
    text = "[pools.default]\n" + "".join(f"max_conections{each} = 1\n" for each in range(2_500))
    began = time.perf_counter()
    told = wrong(tmp_path, text)
    assert time.perf_counter() - began < 5
    assert told.startswith("2500 things are wrong:")
    assert told.endswith("- and 2460 more")
    assert len(wrong(tmp_path, f"[service]\n{'k' * 50_000} = 1\nport = '{'v' * 10_000}'")) < 1_000
    told = wrong(tmp_path, "".join(f"[pools.p{each}]\n" for each in range(300)))
    assert told == "there may be 256 pools, not 300"


# ---------------------------------------------------------------- files that are none


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    missing, folder, text = tmp_path / "missing", tmp_path / "folder", tmp_path / "latin"
    folder.mkdir()
    text.write_bytes("\n# für".encode("latin-1"))
    for path, says in (
        (missing, f"there is no file {missing}: `twikit-pool config init {missing}` writes one"),
        (folder, f"{folder} cannot be read: Is a directory"),
        (text, f"{text} is no UTF-8 text (line 2): save it as UTF-8"),
        (tmp_path / "a\0b", "cannot be the path of a file"),
        (tmp_path / ("n" * 300), "cannot be read: File name too long"),
    ):
        with pytest.raises(ConfigError) as caught:
            load_settings(file=path, environ={}, cwd=tmp_path)
        assert says in str(caught.value)


def test_a_mark_that_editors_put_first_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "twikit-pool.toml").write_bytes(b"\xef\xbb\xbf[service]\r\nport = 1\r\n")
    assert load(tmp_path).settings.service.port == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("#" * (MOST_BYTES + 1), "is larger than 64 KB"),
        ("a." * 20_000 + "a = 1", "a key of more than 8 parts (at line 1, column 16)"),
        ("[" + "a." * 20_000 + "a]", "a key of more than 8 parts"),
        ("\nx = { " + " . ".join(['"a"'] * 9_000) + " = 1 }", "a key of more than 8 parts (at line 2"),
        ("x = " + "[" * 40_000, "brackets nested too deep (at line 1, column 13)"),
        ("x = " + "{ a = " * 9_000, "brackets nested too deep"),
        ("x = ['''y'''', " + "[" * 40_000, "brackets nested too deep"),
        ('x = """' + '\\"""' * 15_000, "is broken: Unterminated string"),
    ],
)
def test_a_file_that_would_take_too_long_is_refused_at_once(tmp_path: Path, text: str, says: str) -> None:
    began = time.perf_counter()
    assert says in wrong(tmp_path, text)
    assert time.perf_counter() - began < 1


def test_the_same_in_a_variable(tmp_path: Path) -> None:
    for text in ("[" * 100_000, "{" + "a." * 50_000 + "a = 1}", "9" * 100_000):
        began = time.perf_counter()
        assert "service.port must be" in wrong(tmp_path, TWIKIT_POOL__SERVICE__PORT=text)
        assert time.perf_counter() - began < 1


def test_dots_and_brackets_in_texts_are_none(tmp_path: Path) -> None:
    text = (
        "[service]\naudit = '/"
        + "[{." * 20
        + "'  # "
        + "a." * 20
        + '\norigins = ["https://a.b.c.d.e.f.g.h.i.j"]\n'
    )
    assert load(tmp_path, text).settings.service.origins == ("https://a.b.c.d.e.f.g.h.i.j",)


# ---------------------------------------------------------------- anything at all

names = st.sampled_from(
    [
        *("service", "accounts", "automation", "pools", "default", "port", "host", "tokens", "origins"),
        *("store", "cookies", "guarantees", "priorities", "accept_tags", "max_connections", "head_starts"),
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("~x/y"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.text(), inner, max_size=3),
    max_leaves=8,
)
pieces = st.lists(
    st.sampled_from([*"[]{}=.,\"'\n#\\ ", '"""', "'''", "1", "a", "service", "pools", "port", "[service]\n"]),
    max_size=40,
).map("".join)
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(tables=st.dictionaries(names | st.text(), values, max_size=4))
def test_whatever_flags_say_only_config_errors_come_of_it(tmp_path: Path, tables: dict[str, Any]) -> None:
    with suppress(ConfigError):
        load(tmp_path, "", tables)


@quick
@given(content=pieces.map(str.encode) | st.binary(max_size=60) | st.text().map(str.encode))
def test_whatever_a_file_holds_only_config_errors_come_of_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.toml"
    path.write_bytes(content)
    with suppress(ConfigError):
        load_settings(file=path, environ={}, cwd=tmp_path)


@quick
@given(
    environ=st.dictionaries(
        st.lists(names.map(str.upper) | st.text(max_size=5), max_size=4).map("__".join).map(PREFIX.__add__),
        pieces | st.text(),
        max_size=4,
    )
)
def test_whatever_the_environment_holds_only_config_errors_come_of_it(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    with suppress(ConfigError):
        load(tmp_path, **environ)


@pytest.mark.parametrize("value", [10**5_000, [10**5_000], {"a": -(10**5_000)}], ids=["one", "list", "table"])
def test_numbers_that_python_does_not_print(tmp_path: Path, value: object) -> None:
    for section in ({"service": {"port": value}}, {"pools": {"default": {"max_connections": value}}}):
        assert "inf" in wrong(tmp_path, "", section)


# ---------------------------------------------------------------- words and weight


def test_every_setting_has_its_words() -> None:
    for section in (*SECTIONS.values(), PoolSettings, ConnectionPoolConfig):
        assert meanings(section).keys() == kinds(section).keys()


def test_the_page_has_every_setting_and_its_example_is_right(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for section, struct in SECTIONS.items():
        assert f"### `[{section}]`" in page
        for name in kinds(struct):
            assert f"| `{name}` |" in page, name
    [example] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert list(load(tmp_path, example).settings.pools) == ["brand-uk", "research"]


def test_priorities_are_those_of_requests() -> None:
    assert dict(PRIORITIES) == {each.name: each.value for each in ConnectionPriority}


def test_it_is_imported_without_what_is_heavy() -> None:
    code = (
        "import sys, twikit_pool.service.settings, twikit_pool.cli.config\n"
        "print([each for each in ('twikit', 'litestar', 'uvicorn', 'sqlalchemy') if each in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50
    )
    assert ended.stdout.strip() == "[]"
