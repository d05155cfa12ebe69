"""From a request to an answer: who asks, what goes wrong, whether it may, and what comes of it."""

from __future__ import annotations

import logging
import math
import random
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from twikit_pool.simulator import control, pages
from twikit_pool.simulator.endpoints import find
from twikit_pool.simulator.faults import STANDING, Fault, Faults
from twikit_pool.simulator.http import Response
from twikit_pool.simulator.limits import DEFAULT_LIMIT, WINDOW, Window
from twikit_pool.simulator.refusals import Refusal, refusal
from twikit_pool.simulator.registry import Call, Endpoint
from twikit_pool.simulator.state import State

if TYPE_CHECKING:
    from twikit_pool.clock import Clock
    from twikit_pool.simulator.accounts import SimulatedAccount
    from twikit_pool.simulator.http import Request
    from twikit_pool.simulator.settings import Settings

_log = logging.getLogger(__name__)

GARBAGE: Final = b'<html><body>{"data": {"oops'
"""Neither JSON nor a page."""
_ANSWERS: Final = (
    "lock",
    "suspend",
    "expire",
    "code",
    "server_error",
    "rate_limited",
    "stale_query",
    "garbage",
)
"""Faults that put another answer in place of the real one."""


@dataclass(slots=True)
class Visit:
    """A request on its way through: `delay` is to pass (seconds) before it is worked on."""

    request: Request
    name: str
    endpoint: Endpoint | None
    account: SimulatedAccount | None
    faults: list[Fault] = field(default_factory=list[Fault])
    delay: float = 0.0

    def first(self, *kinds: str, after: bool | None = None) -> Fault | None:
        """The oldest fault of these kinds."""
        for fault in self.faults:
            if fault.kind in kinds and after in (None, fault.after):
                return fault
        return None


@dataclass(slots=True, kw_only=True)
class Delivery:
    """How an answer goes out, if it does.

    Attributes:
        wire: the bytes, empty when there is no answer.
        delay: seconds to wait before the first byte.
        drip: seconds before each byte; 0 to send all at once.
        end: what becomes of the connection afterwards.
    """

    wire: bytes
    delay: float = 0.0
    drip: float = 0.0
    end: Literal["keep", "close", "reset", "hang"] = "keep"


