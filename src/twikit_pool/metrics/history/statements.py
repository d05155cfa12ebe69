"""Statements that write, each built once, which takes longer than carrying it out; and how rows are found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from twikit_pool.metrics.history.schema import pools, writers


def _insert(dialect: str, table: sa.Table) -> Any:
    return (sqlite if dialect == "sqlite" else postgresql).insert(table)


@cache
def _upsert(dialect: str, table: sa.Table) -> Any:
    insert = _insert(dialect, table)
    keys = [each.name for each in table.primary_key]
    others = {each.name: insert.excluded[each.name] for each in table.c if each.name not in keys}
    return insert.on_conflict_do_update(index_elements=keys, set_=others)


def upsert(connection: AsyncConnection, table: sa.Table) -> Any:
    """An insertion that takes the place of what has the same key."""
    return _upsert(connection.dialect.name, table)


@cache
def _claim(dialect: str) -> Any:
    insert = _insert(dialect, writers)
    claim = insert.on_conflict_do_update(
        index_elements=["writer"],
        set_={"number": insert.excluded.number, "at": insert.excluded.at},
        where=writers.c.number < insert.excluded.number,
    )
    return claim.returning(writers.c.writer)


def claim(connection: AsyncConnection) -> Any:
    """Enters a writer's batch, and returns the writer, unless it is entered already."""
    return _claim(connection.dialect.name)


@cache
def _number(dialect: str, *, days_known: bool) -> Any:
    insert = _insert(dialect, pools)
    days = insert.excluded.days if days_known else pools.c.days
    return insert.on_conflict_do_update(index_elements=["name"], set_={"days": days}).returning(pools.c.id)


def number(connection: AsyncConnection, *, days_known: bool) -> Any:
    """Enters a pool, and returns its number; its days are changed only where they are known."""
    return _number(connection.dialect.name, days_known=days_known)


def having(columns: Sequence[sa.Column[Any]], keys: Sequence[Sequence[Any]]) -> sa.ColumnElement[bool]:
    """Which rows have these keys. Not `(a, b) IN (...)`, for which SQLite reads the whole table.

    Keys that differ in their last part alone are one search.
    """
    *begin, last = columns
    found: defaultdict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for *first, end in keys:
        found[tuple(first)].append(end)
    return sa.or_(
        *(
            sa.and_(*(column == value for column, value in zip(begin, first, strict=True)), last.in_(ends))
            for first, ends in found.items()
        )
    )
