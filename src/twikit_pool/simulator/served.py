"""What `SimulatorProcess` starts: one line of settings in, the port out, then serve until stdin ends."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec

from twikit_pool.simulator.server import Simulator


async def _serve() -> None:
    start = msgspec.json.decode(sys.stdin.buffer.readline(), type=dict[str, Any])
    stop = asyncio.Event()
    # Whatever becomes of the parent, its end of the pipe closes with it.
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
    async with Simulator(port=start["port"], **start["settings"]) as x:
        print(x.port, flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_serve())
