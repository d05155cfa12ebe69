"""The account itself: its settings, profile and log-out."""

from __future__ import annotations

from typing import Any

from twikit_pool.simulator.registry import Call, rest
from twikit_pool.simulator.shapes.users import user_v11

_FIELDS = ("name", "description", "location", "url")


@rest("GET", "/1.1/account/settings.json")
def settings(call: Call) -> dict[str, Any]:
    """Who is logged in."""
    return {"screen_name": call.user.handle, "language": "en", "protected": False}


@rest("GET", "/help-center/forms/api/prod/user_state.json", "user_state")
def user_state(call: Call) -> dict[str, Any]:
    """Whether the account is in good standing: twikit asks after a 429."""
    del call
    return {"userState": "normal"}


@rest("POST", "/1.1/account/update_profile.json")
def update_profile(call: Call) -> dict[str, Any]:
    """Change name, description, location or link."""
    for name in _FIELDS:
        if name in call.variables:
            setattr(call.user, name, str(call.variables[name]))
    call.user.version += 1
    call.wrote(call.user.handle)
    return user_v11(call.user, call.user)


@rest("POST", "/1.1/account/logout.json")
def logout(call: Call) -> dict[str, Any]:
    """End the log-in: its cookies are worth nothing afterwards."""
    call.state.by_id[call.account_id].logged_in = False
    call.wrote(call.user.handle)
    return {"status": "ok"}
