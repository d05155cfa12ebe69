"""A service over a sandbox, in a process of its own: to try `top` with one command."""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from twikit_pool.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

PROGRAM: Final = (sys.executable, "-c", "from twikit_pool.cli import main; main()")
PATIENCE: Final = 60.0
"""Seconds until it serves."""

FAREWELL: Final = 5.0
"""Seconds in which it may end, and take its files away."""


@asynccontextmanager
async def served_sandbox(accounts: int) -> AsyncGenerator[tuple[str, str]]:
    """The address and the token of a service over so many simulated accounts, which ends with this.

    Raises:
        ConfigError: it does not start; what it said follows.
    """
    process = await asyncio.create_subprocess_exec(
        *PROGRAM,
        *("serve", "--sandbox", str(accounts), "--port", "0"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us
    )
    assert process.stdout is not None  # noqa: S101 - they are pipes
    assert process.stderr is not None  # noqa: S101
    said: list[str] = []
    reading: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(PATIENCE):
            while (found := re.search(r"serves at (http://\S+?);", " ".join(said))) is None:
                line = await process.stderr.readline()
                if not line:
                    raise ConfigError(f"the sandbox does not start: {' '.join(said).strip()}")
                said.append(line.decode(errors="replace"))
            token = (await process.stdout.readline()).decode().strip()
        reading = asyncio.create_task(_read_away(process.stderr), name="sandbox: what it logs")
        yield found[1], token
    finally:
        await _end(process)
        if reading is not None:
            await reading


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(FAREWELL):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _read_away(stream: asyncio.StreamReader) -> None:
    """So that it never waits for somebody to read."""
    while await stream.read(65_536):
        pass
