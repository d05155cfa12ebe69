"""Builds the dashboard into the wheel and the sdist, so that who installs them needs no Node."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PAGE = "src/twikit_pool/service/page/index.html"


class PageBuild(BuildHookInterface[Any]):
    """Runs before anything is packed."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - as hatchling has it
        """Build the page, where it is to be packed and can be built.

        Raises:
            SystemExit: it can not, and was not built before.
        """
        root = Path(self.root)
        built = (root / PAGE).exists()
        # An editable install serves what `make page` has built; an sdist brings the page along.
        if version == "editable" or (built and (root / "PKG-INFO").exists()):
            return
        npm = shutil.which("npm")
        if npm is not None:
            for step in (["ci"], ["run", "build"]):
                subprocess.run([npm, *step, "--silent"], cwd=root / "web", check=True)  # noqa: S603 - our own
        elif not built:
            raise SystemExit(
                "the dashboard is not built, and npm is not there to build it: install Node 20.19 or later, "
                f"or put a page that was built elsewhere (`make page`) into {Path(PAGE).parent}"
            )
