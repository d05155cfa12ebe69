"""A results file read by number: its lines in the order in which jobs ended, counted from 1.

Who has read up to a number goes on after it, while the file grows, and nobody keeps it open.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

STRIDE: Final = 256
"""Lines between two whose place in the file is remembered: 8 bytes each, whatever the lines hold."""

MOST_BYTES: Final = 1_000_000
"""Of what is read at once, but for its last line."""


class ResultLines:
    """The lines of a results file, which another may be writing.

    Args:
        path: the file; while there is none, it has no lines.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self.marks: Final = array("Q", [0])
        """Where each line begins that has a multiple of `STRIDE` before it, as far as anybody has read."""

    def after(self, number: int) -> ResultReader:
        """Reads those that come after this number; 0 for all."""
        return ResultReader(self, number)


class ResultReader:
    """Reads on from a number.

    Attributes:
        number: of the last line that was read.
    """

    __slots__ = ("_at", "_lines", "_place", "number")

    def __init__(self, lines: ResultLines, number: int) -> None:
        self.number = number
        self._lines = lines
        mark = min(number // STRIDE, len(lines.marks) - 1)
        self._at = mark * STRIDE
        """How many lines come before `_place`."""
        self._place = lines.marks[mark]

    def read(self, limit: int, most_bytes: int = MOST_BYTES) -> list[bytes]:
        """The next lines, each with its number as its first field; none when there are no more by now.

        Args:
            limit: lines at most.
            most_bytes: after which none is added.

        Raises:
            OSError: the file cannot be read.
        """
        found: list[bytes] = []
        size, marks = 0, self._lines.marks
        try:
            file = self._lines.path.open("rb")
        except FileNotFoundError:
            return found
        with file:
            file.seek(self._place)
            for line in file:
                if not line.endswith(b"\n"):  # it is being written
                    break
                self._at += 1
                self._place += len(line)
                if self._at == len(marks) * STRIDE:
                    marks.append(self._place)
                if self._at <= self.number:
                    continue
                self.number = self._at
                found.append(b'{"number":%d,%b' % (self._at, line[1:-1]))
                size += len(line)
                if len(found) >= limit or size >= most_bytes:
                    break
        return found
