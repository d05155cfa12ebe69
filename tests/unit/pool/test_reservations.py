from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.simulation.simulated_loop import EPOCH
from tests.simulation.simulated_x import SimulatedX, account
from tests.unit.pool.scene import ask, gone, scene, settle, take
from twikit_pool.accounts import AccountState, Standing
from twikit_pool.errors import (
    AccountNotFound,
    AccountUnavailable,
    AcquireTimeoutError,
    ConfigError,
    NoAccountAvailable,
    PoolClosed,
    ReservationConflict,
)
from twikit_pool.events import (
    ReservationEnded,
    ReservationEvent,
    ReservationExtended,
    ReservationMade,
    ReservationPriorityChanged,
)
from twikit_pool.pool import ConnectionPriority, ConnectionState, TwikitConnectionPool

LOW, NORMAL, HIGH, CRITICAL, EMERGENCY = ConnectionPriority
CAPABLE = frozenset({"long_posts"})


# ---------------------------------------------------------------- whose it is


@scene(2)
async def test_a_reserved_connection_goes_to_its_owner_alone(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    reservation = pool.reserve("a0", "spring")
    assert reservation.connection is not None
    assert reservation.connection.state is ConnectionState.RESERVED
    assert (await take(pool)).account_id == "a1"
    with pytest.raises(AcquireTimeoutError, match=r"1 reserved, 1 leased|1 leased, 1 reserved"):
        await take(pool)
    with pytest.raises(AcquireTimeoutError):
        await take(pool, account_id="a0")
    with pytest.raises(AcquireTimeoutError):
        await take(pool, reserved_for="autumn")
    with pytest.raises(AcquireTimeoutError):
        await take(pool, account_id="a0", reserved_for="autumn")
    assert (await take(pool, reserved_for="spring")).account_id == "a0"


@scene(2)
async def test_an_owner_uses_his_own_first_and_then_what_everyone_may_have(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    pool.reserve("a0", "spring")
    (await take(pool, account_id="a1")).release()
    own = await take(pool, reserved_for="spring")
    other = await take(pool, reserved_for="spring")
    assert (own.account_id, other.account_id) == ("a0", "a1")
    own.release()
    assert (await take(pool, reserved_for="spring", account_id="a0")).account_id == "a0"
    other.release()
    assert (await take(pool, reserved_for="spring", account_id="a1")).account_id == "a1"


@scene(3)
async def test_of_his_own_an_owner_gets_the_account_that_he_names(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    for account_id in ("a0", "a1"):
        pool.reserve(account_id, "spring")
    pool.reserve("a2", "autumn")
    assert (await take(pool, reserved_for="spring", account_id="a0")).account_id == "a0"
    with pytest.raises(AcquireTimeoutError):
        await take(pool, reserved_for="spring", account_id="a2")


@scene(1)
async def test_an_owner_who_waits_is_served_at_once(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    holder = await take(pool)
    stranger, owner = ask(pool, priority=EMERGENCY), ask(pool, reserved_for="spring", priority=LOW)
    ask(pool, account_id="a0", priority=EMERGENCY, timeout=5)
    ask(pool, account_id="a0", reserved_for="autumn", priority=EMERGENCY, timeout=5)
    this = ask(pool, reserved_for="spring", account_id="a0", priority=LOW)
    await settle()
    pool.reserve("a0", "spring", LOW)
    holder.release()
    lease = await gone(owner)
    assert not stranger.done()
    lease.release()
    (await gone(this)).release()
    await settle()
    assert not stranger.done()


@scene(1)
async def test_when_a_reservation_ends_its_connection_goes_to_who_waits(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    reservation = pool.reserve("a0", "spring")
    stranger = ask(pool)
    await settle()
    reservation.release()
    reservation.release()
    assert (await gone(stranger)).account_id == "a0"
    assert (reservation.ended, reservation.connection) == ("released", None)
    assert pool.reservations() == []


@scene(1)
async def test_a_reservation_expires(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    reservation = pool.reserve("a0", "spring", duration=10)
    assert reservation.expires_at == EPOCH + timedelta(seconds=x.loop.time() + 10)
    stranger = ask(pool)
    await asyncio.sleep(9.9)
    assert not stranger.done()
    await asyncio.sleep(0.2)
    assert (await gone(stranger)).held
    assert reservation.ended == "expired"
    assert repr(reservation) == "<Reservation of a0 for spring, expired>"


@scene(1)
async def test_a_reservation_that_ends_during_a_lease_leaves_the_lease_alone(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    pool.reserve("a0", "spring", duration=10)
    lease = await take(pool, reserved_for="spring")
    await asyncio.sleep(11)
    assert lease.held
    lease.release()
    assert pool.counts()[ConnectionState.IDLE] == 1
    assert (await take(pool)).account_id == "a0"


@scene(1)
async def test_a_leased_connection_is_kept_from_the_end_of_its_lease(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool)
    reservation = pool.reserve("a0", "spring")
    assert reservation.connection is lease.connection
    assert lease.held
    lease.release()
    assert pool.counts()[ConnectionState.RESERVED] == 1


@scene(1)
async def test_a_reservation_is_extended_or_cut_short(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    reservation = pool.reserve("a0", "spring", duration=10)
    await asyncio.sleep(9)
    reservation.extend(20)
    await asyncio.sleep(19)
    assert reservation.ended is None
    reservation.extend(0.5)
    await asyncio.sleep(0.6)
    assert reservation.ended == "expired"
    with pytest.raises(ReservationConflict, match="this reservation of a0 is over: make another"):
        reservation.extend(10)


# ---------------------------------------------------------------- what can be reserved


@scene(2)
async def test_a_second_reservation_of_an_account_says_whose_the_first_is(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    pool.reserve("a0", "spring", duration=60)
    with pytest.raises(
        ReservationConflict,
        match=r"a0 is reserved already \(for 'spring' until 00:01:00 UTC\): wait, release that, or reserve",
    ):
        pool.reserve("a0", "autumn")
    assert [each.reserved_for for each in pool.reservations()] == ["spring"]
    assert pool.reservations("autumn") == []


@scene(1, max_connections=2, max_connections_per_account=2)
async def test_several_connections_of_an_account_can_be_reserved(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    first, second = pool.reserve("a0", "spring"), pool.reserve("a0", "autumn")
    assert first.connection is not None
    assert second.connection is not None
    assert first.connection is not second.connection
    with pytest.raises(ReservationConflict, match=r"for 'spring' .*; for 'autumn'"):
        pool.reserve("a0", "summer")
    first.release()
    third = pool.reserve("a0", "summer")
    assert third.connection is not None
    await settle()
    assert pool.size == 2


@scene(1, max_connections=2, max_connections_per_account=2, min_connections=1, initial_connections=1)
async def test_a_leased_connection_is_kept_only_when_no_other_can_be_had(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool)
    reservation = pool.reserve("a0", "spring")
    assert reservation.connection is not lease.connection
    second = pool.reserve("a0", "spring")
    assert second.connection is lease.connection


@scene(1)
async def test_what_cannot_be_reserved_is_refused(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    with pytest.raises(AccountNotFound, match="pool 'default' has no account 'nobody'"):
        pool.reserve("nobody", "spring")
    for duration in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ConfigError, match="a reservation's duration must be more than 0 seconds"):
            pool.reserve("a0", "spring", duration=duration)
    reservation = pool.reserve("a0", "spring")
    with pytest.raises(ConfigError):
        reservation.extend(0)
    reservation.release()
    pool.roster.standing_changed("a0", Standing(state=AccountState.LOCKED, reason="by X"))
    with pytest.raises(AccountUnavailable, match="a0 is locked: by X"):
        pool.reserve("a0", "spring")
    assert pool.reservations() == []


@scene(1, opened=False)
async def test_a_pool_that_is_not_open_reserves_nothing(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    with pytest.raises(PoolClosed, match="not open"):
        pool.reserve("a0", "spring")
    await pool.shutdown()
    with pytest.raises(PoolClosed):
        pool.reserve("a0", "spring")


@scene(4, min_connections=0, initial_connections=2, max_connections=3)
async def test_any_account_is_an_idle_one_or_one_to_open_or_a_leased_one(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    await take(pool, account_id="a0")
    pool.quarantine("a3", "a rest", 1000)
    kept = [pool.reserve(None, "spring").account_id for _ in range(3)]
    assert kept == ["a1", "a2", "a0"]
    with pytest.raises(
        NoAccountAvailable,
        match="no account of pool 'default' is left to reserve: all are reserved or unusable",
    ):
        pool.reserve(None, "spring")
    assert len(pool.reservations("spring")) == 3


# ---------------------------------------------------------------- those that lack their connection


@scene(2, min_connections=0, initial_connections=0, max_connections=1)
async def test_a_connection_is_opened_for_a_reservation_even_if_another_must_go(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    (await take(pool, account_id="a1")).release()
    reservation = pool.reserve("a0", "spring")
    await settle()
    assert reservation.connection is not None
    assert reservation.connection.state is ConnectionState.RESERVED
    assert pool.size == 1


@scene(2, min_connections=0, initial_connections=0, max_connections=1)
async def test_a_reservation_gets_its_connection_as_soon_as_there_is_room(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool, account_id="a1")
    reservation, owner = pool.reserve("a0", "spring"), ask(pool, reserved_for="spring")
    await settle()
    assert reservation.connection is None
    lease.release()
    assert (await gone(owner)).account_id in {"a0", "a1"}
    await settle()
    assert pool.size == 1


@scene(3, min_connections=0, initial_connections=0, max_connections=1)
async def test_reservations_are_kept_in_mind_until_there_is_room(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool, account_id="a2")
    first, second = pool.reserve("a0", "spring"), pool.reserve("a1", "autumn")
    await settle()
    assert (first.connection, second.connection) == (None, None)
    lease.release()
    await settle()
    assert first.connection is not None
    assert first.connection.state is ConnectionState.RESERVED
    assert second.connection is None
    first.release()
    await settle()
    assert second.connection is not None
    assert pool.size == 1


@scene(1, min_connections=0, initial_connections=0)
async def test_a_suspended_pool_opens_nothing_for_a_reservation(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    pool.suspend()
    reservation = pool.reserve("a0", "spring")
    await settle()
    assert pool.size == 0
    pool.resume()
    await settle()
    assert reservation.connection is not None


@scene(1)
async def test_a_reservation_that_was_released_has_nothing_to_come(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    reservation = pool.reserve("a0", "spring", duration=60)
    assert reservation._deadline is not None
    reservation.release()
    assert reservation._deadline.slot is None


@scene(2, min_connections=0, initial_connections=0, max_connections=1)
async def test_a_reservation_that_ended_meanwhile_has_nothing_opened(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool, account_id="a1")
    reservation = pool.reserve("a0", "spring")
    reservation.release()
    lease.release()
    await settle()
    assert {each.account_id for each in pool.connections()} == {"a1"}


@scene(1)
async def test_the_next_connection_takes_the_place_of_one_that_was_lost(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    reservation = pool.reserve("a0", "spring")
    pool.quarantine("a0", "a rest", 10)
    assert reservation.connection is None
    assert reservation.ended is None
    await asyncio.sleep(11)
    assert reservation.connection is not None
    assert reservation.connection.id == "a0#2"
    assert reservation.connection.state is ConnectionState.RESERVED


@scene(1)
async def test_a_quarantined_account_can_be_reserved_for_afterwards(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool)
    pool.quarantine("a0", "a rest", 5)
    reservation = pool.reserve("a0", "spring")
    lease.release()
    await asyncio.sleep(6)
    assert reservation.connection is not None
    assert reservation.connection.state is ConnectionState.RESERVED


@scene(2, max_connections=4, max_connections_per_account=2, min_connections=0, initial_connections=0)
async def test_what_is_opened_for_a_waiter_is_kept_if_a_reservation_lacks_one(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    pool.quarantine("a0", "a rest", 10)
    reservation = pool.reserve("a0", "spring")
    waiting = ask(pool, account_id="a0")
    await asyncio.sleep(11)
    assert reservation.connection is not None
    lease = await gone(waiting)
    assert lease.connection is not reservation.connection
    assert pool.size == 2


# ---------------------------------------------------------------- priority


@scene(1)
async def test_an_owners_requests_have_at_least_the_priority_of_his_reservations(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    holder = await take(pool)
    stranger = ask(pool, priority=CRITICAL)
    await settle()
    owner = ask(pool, reserved_for="spring", priority=LOW)
    await settle()
    reservation = pool.reserve("a0", "spring", EMERGENCY)
    reservation.release()
    pool.reserve("a0", "spring", EMERGENCY)
    late = ask(pool, reserved_for="spring", priority=LOW, timeout=200)
    await settle()
    pool.reservations("spring")[0].release()
    holder.release()
    lease = await gone(stranger)
    assert not owner.done(), "the priority went with the reservation"
    lease.release()
    (await gone(owner)).release()
    assert (await gone(late)).held


@scene(2)
async def test_a_higher_priority_moves_everyone_who_waits_in_the_name(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    first, second = await take(pool, account_id="a0"), await take(pool, account_id="a1")
    pool.reserve("a1", "spring", LOW)
    stranger = ask(pool, priority=NORMAL)
    await settle()
    anyone = ask(pool, reserved_for="spring", priority=LOW)
    this = ask(pool, reserved_for="spring", priority=LOW, account_id="a0")
    await settle()
    with pool.events.subscribe(ReservationPriorityChanged) as heard:
        assert pool.set_priority("spring", EMERGENCY) == 1
        assert pool.set_priority("nobody", EMERGENCY) == 0
        (event,) = heard.take()
    assert isinstance(event, ReservationPriorityChanged)
    assert (event.priority, event.reserved_for, event.account_id) == (5, "spring", "a1")
    first.release()
    served = await gone(anyone)
    assert not stranger.done()
    served.release()
    (await gone(this)).release()
    assert (await gone(stranger)).held
    second.release()


@scene(1)
async def test_a_lower_priority_moves_them_back(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    holder = await take(pool)
    owner_of_two = pool.reserve("a0", "spring", EMERGENCY)
    waiting = ask(pool, reserved_for="spring", priority=NORMAL)
    stranger = ask(pool, priority=HIGH)
    await settle()
    pool.set_priority("spring", LOW)
    owner_of_two.release()
    holder.release()
    lease = await gone(stranger)
    assert not waiting.done()
    lease.release()
    assert (await gone(waiting)).held


@scene(1)
async def test_a_name_among_very_many_lines_moves_as_a_whole(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    holder = await take(pool)
    for number in range(20):
        with pytest.raises(AcquireTimeoutError):
            await take(pool, endpoint=f"E{number}", reserved_for="spring")
    pool.reserve("a0", "spring", LOW, duration=900)
    first = ask(pool, endpoint="E0", reserved_for="spring", priority=LOW, timeout=200)
    second = ask(pool, endpoint="E19", reserved_for="spring", priority=NORMAL, timeout=200)
    await settle()
    pool.set_priority("spring", EMERGENCY)
    holder.release()
    assert (await gone(first)).held
    assert not second.done()


# ---------------------------------------------------------------- what is told


@scene(1)
async def test_each_turn_of_a_reservation_is_told(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    with pool.events.subscribe(ReservationEvent) as heard:
        reservation = pool.reserve("a0", "spring", HIGH, 60)
        reservation.extend(30)
        reservation.release()
        made, extended, over = heard.take()
    assert isinstance(made, ReservationMade)
    assert isinstance(extended, ReservationExtended)
    assert isinstance(over, ReservationEnded)
    assert (made.seconds, made.priority, extended.seconds, over.reason) == (60, 3, 30, "released")
    for event in (made, extended, over):
        assert (event.reservation_id, event.reserved_for) == (reservation.id, "spring")
        assert (event.account_id, event.pool_id) == ("a0", "default")


@scene([account("a0", capabilities=CAPABLE), account("a1")])
async def test_an_owner_gets_of_his_own_only_what_serves_him(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    for account_id in ("a0", "a1"):
        pool.reserve(account_id, "spring")
    pool.sessions.windows("a0").rest("Likes", 100)
    assert (await take(pool, reserved_for="spring", capabilities=CAPABLE)).account_id == "a0"
    assert (await take(pool, reserved_for="spring", endpoint="Likes")).account_id == "a1"
