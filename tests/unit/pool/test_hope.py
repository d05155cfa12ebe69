from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.simulation.simulated_loop import EPOCH
from tests.simulation.simulated_x import SimulatedX, account
from tests.unit.pool.scene import ask, gone, holders, scene, settle, source_of, take
from twikit_pool.accounts import AccountState, Standing
from twikit_pool.errors import (
    AccountNotFound,
    AccountUnavailable,
    AcquireTimeoutError,
    NoAccountAvailable,
)
from twikit_pool.pool import ConnectionRequest, TwikitConnectionPool

CAPABLE = frozenset({"long_posts"})

# ---------------------------------------------------------------- no hope


@scene([account("a0"), account("a1", standing=Standing(state=AccountState.LOCKED, reason="by X"))])
async def test_who_asks_for_what_nobody_has_is_told_at_once(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    with pytest.raises(AccountNotFound, match="pool 'default' has no account 'nobody'"):
        await take(pool, account_id="nobody")
    with pytest.raises(AccountUnavailable, match="a1 is locked: by X"):
        await take(pool, account_id="a1")
    with pytest.raises(
        NoAccountAvailable,
        match=r"can serve this request: none of 2 accounts fits \(it must be able to: long_posts\)",
    ):
        await take(pool, capabilities=CAPABLE)
    with pytest.raises(NoAccountAvailable, match="no account can serve like_tweet"):
        await take(pool, capabilities=CAPABLE, action="like_tweet", reserved_for="spring")
    with pytest.raises(NoAccountAvailable):
        await take(pool, capabilities=CAPABLE, account_id="a0")


@scene([account("a0", capabilities=CAPABLE), account("a1")])
async def test_those_who_wait_are_told_when_the_last_hope_is_gone(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    await take(pool, account_id="a0")
    await take(pool, account_id="a1")
    capable, owners = ask(pool, capabilities=CAPABLE), ask(pool, capabilities=CAPABLE, reserved_for="spring")
    this, anyone, other = ask(pool, account_id="a0"), ask(pool), ask(pool, account_id="a1")
    await settle()
    locked = Standing(state=AccountState.LOCKED, reason="by X")
    pool.roster.standing_changed("a0", locked)
    await settle()
    for each in (capable, owners):
        assert isinstance(each.exception(), NoAccountAvailable)
    assert isinstance(this.exception(), AccountUnavailable)
    assert not anyone.done()
    assert not other.done()
    pool.roster.standing_changed("a1", locked)
    await settle()
    assert isinstance(anyone.exception(), NoAccountAvailable)
    assert isinstance(other.exception(), AccountUnavailable)
    assert pool.waiting == 0


@scene([account("a0")])
async def test_a_state_that_ends_by_itself_leaves_hope(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    until = EPOCH + timedelta(seconds=30)
    pool.roster.standing_changed(
        "a0", Standing(state=AccountState.QUARANTINED, reason="too fast", until=until)
    )
    pool.roster.standing_changed(
        "a0", Standing(state=AccountState.QUARANTINED, reason="too fast", until=until)
    )
    waiting = ask(pool)
    await asyncio.sleep(29.9)
    assert not waiting.done()
    await asyncio.sleep(0.2)
    assert (await gone(waiting)).held


@scene([account("a0")])
async def test_a_state_that_has_ended_already_bars_nobody_for_long(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    await asyncio.sleep(10)
    past = EPOCH + timedelta(seconds=5)
    pool.roster.standing_changed(
        "a0", Standing(state=AccountState.QUARANTINED, reason="too fast", until=past)
    )
    assert (await take(pool, timeout=0.1)).held


@scene(1)
async def test_a_state_that_ends_in_a_moment_bars_for_that_moment(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    soon = EPOCH + timedelta(seconds=x.loop.time() + 0.3)
    pool.roster.standing_changed(
        "a0", Standing(state=AccountState.QUARANTINED, reason="too fast", until=soon)
    )
    assert (await take(pool, timeout=0.4)).held


@scene(1)
async def test_two_bars_must_both_be_lifted(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    pool.quarantine("a0", "a rest", 10)
    pool.roster.standing_changed("a0", Standing(state=AccountState.DISABLED, reason="by a person"))
    await asyncio.sleep(11)
    with pytest.raises(AccountUnavailable, match="a0 is disabled: by a person"):
        await take(pool, account_id="a0")
    pool.roster.standing_changed("a0", Standing())
    (await take(pool)).release()


@scene(1)
async def test_another_quarantine_takes_the_place_of_the_last(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    pool.quarantine("a0", "a short rest", 5)
    pool.quarantine("a0", "a long rest", 20)
    await asyncio.sleep(19)
    with pytest.raises(AcquireTimeoutError, match="1 quarantined"):
        await take(pool, timeout=0.5)
    (await take(pool)).release()
    pool.quarantine("a0", "a rest", 100)
    pool.end_quarantine("a0")
    pool.end_quarantine("a0")
    (await take(pool)).release()
    with pytest.raises(AccountNotFound):
        pool.quarantine("nobody", "a rest", 5)
    with pytest.raises(AccountNotFound):
        pool.end_quarantine("nobody")


# ---------------------------------------------------------------- accounts that come and go


@scene([account("a0"), account("a1")])
async def test_an_account_that_is_gone_from_the_source_is_let_go(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    lease = await take(pool, account_id="a0")
    waiting, anyone = ask(pool, account_id="a0"), ask(pool, account_id="a1")
    kept = pool.reserve("a0", "spring")
    await settle()
    pool.sessions.source = source_of(account("a1"), account("a2", capabilities=CAPABLE))
    await pool.refresh()
    await settle()
    assert pool.account_ids == {"a1", "a2"}
    assert kept.ended == "released"
    assert isinstance(waiting.exception(), AccountNotFound)
    assert (await gone(anyone)).held
    assert lease.held
    lease.release()
    await settle()
    assert {each.account_id for each in pool.connections()} == {"a1", "a2"}
    with pytest.raises(AccountNotFound):
        await take(pool, account_id="a0")
    assert (await take(pool, capabilities=CAPABLE)).account_id == "a2"


@scene([account("a0")])
async def test_a_request_made_before_anybody_could_do_it_is_served_by_who_comes(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    newly_heard_of = frozenset({"made up for this test alone"})
    request = ConnectionRequest(capabilities=newly_heard_of)
    with pytest.raises(NoAccountAvailable):
        await pool.acquire(request)
    pool.sessions.source = source_of(account("a0"), account("a1", capabilities=newly_heard_of))
    await pool.refresh()
    assert (await pool.acquire(request)).account_id == "a1"


@scene([account("a0"), account("a1", capabilities=CAPABLE)])
async def test_waiters_learn_when_the_account_they_need_is_gone(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    pool.sessions.windows("a1").rest("Likes", 100)
    waiting = ask(pool, capabilities=CAPABLE, endpoint="Likes")
    await settle()
    pool.sessions.source = source_of(account("a0"))
    await pool.refresh()
    await settle()
    assert isinstance(waiting.exception(), NoAccountAvailable)
    await asyncio.sleep(200)


@scene([account("a0", capabilities=CAPABLE)])
async def test_a_new_kind_of_account_serves_who_waits_already(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    await take(pool)
    gone_again = ask(pool, endpoint="Likes")
    await settle()
    gone_again.cancel()
    anyone, owners = ask(pool), ask(pool, reserved_for="spring")
    demanding = ask(pool, capabilities=CAPABLE)
    await settle()
    pool.sessions.source = source_of(account("a0", capabilities=CAPABLE), account("a1"), account("a2"))
    await pool.refresh()
    await settle()
    assert {(await gone(anyone)).account_id, (await gone(owners)).account_id} == {"a1", "a2"}
    assert not demanding.done()


@scene([account("a0")])
async def test_what_nobody_could_do_a_new_account_may(pool: TwikitConnectionPool, x: SimulatedX) -> None:
    for wish in ({}, {"reserved_for": "spring"}):
        with pytest.raises(NoAccountAvailable):
            await take(pool, capabilities=CAPABLE, **wish)
    pool.sessions.source = source_of(account("a0"), account("a1", capabilities=CAPABLE))
    await pool.refresh()
    holder = await take(pool, capabilities=CAPABLE)
    waiting = [ask(pool, capabilities=CAPABLE), ask(pool, capabilities=CAPABLE, reserved_for="spring")]
    await settle()
    assert pool.waiting == 2
    assert await holders(waiting, holder) == [0, 1]


@scene([account("a0"), account("a1")])
async def test_an_account_that_was_let_go_has_nothing_to_come(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    member = pool.matching.members["a0"]
    pool.sessions.windows("a0").rest("Likes", 100)
    pool.quarantine("a0", "a rest", 100)
    to_come = [*member.thaws.values(), *member.lifted.values()]
    assert len(to_come) == 3  # the window, the window as LOW requests see it, and the quarantine
    assert all(each.slot for each in to_come)
    pool.sessions.source = source_of(account("a1"))
    await pool.refresh()
    assert not any(each.slot for each in to_come)


@scene([account("a0"), account("a1")], max_connections=2)
async def test_an_account_that_comes_back_does_not_mix_with_its_old_connection(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    old = await take(pool, account_id="a0")
    pool.sessions.source = source_of(account("a1"))
    await pool.refresh()
    pool.sessions.source = source_of(account("a0"), account("a1"))
    await pool.refresh()
    await settle()
    with pytest.raises((AccountNotFound, AcquireTimeoutError)):  # it would be two at once on one account
        await take(pool, account_id="a0")
    old.release()
    await settle()
    await pool.refresh()
    assert (await take(pool, account_id="a0")).held
    await settle()
    assert {each.account_id for each in pool.connections()} == {"a0", "a1"}
    assert pool.size == 2


@scene([account("a0")])
async def test_a_refresh_takes_in_the_state_that_the_source_has(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    disabled = replace(account("a0"), standing=Standing(state=AccountState.DISABLED, reason="by a person"))
    pool.sessions.source = source_of(disabled)
    await pool.refresh()
    with pytest.raises(AccountUnavailable, match="a0 is disabled"):
        await take(pool, account_id="a0")


# ---------------------------------------------------------------- in an owner's name


@scene(1)
async def test_who_waits_in_a_name_is_served_though_many_other_names_were_heard_meanwhile(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    holder = await take(pool)
    with pytest.raises(AcquireTimeoutError):
        await take(pool, account_id="a0", reserved_for="spring")
    for number in range(20):
        with pytest.raises(AcquireTimeoutError):
            await take(pool, reserved_for=f"other {number}")
    pool.reserve("a0", "spring", duration=900)
    waiting = ask(pool, account_id="a0", reserved_for="spring")
    await settle()
    holder.release()
    await settle()
    assert waiting.done()


@scene(1)
async def test_who_waits_in_a_name_is_not_forgotten_among_many_lines(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    holder = await take(pool)
    for number in range(20):
        with pytest.raises(AcquireTimeoutError):
            await take(pool, endpoint=f"E{number}", reserved_for="spring")
    waiting = ask(pool, endpoint="E0", reserved_for="spring", timeout=500)
    for number in range(20):
        with pytest.raises(AcquireTimeoutError):
            await take(pool, reserved_for=f"other {number}")
    pool.reserve("a0", "spring", duration=900)
    holder.release()
    await settle()
    assert waiting.done()


@scene(1)
async def test_names_and_lines_that_nobody_needs_are_forgotten(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    await take(pool)
    for number in range(50):
        for wish in ({"reserved_for": f"n{number}"}, {"account_id": "a0", "endpoint": f"E{number}"}):
            with pytest.raises(AcquireTimeoutError):
                await take(pool, timeout=0, **wish)
    assert len(pool.matching.owners) <= 9
    assert len(pool.matching.members["a0"].lines) <= 9
