"""A database for each test: SQLite in a file, and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from tests.integration.databases import postgres_server
from twikit_pool.metrics.history.schema import metadata


@pytest.fixture(scope="session")
def postgres() -> Iterator[tuple[str, Any]]:
    """The URL of a database, and its server, if it is the tests' own."""
    with postgres_server() as found:
        yield found


@pytest.fixture
async def empty_postgres(postgres: tuple[str, Any]) -> tuple[str, Any]:
    """The same without the history's tables."""
    engine = create_async_engine(postgres[0])
    async with engine.begin() as connection:
        await connection.run_sync(metadata.drop_all)
        await connection.execute(sa.text("DROP TABLE IF EXISTS twikit_pool_history_version"))
    await engine.dispose()
    return postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return str(tmp_path / "history.db")
    return request.getfixturevalue("empty_postgres")[0]
