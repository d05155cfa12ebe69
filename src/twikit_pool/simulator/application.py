"""From a request to an answer: who asks, what goes wrong, whether it may, and what comes of it."""

from __future__ import annotations

import logging
import math
import random
import re
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final

import msgspec

from twikit_pool.errors import ConfigError
from twikit_pool.simulator import control, pages
from twikit_pool.simulator.endpoints import NAMES, find
from twikit_pool.simulator.faults import SIDE_ENDPOINTS, STANDING, Fault, Faults
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
_HTML: Final = "text/html; charset=utf-8"
_PAGE: Final = re.compile(r"/[A-Za-z0-9_]{0,15}")
"""The home page and people's profiles: X sends the same page for all of them, and a script fills it."""
_ON_BEHALF_OF_AN_ACCOUNT: Final = {"lock": 326, "suspend": 64, "expire": 32}
"""The codes of faults that are an account's state."""


@dataclass(slots=True)
class Visit:
    """A request on its way through: `delay` is to pass (seconds) before it is worked on."""

    request: Request
    name: str
    endpoint: Endpoint | None = None
    account: SimulatedAccount | None = None
    faults: list[Fault] = field(default_factory=list[Fault])
    delay: float = 0.0

    @property
    def account_id(self) -> str | None:
        """Whose it is, if that is known."""
        return self.account.id if self.account else None

    def first(self, *kinds: str) -> Fault | None:
        """The oldest fault of these kinds."""
        return next((fault for fault in self.faults if fault.kind in kinds), None)


