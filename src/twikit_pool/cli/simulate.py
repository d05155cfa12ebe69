"""`twikit-pool simulate`: serve a local stand-in for X."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter
from rich.console import Console

from twikit_pool.errors import ConfigError
from twikit_pool.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twikit_pool.simulator import SimulatedAccount

HIGHEST_PORT: Final = 65535

LATENCY_SIGMA: Final = 0.5
"""Spread of the lognormal latency: one call in forty takes more than 2.7 times the median."""


async def simulate(
    *,
    accounts: Annotated[int, Parameter(help="How many accounts may log in.")] = 25,
    port: Annotated[int, Parameter(help="Where to listen on 127.0.0.1; 0 takes a free port.")] = 8765,
    seed: Annotated[int, Parameter(help="Decides tokens, people, posts and chance.")] = 1,
    time_scale: Annotated[float, Parameter(help="How many times faster than on X rate windows pass.")] = 1.0,
    limits: Annotated[bool, Parameter(help="Keep X's rate windows and its daily cap.")] = True,
    latency: Annotated[float, Parameter(help="Median seconds before a call is worked on.")] = 0.0,
    ct0_rotation: Annotated[int, Parameter(help="New csrf token after so many calls; 0: never.")] = 0,
    cookies_dir: Annotated[Path | None, Parameter(help="Write one cookie file per account here.")] = None,
) -> None:
    """Serve a local stand-in for X until Ctrl-C or SIGTERM.

    Raises:
        ConfigError: a setting is out of range, the port is taken, or the folder cannot be written.
    """
    if not 0 <= port <= HIGHEST_PORT:
        raise ConfigError(f"--port must be 0 to {HIGHEST_PORT}, not {port}")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    simulator = Simulator(
        accounts=accounts,
        port=port,
        seed=seed,
        time_scale=time_scale,
        limits=limits,
        latency=latency,
        latency_sigma=LATENCY_SIGMA,
        ct0_rotation=ct0_rotation,
    )
    if cookies_dir is not None:
        try:
            write_cookies(simulator.accounts, cookies_dir)
        except OSError as error:
            raise ConfigError(f"--cookies-dir {cookies_dir} cannot be written: {error.strerror}") from error
    try:
        async with simulator as x:
            _explain(x, cookies_dir)
            await stop.wait()
    except OSError as error:
        raise ConfigError(f"port {port} cannot be used: {error.strerror}; try --port 0") from error
    Console().print(f"Stopped after {len(x.calls)} calls and {len(x.writes)} writes.")


def write_cookies(accounts: Sequence[SimulatedAccount], folder: Path) -> None:
    """One file per account, named after it, that only its owner can read."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for account in accounts:
        path = folder / f"{account.id}.json"
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(account.cookies, file)


def _explain(x: Simulator, cookies_dir: Path | None) -> None:
    print_line = Console(highlight=False, soft_wrap=True).print
    print_line(f"A stand-in for X with {len(x.accounts)} accounts listens on [bold]{x.url}[/]")
    where = f"{cookies_dir}/" if cookies_dir else f"{x.url}/__simulator__/accounts"
    print_line(f'Connect: transport = SimulatorTransport("{x.url}")  # from twikit_pool.simulator')
    print_line(f"Log in:  client.set_cookies(...) with the cookies in {where}")
    print_line("Stop:    Ctrl-C")
