"""Files that only their owner may read, from their first byte on."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def make_private_folder(folder: Path) -> None:
    """Create the folder and its missing parents for their owner alone; leave those that exist as they are."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def open_to_others(path: Path) -> bool:
    """Whether anyone but the owner may read or write it. Always False where files have no such modes."""
    return os.name == "posix" and bool(path.stat().st_mode & _OTHERS)


def create_private(path: Path, content: bytes) -> None:
    """Write a new file, durably.

    Raises:
        FileExistsError: there is one already; it is untouched.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    _fill(descriptor, path, content)
    _sync_folder(path.parent)


def replace_private(path: Path, content: bytes) -> None:
    """Put the content in the file's place, all or nothing: a reader sees the old file or the new one.

    Raises:
        OSError: it cannot be written, or what is there is no ordinary file; nothing is left behind.
    """
    path = path.resolve()  # a symbolic link stays one; its target is replaced
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no ordinary file", str(path))
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".new")
    _fill(descriptor, Path(temporary), content)
    try:
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _fill(descriptor: int, path: Path, content: bytes) -> None:
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:  # a boundary: whatever stops the write, half a secret is not left lying about
        path.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    """Make the file's name durable too."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
