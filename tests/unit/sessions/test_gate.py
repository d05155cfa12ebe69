"""A gate stops what has not left. What was clear stays clear, and what was unclear unclear."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation.simulated_loop import SimulatedLoop, simulate
from tests.unit.sessions.stand_in import StandIn, manager_of
from twikit_pool.errors import EmergencyStopped, StoreError
from twikit_pool.sessions import CallFailed, Taken, TwikitSession, parse_action

LIKE = parse_action("like_tweet", {"tweet_id": "1"})
LIKES = LIKE.spends


class Gate:
    """Lets so many requests through."""

    def __init__(self, lets: int, error: Exception | None = None) -> None:
        self.lets = lets
        self.error = error or EmergencyStopped("the pool is in an emergency stop")
        self.asked = 0

    def __call__(self) -> None:
        self.asked += 1
        if self.asked > self.lets:
            raise self.error


def at_a_gate(gate: Gate, use: Any, **settings: Any) -> tuple[StandIn, TwikitSession, Any]:
    """X, a session behind this gate, and what `use(x, session)` came to: its result or its error."""

    async def main(loop: SimulatedLoop) -> tuple[StandIn, TwikitSession, Any]:
        x = StandIn(loop, **settings)
        async with manager_of(x) as sessions:
            session = await sessions.open("brand")
            session.gate = gate
            try:
                return x, session, await use(x, session)
            except (EmergencyStopped, CallFailed) as error:
                return x, session, error

    return simulate(main, order="fifo").result


async def like(_x: StandIn, session: TwikitSession) -> Any:
    return await session.execute(LIKE, timeout=9)


@pytest.mark.parametrize("lets", [0, 1])
def test_the_gates_own_error_comes_out_when_nothing_has_left(lets: int) -> None:
    """The handshake may have left: it does not count."""
    gate, told = Gate(lets), []

    async def use(_x: StandIn, session: TwikitSession) -> Any:
        return await session.execute(LIKE, timeout=9, on_send=lambda: told.append(1))

    x, session, error = at_a_gate(gate, use, handshake=True)
    assert error is gate.error
    assert (x.served["home"], x.served[LIKES], told) == (lets, 0, [])
    assert session.windows.in_flight(LIKES) == session.windows.in_flight("home") == 0
    assert not session.unsettled


def test_an_error_that_the_client_hides_comes_out_all_the_same() -> None:
    gate = Gate(0)

    async def hiding(_x: StandIn, session: TwikitSession) -> Any:
        async def hide() -> str:
            try:
                return await session.client.request(LIKES)
            except EmergencyStopped:
                return "all is well"

        return await session.call("hide", hide, endpoint=LIKES, timeout=9)

    _, _, error = at_a_gate(gate, hiding)
    assert error is gate.error


@pytest.mark.parametrize("endpoint", [LIKES, None])
def test_a_write_that_has_left_stays_unclear_when_the_next_is_stopped(endpoint: str | None) -> None:
    async def two(_x: StandIn, session: TwikitSession) -> Any:
        async def both() -> None:
            await session.client.request(LIKES)
            await session.client.request(LIKES)

        return await session.call("two", both, endpoint=endpoint, timeout=9)

    x, _, error = at_a_gate(Gate(1), two)
    assert isinstance(error, CallFailed)
    assert error.verdict.taken is Taken.UNKNOWN
    assert x.served[LIKES] == 1


def test_a_refusal_stays_a_refusal_when_its_repetition_is_stopped() -> None:
    """X took nothing, and whoever keeps a journal of writes must hear that."""

    async def stale(x: StandIn, session: TwikitSession) -> Any:
        x.codes, x.links[0].cookies_changed = [353], True
        return await like(x, session)

    gate = Gate(1)
    _, _, error = at_a_gate(gate, stale)
    assert isinstance(error, CallFailed)
    assert (error.verdict.code, error.verdict.taken, gate.asked) == (353, Taken.NO, 2)


def test_what_else_a_gate_raises_is_judged() -> None:
    _, _, error = at_a_gate(Gate(0, StoreError("no disk")), like)
    assert isinstance(error, CallFailed)
    assert error.verdict.taken is Taken.NO


def test_raw_use_meets_the_gate_too() -> None:
    gate = Gate(0)

    async def raw(_x: StandIn, session: TwikitSession) -> Any:
        return await session.client.request(LIKES)

    x, session, error = at_a_gate(gate, raw)
    assert error is gate.error
    assert (x.served[LIKES], session.unsettled) == (0, False)


def test_an_open_gate_is_asked_for_every_request_before_on_send() -> None:
    gate = Gate(9)
    asked: list[int] = []

    async def use(_x: StandIn, session: TwikitSession) -> Any:
        return await session.execute(LIKE, timeout=9, on_send=lambda: asked.append(gate.asked))

    assert at_a_gate(gate, use, handshake=True)[2] == LIKES
    assert (gate.asked, asked) == (2, [2])
