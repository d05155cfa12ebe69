"""`twikit-pool tokens`: made, listed, revoked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from twikit_pool.service.tokens import TokenBook

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.cli.conftest import Program


def test_a_token_is_made_shown_once_and_revoked(program: Program, home: Path) -> None:
    made = program("tokens", "create", "dashboard", "--scope", "operate", "--expires", "90d")
    assert made.returncode == 0
    plain = made.stdout.strip()
    token = TokenBook(home / "home" / "tokens.json").verify(plain)
    assert token is not None
    assert (token.name, token.scope) == ("dashboard", "operate")
    listed = program("tokens", "list")
    assert token.id in listed.stdout
    assert "dashboard" in listed.stdout
    shown = program("tokens", "list", "--json").stdout
    assert [each["id"] for each in json.loads(shown)] == [token.id]
    for output in (listed.stdout, shown, made.stderr):
        assert plain not in output
        assert token.digest not in output
    assert program("tokens", "revoke", token.id).returncode == 0
    assert "there are no tokens" in program("tokens", "list").stdout


def test_what_is_wrong_is_told(program: Program, home: Path) -> None:
    for arguments, says in (
        (("create", "x", "--scope", "everything"), "scope"),
        (("create", "x", "--expires", "soon"), "give minutes, hours or days"),
        (("create", ""), "needs a name"),
        (("revoke", "12345678"), "there is no token '12345678'"),
    ):
        ended = program("tokens", *arguments)
        assert ended.returncode == 2, arguments
        assert says in ended.stderr.lower()
        assert "Traceback" not in ended.stderr
    assert not (home / "home").exists()