@dataclass(slots=True, kw_only=True)
class Delivery:
    """How an answer goes out, if it does.

    Attributes:
        wire: the bytes, empty when there is no answer.
        delay: seconds to wait before the first byte.
        drip: seconds before each byte; 0 to send all at once.
        end: what becomes of the connection afterwards: keep, close, reset, or hang (answer nothing more).
    """

    wire: bytes
    delay: float = 0.0
    drip: float = 0.0
    end: str = "keep"


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

    def add_fault(self, fields: dict[str, Any]) -> None:
        """From now on this goes wrong.

        Raises:
            ConfigError: the fields make no `Fault`, or name an account or operation that does not exist.
        """
        try:
            fault = msgspec.convert(fields, Fault)
        except msgspec.ValidationError as error:
            raise ConfigError(f"no such fault: {error}") from error
        if fault.account is not None and fault.account not in self.state.by_id:
            raise ConfigError(f"no account is called {fault.account!r}: they are sim_001 and so on")
        if fault.endpoint is not None and fault.endpoint not in NAMES | SIDE_ENDPOINTS:
            raise ConfigError(
                f"no operation is called {fault.endpoint!r}: there are {', '.join(sorted(NAMES))}"
            )
        self.faults.add(fault)

    def admit(self, request: Request) -> Visit:
        """Who asks for what, which faults strike on the way, and how long the caller waits."""
        if request.path.startswith(control.PREFIX) and control.is_local(request):
            return Visit(request, "control")
        if request.host.endswith("twimg.com"):
            name, endpoint = "ondemand.s", None
        elif _PAGE.fullmatch(request.path):
            name, endpoint = "home", None
        else:
            name, endpoint = find(request)
        account = self.state.by_token.get(request.cookies.get("auth_token", ""))
        visit = Visit(request, name, endpoint, account)
        visit.faults = self.faults.travelling(visit.account_id, name)
        slow = sum(fault.seconds for fault in visit.faults if fault.kind == "slow" and not fault.after)
        visit.delay = self._latency() + slow
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
        lost = visit.first("hang", "reset", "close")
        response = None if lost is not None and not lost.after else self._respond(visit, now)
        if lost is not None or response is None:
            self.state.calls.add(visit.name, visit.account_id, None)
            return Delivery(wire=b"", end=lost.kind if lost else "close")
        self.state.calls.add(visit.name, visit.account_id, response.status)
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
        request, account, endpoint = visit.request, visit.account, visit.endpoint
        if visit.name in ("home", "ondemand.s"):
            return self._page(visit)
        if endpoint is None:
            return _refuse(Refusal(34, f"The simulator has no operation {visit.name}."))
        if account is None or not account.logged_in:
            return _refuse(Refusal(32))
        if not account.admits(request.headers.get("x-csrf-token"), request.cookies.get("ct0")):
            return _refuse(Refusal(353), _set_ct0(account))
        if not request.headers.get("x-client-transaction-id"):
            return Response(404)
        cookie, window = self._rotation(account), None
        if self.state.windows is not None and visit.name != "user_state":
            window = self.state.windows.take(account.id, visit.name, now)
            if not window.allowed:
                return _refuse(
                    Refusal(88), cookie + (window.headers if self._settings.refusal_headers else "")
                )
        wrong = self.faults.answering(account.id, visit.name)
        if wrong is None or wrong.after:
            response = self._carry_out(visit, account, endpoint, now)
            response.headers = cookie + (window.headers if window else "")
            if wrong is None:
                return response
        if wrong.kind == "rate_limited":
            if not wrong.headers:
                return _refuse(Refusal(88))
            reset = window.reset if window else math.ceil(now + WINDOW / self._settings.time_scale)
            limit = window.limit if window else DEFAULT_LIMIT
            return _refuse(Refusal(88), cookie + Window(limit, 0, reset, allowed=False).headers)
        response = _instead(wrong, visit.name, graphql=endpoint.path is None)
        response.headers = cookie + (window.headers if window else "")
        return response

    def _page(self, visit: Visit) -> Response:
        """The home page, or the script that it names."""
        fault = self.faults.answering(visit.account_id, visit.name)
        if visit.name == "ondemand.s":
            if fault is not None and fault.kind not in STANDING:
                return _instead(fault, visit.name, graphql=False)
            return Response(200, pages.ONDEMAND, content_type="application/javascript")
        known = visit.account is not None and visit.account.logged_in
        if not known or (fault is not None and fault.kind == "expire"):
            return Response(200, pages.LOGGED_OUT, content_type=_HTML)
        if fault is None:
            return Response(200, self._home, content_type=_HTML)
        if fault.kind in STANDING:
            return Response(302, pages.RESTRICTED, "Location: https://x.com/account/access\r\n", _HTML)
        return _instead(fault, visit.name, graphql=False)

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
            return _refuse(Refusal(131, "The simulator failed; its log says why."))
        if endpoint.posts:
            state.daily.count(account.id, now)
        return Response(call.status, b"" if answer is None else msgspec.json.encode(answer))


def _instead(fault: Fault, name: str, *, graphql: bool) -> Response:
    """What a fault answers."""
    if fault.code is not None:
        return _refuse(Refusal(fault.code, fault.message, fault.status), graphql=graphql)
    if fault.kind == "suspend" and name == "user_state":
        return Response(200, b'{"userState":"suspended"}')
    if fault.kind in _ON_BEHALF_OF_AN_ACCOUNT:
        return _refuse(Refusal(_ON_BEHALF_OF_AN_ACCOUNT[fault.kind]))
    if fault.kind == "stale_query":
        return Response(404)
    if fault.kind == "garbage":
        return Response(200, GARBAGE)
    if fault.kind == "rate_limited":
        return _refuse(Refusal(88))
    status = fault.status or 503
    if fault.html:
        page = f"<html><body><h1>{status} Service Unavailable</h1></body></html>"
        return Response(status, page.encode(), content_type=_HTML)
    return _refuse(Refusal(131, status=status))


def _set_ct0(account: SimulatedAccount) -> str:
    return f"Set-Cookie: ct0={account.ct0}; Domain=.x.com; Path=/; Secure\r\n"


def _refuse(refused: Refusal, headers: str = "", *, graphql: bool = False) -> Response:
    status, body = refusal(refused.code, graphql=graphql, message=refused.message, status=refused.status)
    return Response(status, msgspec.json.encode(body), headers)
