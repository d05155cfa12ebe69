"""Bodies of requests, read as their description says: 0 is not false there, and a number is no time.

The framework reads JSON without knowing what a route wants and converts it leniently afterwards, as it must
with what comes in the address. Here a body is decoded as its route's type at once, which leaves nothing to
convert.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.exceptions import ClientException, ValidationException

WHERE: Final = re.compile(r"(?P<what>.*) - at `\$\.?(?P<where>.*)`", re.DOTALL)
"""How msgspec says what is wrong, and where."""


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON is of the type that its route takes."""

    async def json(self) -> Any:
        """The body.

        Raises:
            ClientException: it is no JSON.
            ValidationException: it is not what the route takes.
        """
        taken = self.route_handler.parsed_data_field
        try:
            return msgspec.json.decode(await self.body(), type=Any if taken is None else taken.annotation)
        except msgspec.ValidationError as error:
            found = WHERE.fullmatch(str(error))
            what, where = (found["what"], found["where"]) if found else (str(error), "")
            wrong = [{"message": what, "key": where, "source": "body"}]
            raise ValidationException(f"the body is wrong: {error}", extra=wrong) from None
        except msgspec.DecodeError as error:
            raise ClientException(f"the body is no JSON: {error}") from None
