"""The web pages that a client reads before its first call.

twikit derives the `x-client-transaction-id` header from the home page and a script that it names: a
verification key, four animated figures and the place of some key bytes.
"""

from __future__ import annotations

import base64
from typing import Final

_KEY: Final = base64.b64encode(bytes((37 * i + 11) % 256 for i in range(48))).decode()
_CHUNK: Final = "0123abc"
_ROW: Final = " ".join(str((29 * i + 7) % 256) for i in range(11))
_FIGURE: Final = "M 10,30 C" + "C".join(f" {_ROW}" for _ in range(16))
"""Nine characters, then sixteen rows of eleven numbers that a C parts."""

ONDEMAND: Final = b"const key=(w)=>[(w[2], 16),(w[12], 16),(w[14], 16),(w[7], 16)];"
"""The script: the key bytes' places, each before a 16."""

LOGGED_OUT: Final = (
    b'<!DOCTYPE html><html><head><title>X</title></head><body><div id="react-root"></div>'
    b'<a href="/i/flow/login">Log in</a></body></html>'
)
"""What X shows when it does not accept the cookies."""

RESTRICTED: Final = (
    b'<!DOCTYPE html><html><body>Found. <a href="/account/access">/account/access</a></body></html>'
)
"""The body of the redirect that a locked or suspended account gets."""


def home_page(size: int) -> bytes:
    """The page of a logged-in browser, filled up to `size` bytes as X's is: preloads and feature flags."""
    figures = "".join(
        f'<svg id="loading-x-anim-{n}"><g><path d="M0 0"></path><path d="{_FIGURE}"></path></g></svg>'
        for n in range(4)
    )
    chunks = f'{{0:"main",777:"ondemand.s",8:"x"}}[e]+"."+{{0:"aaaaaaa",777:"{_CHUNK}",8:"bbbbbbb"}}[e]'
    start = (
        "<!DOCTYPE html><html><head><title>X</title>"
        f'<meta name="twitter-site-verification" content="{_KEY}"/>'
    )
    end = f'</head><body>{figures}<script>chunk=e=>{chunks}</script><div id="react-root"></div></body></html>'
    return (start + _filling(size - len(start) - len(end)) + end).encode()


def _filling(size: int) -> str:
    preload = '<link rel="preload" as="script" href="https://abs.twimg.com/responsive-web/client-web/{}.js">'
    links = "".join(preload.format(n) for n in range(max(0, min(150, size // 400))))
    flag = '"feature_{:05d}":{{"value":true}}'
    count = max(0, size - len(links)) // len(flag.format(0) + ",")
    flags = ",".join(flag.format(n) for n in range(count))
    return f"{links}<script>window.__INITIAL_STATE__={{{flags}}}</script>" if size > 0 else ""
