"""Several processes, killed ones, and disks that refuse."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from twikit_pool.accounts import AccountStore, Keyring
from twikit_pool.accounts.keys import create_key_file, read_key_file
from twikit_pool.accounts.rotation import rotate_key_file
from twikit_pool.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from twikit_pool.accounts import Account

KEY = "k:" + "A" * 43 + "="

PROGRAM = """
import asyncio, os, resource, sys
from pathlib import Path
from twikit_pool.accounts import Account, AccountStore, Credentials, Keyring
from twikit_pool.accounts.keys import read_key_file
from twikit_pool.accounts.rotation import rotate_key_file
from twikit_pool.redaction import Cookies

def account(name):
    return Account(id=name, credentials=Credentials(cookies=Cookies(auth_token="t" * 200)))

async def rotate(path, key_file):
    for n in range(1_000_000):
        async with await AccountStore.open(path, keyring=read_key_file(key_file)) as store:
            print(n, flush=True)
            await rotate_key_file(store, key_file, drop_old=True)

async def main(path, name, what):
    if what == "unprivileged" and os.getuid() == 0:
        # nobody may not read root's Python: what is imported late is imported before
        await (await AccountStore.open("warm-up.db", keyring=Keyring.generate())).aclose()
        os.setuid(65534)
    if what == "rotate":
        return await rotate(Path(path), Path(name))
    async with await AccountStore.open(path, keyring=Keyring.parse(os.environ["KEY"])) as store:
        if what == "full":
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        for n in range(30 if what == "some" else 1_000_000):
            await store.add(account(f"{name}-{n}"))
            print(f"{name}-{n}", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals, users and limits")


def start(path: Path, name: str, what: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path), name, what],
        env={**os.environ, "KEY": KEY},
        cwd=path.parent.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def stored(path: Path) -> set[str]:
    async with await AccountStore.open(path, keyring=Keyring.parse(KEY)) as store:
        return {account.id for account in await store.accounts()}


async def test_processes_that_write_one_store_never_find_it_locked__twscrape_64_221(tmp_path: Path) -> None:
    path = tmp_path / "new" / "accounts.db"
    writers = [start(path, name, "some") for name in ("p", "q", "r", "s")]
    ended = [(writer.communicate(timeout=50)[1], writer.returncode) for writer in writers]
    assert ended == [("", 0)] * 4
    assert await stored(path) == {f"{name}-{n}" for name in ("p", "q", "r", "s") for n in range(30)}


@posix
@pytest.mark.parametrize("acknowledged", [1, 7, 40])
async def test_kill_9_loses_nothing_acknowledged(tmp_path: Path, acknowledged: int) -> None:
    path = tmp_path / "accounts.db"
    writer = start(path, "p", "endless")
    assert writer.stdout is not None
    told = [writer.stdout.readline().strip() for _ in range(acknowledged)]
    writer.send_signal(signal.SIGKILL)
    told += writer.communicate()[0].split()
    assert await stored(path) >= set(told)


@posix
@pytest.mark.parametrize("seed", range(5))
async def test_kill_9_during_a_rotation_leaves_a_store_that_opens(
    tmp_path: Path, seed: int, full_account: Callable[[str], Account]
) -> None:
    path, key_file = tmp_path / "accounts.db", tmp_path / "keys" / "k"
    expected = [full_account(f"a{n:03}") for n in range(300)]
    async with await AccountStore.open(path, keyring=create_key_file(key_file)) as store:
        await store.merge(expected)
    rotating = start(path, str(key_file), "rotate")
    assert rotating.stdout is not None
    rotating.stdout.readline()
    await asyncio.sleep(random.Random(seed).uniform(0, 0.05))
    rotating.send_signal(signal.SIGKILL)
    rotating.communicate()
    async with await AccountStore.open(path, keyring=read_key_file(key_file)) as store:
        assert await store.accounts() == expected
        await rotate_key_file(store, key_file, drop_old=True)
        assert await store.accounts() == expected
        assert len(await store.key_usage()) == 1


@posix
async def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "accounts.db"
    told, error = start(path, "p", "full").communicate(timeout=50)
    assert "StoreError" in error.splitlines()[-1]
    assert "space" in error.splitlines()[-1]
    assert await stored(path) >= set(told.split())


@posix
async def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    writer = start(folder / "accounts.db", "p", "unprivileged")
    error = writer.communicate(timeout=50)[1]
    assert "StoreError" in error.splitlines()[-1]
    assert "Permission denied" in error.splitlines()[-1]


@pytest.mark.parametrize("place", [0, 0.5, 0.9])
async def test_a_corrupted_file_is_told(
    tmp_path: Path, place: float, full_account: Callable[[str], Account]
) -> None:
    path = tmp_path / "accounts.db"
    async with await AccountStore.open(path, keyring=Keyring.parse(KEY)) as store:
        await store.merge(full_account(f"a{n}") for n in range(100))
    content = bytearray(path.read_bytes())
    start = int(place * len(content))
    content[start : start + 3000] = b"\xa5" * 3000
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"damaged|altered"):
        await stored(path)
