"""The dashboard: files that `make page` or the wheel's build has put beside this module, served from memory.

They hold no data, so they are open to all; what they show comes from the API, with its scopes. Their names
carry a hash of what is in them, so a browser keeps them for good and asks for `index.html` alone.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from litestar import Request, Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

PAGE: Final = Path(__file__).with_name("page")
"""Where the built page is."""

FOR_GOOD: Final = "public, max-age=31536000, immutable"

Asking: TypeAlias = Request[Any, Any, Any]

KINDS: Final = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
"""Media types of the files that a page is made of. No other file is served."""

MISSING: Final = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>twikit-pool</title>
<h1>twikit-pool serves</h1>
<p>The dashboard is not built here. In a checkout of the source, <code>make page</code> builds it (it needs
Node 20.19 or later); the wheel has it: <code>pip install 'twikit-pool[server]'</code>.</p>
<p>The API is described at <a href="v1/openapi/openapi.json">v1/openapi/openapi.json</a>.</p>
</html>
"""


@dataclass(frozen=True, slots=True)
class File:
    """One file of the page, as it is and as it is sent to who takes gzip."""

    content: bytes
    squeezed: bytes
    media_type: str

    @classmethod
    def of(cls, content: bytes, media_type: str) -> File:
        """The file with this in it."""
        return cls(content, gzip.compress(content, mtime=0), media_type)


def files_of(folder: Path) -> dict[str, File]:
    """The page's files by their path in the folder; empty without a page."""
    return {
        path.relative_to(folder).as_posix(): File.of(path.read_bytes(), KINDS[path.suffix])
        for path in sorted(folder.rglob("*"))
        if path.suffix in KINDS and path.is_file()
    }


def page(folder: Path = PAGE) -> Router:
    """The routes of the dashboard that is in this folder; without it `/` says how to get it."""
    files = files_of(folder)
    index = files.get("index.html", File.of(MISSING, "text/html"))
    return Router(
        "/", route_handlers=[_index(index), _assets(files)], tags=("dashboard",), include_in_schema=False
    )


def _index(index: File) -> HTTPRouteHandler:
    @get("/", opt={"scope": None}, sync_to_thread=False)
    def dashboard(request: Asking) -> Response[bytes]:
        """The dashboard."""
        return _answer(request, index)

    return dashboard


def _assets(files: dict[str, File]) -> HTTPRouteHandler:
    find = partial(_found, files)

    @get("/assets/{name:str}", opt={"scope": None}, sync_to_thread=False)
    def asset(request: Asking, name: FromPath[str]) -> Response[bytes]:
        """A file of the dashboard."""
        return _answer(request, find(f"assets/{name}"), {"Cache-Control": FOR_GOOD})

    return asset


def _found(files: dict[str, File], path: str) -> File:
    file = files.get(path)
    if file is None:
        raise NotFoundException("the dashboard has no such file: reload the page")
    return file


def _answer(request: Asking, file: File, headers: dict[str, str] | None = None) -> Response[bytes]:
    told = {"Vary": "Accept-Encoding", **(headers or {})}
    content = file.content
    if "gzip" in request.headers.get("accept-encoding", ""):
        content, told["Content-Encoding"] = file.squeezed, "gzip"
    return Response(content, media_type=file.media_type, headers=told)
