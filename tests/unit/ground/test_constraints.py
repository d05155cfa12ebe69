"""What `make setup` installs can be had on every Python that we say is enough."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[3]
OLDEST = {"python_version": "3.11", "python_full_version": "3.11.0"}


def pinned() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_the_oldest_python_is_the_one_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest = SpecifierSet(project["requires-python"])
    assert oldest.contains(OLDEST["python_full_version"])
    assert not oldest.contains("3.10.99")


@pytest.mark.parametrize(
    "pin", [each for each in pinned() if each.marker is None or each.marker.evaluate(OLDEST)], ids=str
)
def test_a_pin_for_the_oldest_python_can_be_installed_there(pin: Requirement) -> None:
    try:
        found = metadata(pin.name)
    except PackageNotFoundError:
        pytest.skip("not installed here")
    if not pin.specifier.contains(found["Version"]):
        pytest.skip("another version is installed here")
    assert SpecifierSet(found["Requires-Python"] or "").contains(OLDEST["python_full_version"])
