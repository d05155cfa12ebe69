"""X's own conformance vectors for twitter-text (Apache License 2.0), where somebody has put them.

They are not in this repository: https://github.com/twitter/twitter-text/tree/master/conformance
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "TWITTER_TEXT_CONFORMANCE"


def vectors(name: str) -> dict[str, list[dict[str, Any]]]:
    """The tests of one file by group; skips the test where there is none."""
    yaml = pytest.importorskip("yaml", reason="PyYAML reads the conformance vectors")
    folder = os.environ.get(VARIABLE)
    if not folder:
        pytest.skip(f"put twitter-text's conformance/*.yml into a folder, and its path into {VARIABLE}")
    path = Path(folder) / f"{name}.yml"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return yaml.safe_load(path.read_text("utf-8"))["tests"]