class Application:
    """Answers requests. Synchronous throughout: what takes time is told to whoever carries the bytes."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._epoch = clock.now().timestamp() - clock.monotonic()
        self._chance = random.Random(f"{settings.seed}/latency")
        self._date = (0, "")
        self.faults = Faults(random.Random(f"{settings.seed}/faults"))
        self.state = State(settings, self.now())
        self._home = pages.home_page(settings.home_page_bytes)

    def now(self) -> float:
        """Epoch seconds that never go back."""
        return self._epoch + self._clock.monotonic()

    def admit(self, request: Request) -> Visit:
        """Who asks for what, which faults strike, and how long the caller waits."""
        if request.path.startswith(control.PREFIX) and control.is_local(request):
            return Visit(request, "control", None, None)
        host = request.host
        account = self.state.by_token.get(request.cookies.get("auth_token", ""))
        if host.endswith("twimg.com"):
            name, endpoint = "ondemand.s", None
        elif request.path == "/":
            name, endpoint = "home", None
        else:
            name, endpoint = find(request)
        visit = Visit(request, name, endpoint, account)
        visit.faults = self.faults.strike(account.id if account else None, name)
        visit.delay = self._latency() + sum(
            f.seconds for f in visit.faults if f.kind == "slow" and not f.after
        )
        return visit

    def _latency(self) -> float:
        settings = self._settings
        if not settings.latency:
            return 0.0
        return self._chance.lognormvariate(math.log(settings.latency), settings.latency_sigma)

    def serve(self, visit: Visit) -> Delivery:
        """Work on it, and say what goes out."""
        now = self.now()
        if visit.name == "control":
            return Delivery(wire=self._encode(control.answer(self, visit.request), now))
        account_id = visit.account.id if visit.account else None
        lost = visit.first("hang", "reset", "close")
        if lost is not None and not lost.after:
            self.state.calls.add(visit.name, account_id, None)
            return Delivery(wire=b"", end="hang" if lost.kind == "hang" else _ending(lost))
        response = self._respond(visit, now)
        if lost is not None:
            self.state.calls.add(visit.name, account_id, None)
            return Delivery(wire=b"", end="hang" if lost.kind == "hang" else _ending(lost))
        self.state.calls.add(visit.name, account_id, response.status)
        return self._deliver(visit, response, now)

    def _deliver(self, visit: Visit, response: Response, now: float) -> Delivery:
        response.close = visit.first("connection_close") is not None
        truncated = visit.first("truncate") is not None
        if truncated:
            response.length = len(response.body) + 1
            response.body = response.body[: len(response.body) // 2]
        drip = visit.first("drip")
        return Delivery(
            wire=self._encode(response, now),
            delay=sum(fault.seconds for fault in visit.faults if fault.kind == "slow" and fault.after),
            drip=drip.seconds if drip else 0.0,
            end="close" if truncated or response.close else "keep",
        )

    def _encode(self, response: Response, now: float) -> bytes:
        second = int(now)
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True))
        return response.encode(self._date[1])

    # ------------------------------------------------------------ the answer

    def _respond(self, visit: Visit, now: float) -> Response:
        if visit.name == "ondemand.s":
            return self._wrong(visit) or Response(200, pages.ONDEMAND, content_type="application/javascript")
        if visit.name == "home":
            return self._home_page(visit)
        if visit.endpoint is None:
            message = f"The simulator has no operation {visit.name}."
            return _refuse(Refusal(34, message), graphql=False)
        turned_away = self._turn_away(visit)
        if turned_away is not None:
            return turned_away
        account, endpoint = visit.account, visit.endpoint
        assert account is not None  # noqa: S101  _turn_away answers for those who are not known
        headers = self._rotation(account)
        if self.state.windows is not None and visit.name != "user_state":
            window = self.state.windows.take(account.id, visit.name, now)
            headers += window.headers
            if not window.allowed:
                return _refuse(Refusal(88), graphql=False, headers=headers)
        wrong = visit.first(*_ANSWERS)
        if wrong is not None and not wrong.after:
            return self._instead(wrong, visit, headers)
        response = self._carry_out(visit, account, endpoint, now)
        if wrong is not None:
            return self._instead(wrong, visit, headers)
        response.headers = headers
        return response

    def _home_page(self, visit: Visit) -> Response:
        wrong = self._wrong(visit)
        if wrong is not None:
            return wrong
        known = visit.account is not None and visit.account.logged_in
        return Response(
            200, self._home if known else pages.LOGGED_OUT, content_type="text/html; charset=utf-8"
        )

    def _wrong(self, visit: Visit) -> Response | None:
        """The answer of a fault to what is no API call."""
        fault = visit.first(*_ANSWERS)
        if fault is None:
            return None
        if fault.kind == "expire" and visit.name == "home":
            return Response(200, pages.LOGGED_OUT, content_type="text/html; charset=utf-8")
        if fault.kind in STANDING and visit.name == "home":
            location = "Location: https://x.com/account/access\r\n"
            return Response(302, pages.RESTRICTED, location, "text/html; charset=utf-8")
        return None if fault.kind in STANDING else self._instead(fault, visit, "")

    def _turn_away(self, visit: Visit) -> Response | None:
        request, account = visit.request, visit.account
        if account is None or not account.logged_in:
            return _refuse(Refusal(32), graphql=False)
        if not account.admits(request.headers.get("x-csrf-token"), request.cookies.get("ct0")):
            return _refuse(Refusal(353), graphql=False, headers=_set_ct0(account))
        if not request.headers.get("x-client-transaction-id"):
            return Response(404)
        return None

    def _rotation(self, account: SimulatedAccount) -> str:
        every = self._settings.ct0_rotation
        account.calls += 1
        if every and account.calls % every == 0:
            account.rotate()
        if account.announce:
            account.announce = False
            return _set_ct0(account)
        return ""

    def _carry_out(self, visit: Visit, account: SimulatedAccount, endpoint: Endpoint, now: float) -> Response:
        state = self.state
        state.schedule.publish(now)
        call = Call(visit.request, endpoint, account.id, account.user, state, now)
        call.empty_legacy = visit.first("empty_legacy") is not None
        if endpoint.posts and state.daily.reached(account.id, now):
            return _refuse(Refusal(self._settings.daily_code, status=200), graphql=True)
        try:
            answer: Any = endpoint.handle(call)
        except Refusal as refused:
            return _refuse(refused, graphql=endpoint.path is None)
        except Exception:  # noqa: BLE001  one call that breaks an endpoint must not take the connection along
            _log.exception("the simulator failed at %s", endpoint.name)
            return _refuse(Refusal(131, "The simulator failed; its log says why."), graphql=False)
        if endpoint.posts:
            state.daily.count(account.id, now)
        return Response(call.status, b"" if answer is None else msgspec.json.encode(answer))

    def _instead(self, fault: Fault, visit: Visit, headers: str) -> Response:
        """What a fault answers."""
        graphql = visit.endpoint is not None and visit.endpoint.path is None
        if fault.kind == "code":
            assert fault.code is not None  # noqa: S101  Fault refuses to be made without
            return _refuse(Refusal(fault.code, fault.message, fault.status), graphql=graphql, headers=headers)
        if fault.kind == "suspend" and visit.name == "user_state":
            return Response(200, b'{"userState":"suspended"}', headers)
        if fault.kind in _CODE_OF:
            return _refuse(Refusal(_CODE_OF[fault.kind]), graphql=False, headers=headers)
        if fault.kind == "rate_limited":
            return _refuse(
                Refusal(88), graphql=False, headers=self._used_up(headers) if fault.headers else ""
            )
        if fault.kind == "stale_query":
            return Response(404, b"", headers)
        if fault.kind == "garbage":
            return Response(200, GARBAGE, headers)
        status = fault.status or 503
        if fault.html:
            page = f"<html><body><h1>{status} Service Unavailable</h1></body></html>".encode()
            return Response(status, page, content_type="text/html")
        return _refuse(Refusal(131, status=status), graphql=False, headers=headers)

    def _used_up(self, headers: str) -> str:
        """Headers of a window with nothing left."""
        if "x-rate-limit-limit" not in headers:
            reset = math.ceil(self.now() + WINDOW / self._settings.time_scale)
            return headers + Window(DEFAULT_LIMIT, 0, reset, allowed=False).headers
        before, _, rest_of_it = headers.partition("x-rate-limit-remaining: ")
        return f"{before}x-rate-limit-remaining: 0\r\n{rest_of_it.partition(chr(10))[2]}"


_CODE_OF: Final = {"lock": 326, "suspend": 64, "expire": 32}


def _ending(fault: Fault) -> Literal["close", "reset"]:
    return "reset" if fault.kind == "reset" else "close"


def _set_ct0(account: SimulatedAccount) -> str:
    return f"Set-Cookie: ct0={account.ct0}; Domain=.x.com; Path=/; Secure\r\n"


def _refuse(refused: Refusal, *, graphql: bool, headers: str = "") -> Response:
    status, body = refusal(refused.code, graphql=graphql, message=refused.message, status=refused.status)
    return Response(status, msgspec.json.encode(body), headers)
