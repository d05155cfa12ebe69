"""What is wrong with a command line is told in a sentence, with exit code 2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.cli.conftest import Program


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("actions", "like_twet"), "did you mean 'like_tweet'"),
        (("simulate", "--port", "99999"), "--port must be 0 to 65535, not 99999"),
        (("simulate", "--port", "-1"), "--port must be 0 to 65535, not -1"),
        (("accounts", "list", "--store", ""), "path is empty"),
        (("accounts", "list", "--store", "~nosuchuser/x"), "~nosuchuser/x names the home folder of nobody"),
        (("accounts", "check", "--simulator", "http://127.0.0.1:1"), "--simulator is for --live"),
    ],
)
def test_a_wrong_argument(program: Program, home: Path, arguments: tuple[str, ...], says: str) -> None:
    ended = program(*arguments)
    assert ended.returncode == 2
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(home.iterdir())


@pytest.mark.parametrize("name", ["TWIKIT_POOL_HOME", "TWIKIT_POOL_KEY_FILE"])
def test_a_home_folder_of_nobody(program: Program, name: str) -> None:
    ended = program("accounts", "list", environment={name: "~nosuchuser/x"})
    assert ended.returncode == 2
    assert "~nosuchuser/x names the home folder of nobody" in ended.stderr
