"""`twikit-pool pools`: which pools a service has, and how large they may be."""

from __future__ import annotations

import asyncio
import sys
from typing import Any
from urllib.parse import quote

from rich.table import Table
from rich.text import Text

from twikit_pool.cli.courtesy import courteous
from twikit_pool.cli.remote import QUICK, AsJson, Url, asked, print_json


async def pools(*, url: Url = None, json: AsJson = False) -> int:
    """The pools: what each has, and how large it may be.

    Args:
        url: the service's address; http://127.0.0.1:8700 when not given.
        json: one JSON array with the status and the `config` of each, for programs.
    """
    async with asked(url) as remote:

        async def config_of(pool_id: str) -> Any:
            return await remote.wire.ask("GET", f"/v1/pools/{quote(pool_id, safe='')}/config", timeout=QUICK)

        every: list[dict[str, Any]] = await remote.wire.ask("GET", "/v1/pools", timeout=QUICK)
        configs = await asyncio.gather(*(config_of(each["pool_id"]) for each in every))
    shown: list[dict[str, Any]] = [each | {"config": told} for each, told in zip(every, configs, strict=True)]
    if json:
        print_json(shown)
        return 0
    table = Table("pool", "mode", "connections", "least", "most", "sized", "selection", "accounts", "ill")
    for each in shown:
        config = each["config"]
        table.add_row(
            Text(each["pool_id"]),
            Text(each["mode"], "green" if each["mode"] == "open" else "bold red"),
            str(each["total"]),
            str(config["min_connections"]),
            str(config["max_connections"]),
            "by itself" if config["enable_auto_scaling"] else "by hand",
            str(config["selection"]),
            str(each["accounts"]),
            str(each["quarantined"]),
        )
    courteous(sys.stdout).print(table)
    return 0
