from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Program = Callable[..., "subprocess.CompletedProcess[str]"]
MAIN = (sys.executable, "-c", "from twikit_pool.cli import main; main()")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and an environment in which everything is kept in it."""
    monkeypatch.setenv("TWIKIT_POOL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TWIKIT_POOL_KEY_FILE", str(tmp_path / "keys" / "k"))
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("TWIKIT_POOL_STORE", "TWIKIT_POOL_KEY", "PYTHONUNBUFFERED"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def program(home: Path) -> Program:
    """Runs `twikit-pool` to its end, its streams redirected as a shell does it."""

    def run(
        *arguments: str | bytes,
        redirected: str = "",
        stderr: int = subprocess.PIPE,
        environment: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", f'exec "$@" {redirected}', "sh", *MAIN, *arguments],
            cwd=home,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            errors="replace",
            timeout=50,
            check=False,
        )

    return run
