from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from twikit_pool.accounts.private_files import replace_private


def test_the_content_is_replaced_and_private(tmp_path: Path) -> None:
    path = tmp_path / "k"
    path.write_bytes(b"old")
    path.chmod(0o644)
    replace_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_ordinary_file_is_refused(tmp_path: Path, make: object) -> None:
    path = tmp_path / "k"
    make(path)  # type: ignore[operator] - both take a path
    before = path.stat().st_mode
    with pytest.raises(OSError, match="no ordinary file"):
        replace_private(path, b"new")
    assert path.stat().st_mode == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_replacement_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "k"
    path.write_bytes(b"old")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "not yours")

    monkeypatch.setattr(Path, "replace", refuse)  # no file system refuses this to every user
    with pytest.raises(PermissionError):
        replace_private(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
