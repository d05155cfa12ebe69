"""Output that is a courtesy: losing it must not stop the work it tells of."""

from __future__ import annotations

import os
from typing import IO, TextIO

from rich.console import Console


class Courtesy:
    """A text stream that falls silent when nobody reads it any more, or its disk is full."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = stream.encoding
        self.errors = stream.errors

    def write(self, text: str) -> int:
        """Write, or lose it."""
        try:
            return self._stream.write(text)
        except OSError:
            self.fall_silent()
            return len(text)

    def flush(self) -> None:
        """Flush, or lose it."""
        try:
            self._stream.flush()
        except OSError:
            self.fall_silent()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The stream's descriptor."""
        return self._stream.fileno()

    def fall_silent(self) -> None:
        """Write nothing any more."""
        # What is still buffered would fail again at exit, and change the exit code.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


def courteous(stream: TextIO | None, *, stderr: bool = False) -> Console:
    """A console on this stream that never fails; silent from the start when the stream is closed."""
    if stream is None:
        return Console(quiet=True, stderr=stderr)
    file: IO[str] = Courtesy(stream)  # type: ignore[assignment] - all that rich uses of a stream
    return Console(file=file, stderr=stderr)
