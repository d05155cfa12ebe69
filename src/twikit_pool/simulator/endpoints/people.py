"""One user, by handle or id."""

from __future__ import annotations

from typing import Any

from twikit_pool.simulator.registry import Call, graphql
from twikit_pool.simulator.world import number


@graphql("UserByScreenName")
def user_by_screen_name(call: Call) -> dict[str, Any]:
    """A user by handle; X answers with empty data where there is none."""
    user = call.state.world.by_handle.get(str(call.need("screen_name")).lower())
    return {"data": {"user": {"result": call.show_user(user)}} if user else {}}


@graphql("UserByRestId")
def user_by_rest_id(call: Call) -> dict[str, Any]:
    """A user by id."""
    user = call.state.world.users.get(number(call.need("userId")))
    return {"data": {"user": {"result": call.show_user(user)} if user else {}}}
