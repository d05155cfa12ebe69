from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from twikit_pool.accounts import AccountState, CookieFolder, Standing
from twikit_pool.accounts.cookie_files import MAX_COOKIE_FILE
from twikit_pool.accounts.cookie_folder import LEDGERS
from twikit_pool.errors import AccountNotFound, InvalidAccount, StoreError
from twikit_pool.redaction import Cookies

if TYPE_CHECKING:
    from pathlib import Path

    from twikit_pool.accounts import Account

NETSCAPE = ".x.com\tTRUE\t/\tTRUE\t0\tauth_token\tcanary-b\n.other.org\tTRUE\t/\tTRUE\t0\tsid\tkept\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.json").write_text('{"auth_token": "canary-a", "ct0": "canary"}')
    (tmp_path / "b.txt").write_text(NETSCAPE)
    (tmp_path / "readme.md").write_text("not a cookie file")
    return tmp_path


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_file_is_an_account(folder: Path) -> None:
    assert [account.id for account in await CookieFolder(folder).accounts()] == ["a", "b"]
    assert [account.id for account in await CookieFolder(str(folder / "*.json")).accounts()] == ["a"]


async def test_rotated_cookies_go_back_into_their_file(folder: Path) -> None:
    source = CookieFolder(folder)
    await source.save_cookies("a", Cookies(auth_token="n", ct0="m"))
    await source.save_cookies("b", Cookies(auth_token="n", ct0="m"))
    assert json.loads((folder / "a.json").read_text()) == {"auth_token": "n", "ct0": "m"}
    assert "kept" in (folder / "b.txt").read_text()
    again = CookieFolder(folder)
    for account_id in ("a", "b"):
        assert (await again.account(account_id)).credentials.cookies == {"auth_token": "n", "ct0": "m"}
        assert (await source.account(account_id)).credentials.cookies == {"auth_token": "n", "ct0": "m"}
    assert names_in(folder) == ["a.json", "b.txt", "readme.md"]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
async def test_a_written_file_is_private(folder: Path) -> None:
    await CookieFolder(folder).save_cookies("a", Cookies(auth_token="n"))
    assert (folder / "a.json").stat().st_mode & 0o777 == 0o600


async def test_standing_is_kept_in_memory(folder: Path) -> None:
    source = CookieFolder(folder)
    await source.set_standing("a", Standing(state=AccountState.SUSPENDED))
    assert (await source.account("a")).standing.state is AccountState.SUSPENDED
    assert (await CookieFolder(folder).account("a")).standing.state is AccountState.ACTIVE


async def test_bad_files_are_named_or_skipped(folder: Path) -> None:
    (folder / "bad.json").write_text('{"auth_token": "canary"')
    (folder / "b.json").write_text('{"auth_token": "canary"}')
    (folder / "no login.json").write_text('{"auth_token": "canary"}')
    (folder / "huge.json").write_bytes(b" " * (MAX_COOKIE_FILE + 1))
    (folder / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidAccount) as caught:
        CookieFolder(folder)
    source = CookieFolder(folder, skip_bad=True)
    bad = {problem.path.name for problem in source.problems}
    assert bad == {"bad.json", "b.txt", "no login.json", "huge.json", "binary.json"}
    assert all(name in str(caught.value) for name in bad)
    assert "mend them or move them away" in str(caught.value)
    assert "canary" not in str(caught.value) + repr(source.problems) + repr(await source.accounts())
    assert [account.id for account in await source.accounts()] == ["a", "b"]


async def test_nothing_there_and_nobody_there(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidAccount, match="no cookie file in"):
        CookieFolder(tmp_path / "nowhere")
    with pytest.raises(AccountNotFound, match="'nobody'"):
        await CookieFolder(folder).save_cookies("nobody", Cookies(auth_token="n"))


async def test_a_write_that_fails_keeps_the_old_cookies(folder: Path) -> None:
    source = CookieFolder(folder)
    (folder / "a.json").unlink()
    (folder / "a.json").mkdir()
    with pytest.raises((StoreError, InvalidAccount)):
        await source.save_cookies("a", Cookies(auth_token="n"))
    assert (await source.account("a")).credentials.cookies["auth_token"] == "canary-a"


async def test_many_writers_of_one_file_leave_one_whole_file(folder: Path) -> None:
    source = CookieFolder(folder)
    await asyncio.gather(*(source.save_cookies("a", Cookies(auth_token=f"t{n}")) for n in range(50)))
    assert json.loads((folder / "a.json").read_text())["auth_token"].startswith("t")
    assert names_in(folder) == ["a.json", "b.txt", "readme.md"]


