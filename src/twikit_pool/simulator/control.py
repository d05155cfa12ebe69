"""The simulator's own HTTP API: faults in, counts out. Only for callers that address the loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from twikit_pool.errors import ConfigError
from twikit_pool.simulator.http import Response

if TYPE_CHECKING:
    from twikit_pool.simulator.application import Application
    from twikit_pool.simulator.http import Request

PREFIX: Final = "/__simulator__/"
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


def is_local(request: Request) -> bool:
    """Whether the Host header names the loopback address: a page elsewhere cannot make a browser say so."""
    return request.host in _LOOPBACK


def answer(application: Application, request: Request) -> Response:
    """Answer a request below `PREFIX`."""
    what = request.path.removeprefix(PREFIX)
    try:
        shown = _do(application, request.method, what, request)
    except (msgspec.MsgspecError, ConfigError) as error:
        return Response(400, msgspec.json.encode({"error": str(error)}))
    except KeyError:
        known = (
            "accounts, calls, windows, writes, state, faults (GET, POST, DELETE), "
            "rotate?account=ID (POST), login?account=ID (POST)"
        )
        return Response(404, msgspec.json.encode({"error": f"{request.method} {what}: there are {known}"}))
    return Response(200, msgspec.json.encode(shown))


def _do(application: Application, method: str, what: str, request: Request) -> Any:
    state = application.state
    if method == "POST" and what == "faults":
        application.add_fault(msgspec.json.decode(request.body, type=dict[str, Any]))
        return {"faults": application.faults.all}
    if method == "DELETE" and what == "faults":
        application.faults.clear(request.parameter("account"), request.parameter("endpoint"))
        return {"faults": application.faults.all}
    if method == "POST" and what in ("rotate", "login"):
        account = state.by_id[request.parameter("account") or ""]
        if what == "rotate":
            account.rotate()
        else:
            state.log_in_anew(account)
        return {"account": account.id, "cookies": account.cookies}
    if method != "GET":
        raise KeyError(what)
    if what == "calls":
        return {
            "total": len(state.calls),
            "calls": [{**call._asdict(), "count": n} for call, n in state.calls],
        }
    return {
        "faults": lambda: {"faults": application.faults.all},
        "writes": lambda: {"writes": state.writes},
        "windows": lambda: {"windows": state.windows.used if state.windows else []},
        "accounts": lambda: {"accounts": [account.shown for account in state.accounts]},
        "state": lambda: {
            "users": len(state.world.users),
            "tweets": len(state.world.tweets),
            "accounts": len(state.accounts),
            "calls": len(state.calls),
            "writes": len(state.writes),
            "time_scale": state.time_scale,
        },
    }[what]()
