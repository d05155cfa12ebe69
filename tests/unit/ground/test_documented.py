"""What the pages list is what the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from twikit_pool import errors, events
from twikit_pool.config import ConnectionPoolConfig

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = "".join(page.read_text() for page in DOCS.glob("*.md"))
COMMON = {"type", "pool_id", "at", "account_id", "connection_id"}


def rows(page: str) -> list[list[str]]:
    """The cells of every table row of a page."""
    lines = (DOCS / page).read_text().splitlines()
    return [line.strip("|").split("|") for line in lines if line.startswith("|")]


def words(cell: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", cell))


def kinds() -> list[type[events.Event]]:
    """Every event that is published: those from which no other derives."""
    found = [
        each for each in vars(events).values() if isinstance(each, type) and issubclass(each, events.Event)
    ]
    bases = {base for each in found for base in each.__bases__}
    return [each for each in found if each not in bases]


def test_every_setting_has_its_line_and_its_words() -> None:
    settings = set(ConnectionPoolConfig.__struct_fields__)
    described = (ConnectionPoolConfig.__doc__ or "").partition("Raises:")[0]
    assert settings <= {word for row in rows("settings.md") for word in words(row[0])}
    assert settings == set(re.findall(r"^        (\w+): ", described, re.MULTILINE))


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.type)
def test_every_event_has_its_line(kind: type[events.Event]) -> None:
    [fields] = [row[1] for row in rows("operations.md") if kind.type in words(row[0])]
    assert set(kind.__dataclass_fields__) - COMMON <= words(fields)


def test_every_error_of_the_pool_has_its_line() -> None:
    for kind in errors.PoolError.__subclasses__():
        assert f"`{kind.__name__}`" in PAGES, kind


def test_every_page_and_every_example_is_told_of() -> None:
    readme = (ROOT / "README.md").read_text()
    assert {each.name for each in DOCS.glob("*.md")} <= set(re.findall(r"docs/([\w-]+\.md)", readme))
    told = set(re.findall(r"examples/(\w+\.py)", readme + PAGES))
    assert {each.name for each in (ROOT / "examples").glob("*.py")} <= told