def test_memory_and_folder_need_no_database() -> None:
    code = (
        "import sys; from twikit_pool.accounts import MemoryAccounts, CookieFolder; "
        "sys.exit('sqlalchemy' in sys.modules or 'cryptography' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_an_illness_found_while_cookies_are_saved_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bob.json").write_text('{"auth_token": "a", "ct0": "b"}')
    folder = CookieFolder(tmp_path)
    write = folder._write

    def slowly(path: Path, cookies: Cookies) -> None:
        time.sleep(0.05)
        write(path, cookies)

    monkeypatch.setattr(folder, "_write", slowly)
    saving = asyncio.create_task(folder.save_cookies("bob", Cookies(auth_token="a", ct0="new")))
    await asyncio.sleep(0.01)
    await folder.set_standing("bob", Standing(state=AccountState.LOCKED))
    await saving
    account = await folder.account("bob")
    assert (account.standing.state, account.credentials.cookies["ct0"]) == (AccountState.LOCKED, "new")


def token(account: Account) -> str:
    return account.credentials.cookies["auth_token"]


async def test_a_file_that_has_changed_is_read_again(folder: Path) -> None:
    source = CookieFolder(folder)
    await source.set_standing("a", Standing(state=AccountState.STALE))
    before = await source.revision()
    assert await source.revision() == before
    (folder / "a.json").write_text('{"auth_token": "fresh"}')
    (folder / "c.json").write_text('{"auth_token": "canary-c"}')
    (folder / "b.txt").unlink()
    assert await source.revision() != before
    assert token(await source.account("a")) == "fresh"
    found = await source.accounts()
    assert [each.id for each in found] == ["a", "c"]
    assert found[0].standing.state is AccountState.STALE, "what X said is not in the file"
    with pytest.raises(AccountNotFound):
        await source.account("b")


async def test_a_file_that_cannot_be_read_any_more_keeps_its_account(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = CookieFolder(folder)
    (folder / "a.json").write_text('{"auth_token": "half')
    for _ in range(3):
        assert [token(each) for each in await source.accounts()] == ["canary-a", "canary-b"]
        assert token(await source.account("a")) == "canary-a"
    assert [each.path.name for each in source.problems] == ["a.json"]
    assert len(caplog.records) == 1
    assert "half" not in caplog.text
    (folder / "a.json").write_text('{"auth_token": "whole"}')
    assert token((await source.accounts())[0]) == "whole"
    assert source.problems == ()


async def test_a_folder_that_is_empty_for_a_moment_loses_nobody(folder: Path) -> None:
    source = CookieFolder(folder / "*.json")
    (folder / "a.json").rename(folder / "away")
    with pytest.raises(InvalidAccount, match="no cookie file"):
        await source.accounts()
    assert token(await source.account("a")) == "canary-a"


async def test_ledgers_are_kept_in_one_private_file(folder: Path) -> None:
    source, other = CookieFolder(folder / "*.json"), CookieFolder(folder / "*.txt")
    assert await source.ledgers() == {}
    await source.save_ledgers({"a": b'{"saved_at":1.0}'})
    await other.save_ledgers({"b": b'{"saved_at":2.0}'})
    await source.save_ledgers({"a": b'{"saved_at":3.0}'})
    kept = {"a": b'{"saved_at":3.0}', "b": b'{"saved_at":2.0}'}
    assert await CookieFolder(folder).ledgers() == kept
    assert [each.id for each in await CookieFolder(folder).accounts()] == ["a", "b"], "it is no cookie file"
    if os.name == "posix":
        assert (folder / LEDGERS).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": }', b"\xff\xfe"])
async def test_a_damaged_ledger_file_is_a_warning_and_is_replaced(
    folder: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / LEDGERS).write_bytes(content)
    source = CookieFolder(folder)
    assert await source.ledgers() == {}
    assert "learned anew" in caplog.text
    await source.save_ledgers({"a": b"{}"})
    assert await source.ledgers() == {"a": b"{}"}


async def test_what_is_no_ledger_file_is_left_alone(folder: Path) -> None:
    (folder / LEDGERS).mkdir()
    source = CookieFolder(folder)
    assert await source.ledgers() == {}
    with pytest.raises(StoreError, match="rate windows cannot be saved"):
        await source.save_ledgers({"a": b"{}"})
