"""The lines that are no jobs, in a file of their own."""

from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec

from twikit_pool.accounts.private_files import PRIVATE_FILE
from twikit_pool.errors import ResultsError

if TYPE_CHECKING:
    from pathlib import Path

    from twikit_pool.jobs.job import Rejected


class RejectsFile:
    """One line of JSON per rejected line of this run; there is no file when there are none.

    Each run reads all lines again, so it begins anew. For its owner alone (0600).

    Raises, in all its methods:
        ResultsError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._descriptor: int | None = None
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def add(self, rejected: Rejected) -> None:
        """Keep one."""
        try:
            if self._descriptor is None:
                self._descriptor = os.open(
                    self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, PRIVATE_FILE
                )
            os.write(self._descriptor, msgspec.json.encode(rejected) + b"\n")
        except OSError as error:
            raise self._unwritable(error) from None
        self.count += 1

    def _unwritable(self, error: OSError) -> ResultsError:
        return ResultsError(f"{self.path} cannot be written: {error.strerror}; free or name another place")
