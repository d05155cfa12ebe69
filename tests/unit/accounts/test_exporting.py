from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from twikit_pool.accounts import CookieFolder
from twikit_pool.accounts.exporting import write_cookie_files, write_json_lines
from twikit_pool.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from twikit_pool.accounts import Account


def test_secrets_only_on_request(tmp_path: Path, full_account: Callable[[str], Account]) -> None:
    write_json_lines(tmp_path / "public", [full_account("a")])
    write_json_lines(tmp_path / "whole", [full_account("a")], include_secrets=True)
    assert "canary" not in (tmp_path / "public").read_text()
    assert json.loads((tmp_path / "whole").read_text())["password"] == "canary-password"


async def test_cookie_files_are_a_source_again(
    tmp_path: Path, full_account: Callable[[str], Account]
) -> None:
    write_cookie_files(tmp_path / "out", [full_account("a"), full_account("b")])
    accounts = await CookieFolder(tmp_path / "out").accounts()
    assert [account.credentials.cookies for account in accounts] == [
        full_account("a").credentials.cookies
    ] * 2


def test_nothing_is_overwritten_unasked(tmp_path: Path, full_account: Callable[[str], Account]) -> None:
    (tmp_path / "b.json").write_text("mine")
    with pytest.raises(ConfigError, match="--force"):
        write_cookie_files(tmp_path, [full_account("a"), full_account("b")])
    with pytest.raises(ConfigError, match="--force"):
        write_json_lines(tmp_path / "b.json", [full_account("a")])
    assert [path.name for path in tmp_path.iterdir()] == ["b.json"]
    assert (tmp_path / "b.json").read_text() == "mine"
    write_json_lines(tmp_path / "b.json", [full_account("a")], overwrite=True)
    assert (tmp_path / "b.json").read_text() != "mine"


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_files_are_private_also_in_place_of_open_ones(
    tmp_path: Path, full_account: Callable[[str], Account]
) -> None:
    (tmp_path / "open").write_text("")
    (tmp_path / "open").chmod(0o644)
    write_json_lines(tmp_path / "open", [full_account("a")], overwrite=True)
    write_json_lines(tmp_path / "new", [full_account("a")])
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600, 0o600]


def test_a_folder_that_cannot_be_made_is_explained(
    tmp_path: Path, full_account: Callable[[str], Account]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written: "):
        write_cookie_files(tmp_path / "file" / "x", [full_account("a")])
