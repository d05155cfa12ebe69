from __future__ import annotations

import base64
import logging
import os
import pickle
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twikit_pool.accounts import Keyring
from twikit_pool.accounts.keys import create_key_file, read_key_file, write_key_file
from twikit_pool.errors import KeyMissing, StoreError, TwikitPoolError, WrongKey

if TYPE_CHECKING:
    from pathlib import Path

KEYS = Keyring.generate()
A = base64.b64encode(b"a" * 32).decode()
B = base64.b64encode(b"b" * 32).decode()
posix = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")


@given(plaintext=st.text(), account_id=st.text(max_size=64), field=st.text(max_size=16))
def test_what_is_sealed_opens(plaintext: str, account_id: str, field: str) -> None:
    assert KEYS.open(KEYS.seal(plaintext, account_id, field), account_id, field) == plaintext


def test_the_same_text_is_never_sealed_alike() -> None:
    assert len({KEYS.seal("same", "a", "cookies") for _ in range(100)}) == 100


def test_another_account_or_field_does_not_open() -> None:
    sealed = KEYS.seal("canary", "a", "cookies")
    for account_id, field in (("b", "cookies"), ("a", "password")):
        with pytest.raises(StoreError, match="altered or moved") as caught:
            KEYS.open(sealed, account_id, field)
        assert "canary" not in str(caught.value)


def test_every_flipped_bit_and_every_cut_is_noticed() -> None:
    sealed = KEYS.seal("canary", "a", "cookies")
    altered = [sealed[:end] for end in range(len(sealed))]
    for place in range(len(sealed)):
        for bit in range(8):
            flipped = bytearray(sealed)
            flipped[place] ^= 1 << bit
            altered.append(bytes(flipped))
    for wrong in altered:
        with pytest.raises(StoreError):
            KEYS.open(wrong, "a", "cookies")


def test_an_old_key_opens_and_the_new_one_seals() -> None:
    sealed = KEYS.seal("x", "a", "cookies")
    newer = KEYS.with_new_key()
    assert newer.ids[1:] == KEYS.ids
    assert newer.open(sealed, "a", "cookies") == "x"
    with pytest.raises(WrongKey, match=KEYS.current):
        newer.only_current().open(sealed, "a", "cookies")
    with pytest.raises(WrongKey, match=newer.current):
        KEYS.open(newer.seal("x", "a", "cookies"), "a", "cookies")


def test_parses_what_it_renders_and_what_people_write() -> None:
    assert Keyring.parse(KEYS.with_new_key().render()).ids[1:] == KEYS.ids
    assert Keyring.parse(f"new:{A}, old:{B}").ids == ("new", "old")
    assert Keyring.parse(A).ids == Keyring.parse(f"# comment\n{A}\n").ids


@pytest.mark.parametrize(
    "text", ["", "# nothing", "short", f"bad id:{A}", f"x:{A},x:{B}", f"{A[:-4]}", f"{A}{A}", "canary!"]
)
def test_malformed_keys_are_refused_and_not_shown(text: str) -> None:
    with pytest.raises(KeyMissing) as caught:
        Keyring.parse(text)
    assert A not in str(caught.value)
    assert "canary" not in str(caught.value)


def test_shows_ids_only_and_does_not_travel() -> None:
    assert repr(Keyring.parse(f"mine:{A}")) == "Keyring(mine)"
    with pytest.raises(TypeError):
        pickle.dumps(KEYS)


def test_environment_before_file(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "k"
    with pytest.raises(KeyMissing, match="TWIKIT_POOL_KEY is not set"):
        Keyring.load({"TWIKIT_POOL_KEY_FILE": str(path)})
    made = create_key_file(path)
    assert Keyring.load({"TWIKIT_POOL_KEY_FILE": str(path)}).ids == made.ids
    assert Keyring.load({"TWIKIT_POOL_KEY_FILE": str(path), "TWIKIT_POOL_KEY": f"e:{A}"}).ids == ("e",)
    assert create_key_file(path).ids == made.ids, "a second creator takes the first one's key"


@posix
def test_key_files_are_private_and_loose_ones_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "k"
    create_key_file(path)
    write_key_file(path, read_key_file(path).with_new_key())
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.chmod(0o640)
    with pytest.raises(KeyMissing, match="chmod 600"):
        read_key_file(path)


def test_unreadable_key_files_are_explained(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "binary").chmod(0o600)
    (tmp_path / "folder").mkdir(mode=0o700)
    for name in ("binary", "folder"):
        with pytest.raises(KeyMissing, match="cannot be read"):
            read_key_file(tmp_path / name)
    with pytest.raises(TwikitPoolError, match="cannot be made"):
        create_key_file(tmp_path / "binary" / "k")
    with pytest.raises(TwikitPoolError, match="cannot be written"):
        write_key_file(tmp_path / "nowhere" / "k", KEYS)
