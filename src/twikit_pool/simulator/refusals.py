"""X's error codes: what they say, and the two shapes they come in."""

from __future__ import annotations

from typing import Any, Final, NamedTuple


class Code(NamedTuple):
    """How X words a code. `status` is that of a v1.1 answer, `graphql` that of a GraphQL one."""

    message: str
    status: int
    graphql: int
    kind: str = "Permissions"


_SUSPENDED = "Your account is suspended and is not permitted to access this feature."

CODES: Final[dict[int, Code]] = {
    17: Code("No user matches for specified terms.", 404, 200, "NonFatal"),
    32: Code("Could not authenticate you.", 401, 401),
    34: Code("Sorry, that page does not exist.", 404, 404, "NonFatal"),
    37: Code(_SUSPENDED, 403, 403),
    50: Code("User not found.", 404, 200, "NonFatal"),
    63: Code("User has been suspended.", 403, 403),
    64: Code(_SUSPENDED, 403, 403),
    88: Code("Rate limit exceeded.", 429, 429),
    89: Code("Invalid or expired token.", 401, 401),
    131: Code("Internal error", 500, 500, "Operational"),
    139: Code("You have already favorited this status.", 403, 200),
    144: Code("No status found with that ID.", 404, 200, "NonFatal"),
    161: Code("You are unable to follow more people at this time.", 403, 403),
    162: Code("You have been blocked from following this account at the request of the user.", 403, 403),
    170: Code("Missing required parameter: status.", 403, 200, "Validation"),
    179: Code("Sorry, you are not authorized to see this status.", 403, 200),
    185: Code("User is over daily status update limit.", 403, 200),
    186: Code("Tweet needs to be a bit shorter.", 403, 200, "Validation"),
    187: Code("Status is a duplicate.", 403, 200),
    214: Code("Bad request.", 400, 400, "Validation"),
    226: Code(
        "This request looks like it might be automated. To protect our users from spam and other malicious "
        "activity, we can't complete this action right now. Please try again later.",
        403,
        200,
    ),
    279: Code("The conversation does not exist.", 404, 404, "NonFatal"),
    324: Code("The validation of media ids failed.", 400, 200, "Validation"),
    326: Code(
        "To protect our users from spam and other malicious activity, this account is temporarily locked. "
        "Please log in to https://x.com to unlock your account.",
        403,
        403,
    ),
    327: Code("You have already retweeted this Tweet.", 403, 200),
    344: Code("You have reached your daily limit for sending Tweets and messages.", 403, 200),
    349: Code("You cannot send messages to this user.", 403, 403),
    353: Code("This request requires a matching csrf cookie and header.", 403, 403),
    366: Code("flow name LoginFlow is currently not accessible", 400, 400),
    501: Code("You have reached your daily limit for posts.", 403, 200),
}


class Refusal(Exception):
    """X refuses a call: raised where a rule is broken, answered at the edge.

    Attributes:
        code: X's code.
        status: the HTTP status, or None for the code's own.
        message: the words, or None for the code's own.
    """

    def __init__(self, code: int, message: str | None = None, status: int | None = None) -> None:
        super().__init__(code, message, status)
        self.code = code
        self.message = message
        self.status = status


def refusal(
    code: int, *, graphql: bool, message: str | None, status: int | None
) -> tuple[int, dict[str, Any]]:
    """Status and body of a refusal. Inside an HTTP 200, GraphQL adds `data` and its own wording."""
    known = CODES.get(code, Code("The simulator was asked for this code.", 403, 200))
    status = status or (known.graphql if graphql else known.status)
    message = message or known.message
    if not graphql or status != 200:
        return status, {"errors": [{"code": code, "message": message}]}
    name = "AuthorizationError" if known.kind == "Permissions" else "GenericError"
    words = f"Authorization: {message} ({code})" if known.kind == "Permissions" else f"{message} ({code})"
    facts: dict[str, Any] = {
        "name": name,
        "source": "Client",
        "code": code,
        "kind": known.kind,
        "tracing": {"trace_id": "0000000000000000"},
    }
    return status, {"errors": [{"message": words, "extensions": facts, **facts}], "data": {}}
