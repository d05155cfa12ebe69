"""Another language: Node's own fetch leases a connection, acts, and gives it back."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.integration.service.served import served
from twikit_pool.service.tokens import Scope

NODE = shutil.which("node")
PROGRAM = Path(__file__).with_name("client.mjs")


@pytest.mark.skipif(NODE is None, reason="node is not installed")
async def test_node_leases_acts_and_gives_back(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon:
        environment = {**os.environ, "URL": daemon.url, "TOKEN": daemon.tokens[Scope.EXECUTE]}
        program = await asyncio.create_subprocess_exec(
            str(NODE),
            str(PROGRAM),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await program.communicate()
        assert program.returncode == 0, err.decode()
        told = json.loads(out)
        assert told["handle"] == "sim_001"
        assert told["posted"] == ["From Node, one", True, "From Node, two", True]
        assert told["refused"].startswith("the lease is over")
        assert 29 < told["expires_in"] <= 30
        assert [(write.account, write.key) for write in daemon.x.writes] == [
            (told["account"], "From Node, one"),
            (told["account"], "From Node, two"),
        ]
        assert daemon.service.pool("default").status().active == 0
