"""Tokens: made, verified, revoked, kept as hashes in a private file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from twikit_pool.errors import ConfigError
from twikit_pool.service.tokens import FRESH, Scope, TokenBook


class StoppedClock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)


def book(folder: Path, clock: StoppedClock | None = None) -> TokenBook:
    return TokenBook(folder / "kept" / "tokens.json", clock or StoppedClock())


def test_a_token_is_known_by_itself_alone(tmp_path: Path) -> None:
    tokens = book(tmp_path)
    token, plain = tokens.create("dashboard", Scope.OPERATE)
    assert tokens.verify(plain) == token
    assert plain.startswith(f"tp_{token.id}_")
    for other in (
        "",
        "tp",
        "tp__",
        plain[:-1],
        plain + "x",
        plain.replace("tp_", "xx_"),
        f"tp_{token.id}_",
        "é" * 50,
    ):
        assert tokens.verify(other) is None, other


def test_the_file_is_private_and_holds_no_token(tmp_path: Path) -> None:
    tokens = book(tmp_path)
    _, plain = tokens.create("dashboard", Scope.READ)
    file = tmp_path / "kept" / "tokens.json"
    assert plain not in file.read_text()
    assert plain.rpartition("_")[2] not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0
    assert "digest" not in repr(tokens.all())


def test_another_process_sees_what_changes_within_a_second(tmp_path: Path) -> None:
    clock = StoppedClock()
    ours, theirs = book(tmp_path, clock), book(tmp_path)
    assert ours.verify("tp_00000000_x") is None
    token, plain = theirs.create("bot", Scope.EXECUTE)
    clock.seconds += FRESH
    assert ours.verify(plain) == token
    theirs.revoke(token.id)
    clock.seconds += FRESH
    assert ours.verify(plain) is None
    with pytest.raises(ConfigError, match="there is no token"):
        theirs.revoke(token.id)


def test_a_token_ends_when_it_said(tmp_path: Path) -> None:
    clock = StoppedClock()
    tokens = book(tmp_path, clock)
    _, plain = tokens.create("guest", Scope.READ, expires_at=clock.now() + timedelta(seconds=60))
    assert tokens.verify(plain) is not None
    clock.seconds = 60
    assert tokens.verify(plain) is None
    assert len(tokens.all()) == 1, "it is shown as ended"


def test_each_scope_includes_those_before_it() -> None:
    assert [Scope.OPERATE.covers(each) for each in Scope] == [True, True, True, False]
    assert [each.covers(Scope.READ) for each in Scope] == [True] * 4


def test_a_file_that_is_no_good_is_said_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    file.write_text("{")
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="holds no tokens"):
        TokenBook(file).create("x", Scope.READ)
    assert file.read_text() == "{"
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="can be read by others: chmod 600"):
        TokenBook(file).all()
    with pytest.raises(ConfigError, match="needs a name"):
        book(tmp_path).create("  ", Scope.READ)
    file.unlink()
    file.mkdir()
    with pytest.raises(ConfigError, match=r"tokens\.json"):
        TokenBook(file).all()
