"""`twikit-pool config`: checked, shown, written."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING

import msgspec
import pytest

from twikit_pool.config import ConnectionPoolConfig
from twikit_pool.service.settings import SECTIONS, ServiceSettings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.cli.conftest import Program


def test_what_init_writes_is_right_and_says_every_setting(program: Program, home: Path) -> None:
    assert program("config", "init").returncode == 0
    file = home / "twikit-pool.toml"
    assert load_settings(file=file, environ={}).settings == ServiceSettings()
    file.write_text(re.sub(r"^#(\w+ = )", r"\1", file.read_text(), flags=re.MULTILINE))
    settings = load_settings(file=file, environ={}).settings
    assert settings.service == ServiceSettings().service, "what is commented out are the defaults"
    assert msgspec.to_builtins(settings.pools["default"].config) == msgspec.to_builtins(
        ConnectionPoolConfig()
    )
    names = set(re.findall(r"^(\w+) = ", file.read_text(), flags=re.MULTILINE))
    every = {name for kind in SECTIONS.values() for name in kind.__struct_fields__}
    assert every | set(ConnectionPoolConfig.__struct_fields__) <= names
    again = program("config", "init")
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert program("config", "init", "--force").returncode == 0


def test_settings_are_shown_with_their_origins(program: Program, home: Path) -> None:
    (home / "twikit-pool.toml").write_text('[accounts]\nstore = "postgresql://me:canary@host/db"\n')
    environment = {"TWIKIT_POOL__SERVICE__PORT": "9000"}
    shown = program("config", "show", "--origin", environment=environment)
    assert "port = 9000  # environment TWIKIT_POOL__SERVICE__PORT" in shown.stdout
    assert 'store = "postgresql://me:•••@host/db"' in shown.stdout
    assert "canary" not in shown.stdout
    plain = json.loads(program("config", "show", "--json", environment=environment).stdout)
    assert plain["settings"]["service"]["port"] == 9000
    assert plain["settings"]["pools"]["default"]["max_connections"] == 100
    assert plain["origins"]["service.port"] == "environment TWIKIT_POOL__SERVICE__PORT"


def test_what_is_wrong_ends_with_2(program: Program, home: Path) -> None:
    assert "would serve http://127.0.0.1:8700, for this machine only" in program("config", "check").stdout
    (home / "bad.toml").write_text("[service]\nprt = 1\n")
    ended = program("config", "check", "--config", "bad.toml")
    assert ended.returncode == 2
    assert "did you mean service.port?" in ended.stderr
    (home / "worse.toml").write_text("[service]\nport = 70000\n[pools.default]\nmax_conections = 1\nmin_\n")
    ended = program("config", "check", "--config", "worse.toml")
    assert ended.returncode == 2
    assert "worse.toml is broken: Expected '=' after a key in a key/value pair (at line 5" in ended.stderr
    (home / "worse.toml").write_text("[service]\nport = 70000\n[pools.default]\nmax_conections = 1\n")
    for command in ("check", "show"):
        ended = program("config", command, "--config", "worse.toml")
        assert ended.returncode == 2
        assert "2 things are wrong:" in ended.stderr
        assert (
            "service.port must be a whole number from 0 to 65535, not 70000 (file worse.toml)" in ended.stderr
        )
        assert "did you mean pools.default.max_connections?" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert not ended.stdout
    ended = program("config", "check", "--config", "missing.toml")
    assert ended.returncode == 2
    assert "there is no file missing.toml: `twikit-pool config init missing.toml` writes one" in ended.stderr


def test_check_says_what_would_be_served(program: Program, home: Path) -> None:
    (home / "twikit-pool.toml").write_text(
        """
        [service]
        host = "::1"
        tokens = "t.json"
        [automation]
        most_connections = 60
        [pools.brand]
        accept_tags = ["uk", "news"]
        max_connections = 40
        [pools.research]
        shared = true
        """
    )
    said = program("config", "check").stdout.splitlines()
    assert said == [
        "ok: twikit-pool.toml",
        "would serve http://[::1]:8700, for this machine only",
        f"accounts: the store {home / 'home' / 'accounts.db'}",
        "pool brand: accounts tagged uk or news, 10 to 40 connections",
        "pool research: all accounts, shared, 10 to 100 connections",
        "all pools together: 60 connections at most",
        "alerts: 14 rules, told to 0 destinations besides the log and the dashboard",
        "tokens: t.json",
        f"posts are remembered in: {home / 'home' / 'safety.db'}",
        f"audit log: {home / 'home' / 'audit.log'}",
        f"history: {home / 'home' / 'history.db'}, hours for 12 weeks",
    ]


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"TWIKIT_POOL__ACCOUNTS__SANDBOX": "5"}, "accounts: 5 of a sandbox"),
        ({"TWIKIT_POOL__ACCOUNTS__COOKIES": "c/*.json"}, "accounts: the cookie files in c/*.json"),
        ({"TWIKIT_POOL__ACCOUNTS__SIMULATOR": "http://127.0.0.1:1"}, "simulator at http://127.0.0.1:1"),
        (
            {"TWIKIT_POOL_STORE": "postgresql+psycopg://me:canary@h/d"},
            "the store postgresql+psycopg://me:•••@h/d",
        ),
    ],
)
def test_check_says_which_accounts(program: Program, environment: dict[str, str], says: str) -> None:
    assert says in program("config", "check", environment=environment).stdout


def test_what_is_shown_can_be_loaded_and_is_the_same(program: Program, home: Path) -> None:
    environment = {
        "TWIKIT_POOL__SERVICE__ORIGINS": '["https://a.example"]',
        "TWIKIT_POOL__SERVICE__AUDIT": '"/a \\" \\\\ \\u007f"',
        "TWIKIT_POOL__AUTOMATION__MOST_CONNECTIONS": "50",
        "TWIKIT_POOL__AUTOMATION__GUARANTEES": "{ two_words = 20 }",
        "TWIKIT_POOL__AUTOMATION__PRIORITIES": '{ two_words = "CRITICAL" }',
        "TWIKIT_POOL__POOLS__TWO_WORDS__MAX_LIFETIME": "none",
        "TWIKIT_POOL__POOLS__TWO_WORDS__SCALING_LATE_SHARE": "1e-6",
    }
    for arguments in ((), ("--origin",)):
        shown = program("config", "show", *arguments, environment=environment).stdout
        tomllib.loads(shown)
        file = home / "shown.toml"
        file.write_text(shown)
        again = load_settings(file=file, environ={}, cwd=home).settings
        assert again == load_settings(environ=environment, cwd=home).settings
    assert (
        'priorities = { two_words = "CRITICAL" }  # environment TWIKIT_POOL__AUTOMATION__PRIORITIES' in shown
    )


@pytest.mark.parametrize("arguments", [(), ("--force",)])
def test_a_file_that_cannot_be_written(program: Program, home: Path, arguments: tuple[str, ...]) -> None:
    (home / "folder").mkdir()
    for file in ("nowhere/x.toml", "folder", "~nosuchuser/x"):
        ended = program("config", "init", file, *arguments)
        assert ended.returncode == 2
        assert file in ended.stderr
        assert "Traceback" not in ended.stderr
    assert list(home.iterdir()) == [home / "folder"]
    assert not list((home / "folder").iterdir())


def test_only_its_owner_may_read_what_init_writes(program: Program, home: Path) -> None:
    written = program("config", "init", "mine.toml")
    assert written.stdout == "wrote mine.toml: every setting is in it, as it is by default\n"
    assert (home / "mine.toml").stat().st_mode & 0o077 == 0
