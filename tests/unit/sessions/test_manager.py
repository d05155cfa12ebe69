"""Several sessions of one account, and what stays known of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from tests.simulation.simulated_loop import EPOCH, SimulatedLoop, simulate
from tests.unit.sessions.stand_in import StandIn, account, manager_of
from twikit_pool.accounts import Account, AccountState, MemoryAccounts, Standing
from twikit_pool.errors import AccountNotFound, InvalidAccount, PoolClosed, StoreError
from twikit_pool.redaction import Cookies
from twikit_pool.sessions import CallFailed, Outcome, Taken, Verdict, parse_action
from twikit_pool.sessions.session import CLOSING_PATIENCE

LIKE = parse_action("like_tweet", {"tweet_id": "1"})
STALE = Verdict(outcome=Outcome.SESSION_STALE, reason="dead cookies", bench=AccountState.STALE)
LOCKED = Verdict(outcome=Outcome.ACCOUNT_ILL, reason="locked", bench=AccountState.LOCKED)
Scene = Callable[[SimulatedLoop], Coroutine[Any, Any, None]]


def simulated(scene: Scene) -> Callable[[], None]:
    """Make a scene a test."""

    def test() -> None:
        simulate(scene, order="fifo")

    test.__name__, test.__doc__ = scene.__name__, scene.__doc__
    return test


class Store(MemoryAccounts):
    """A source that fails, or takes its time, when told to."""

    def __init__(self, accounts: list[Account]) -> None:
        super().__init__(accounts)
        self.fails = False
        self.slow = 0.0

    async def accounts(self) -> Any:
        read = await super().accounts()
        await asyncio.sleep(self.slow)
        return read

    async def account(self, account_id: str) -> Account:
        read = await super().account(account_id)
        await asyncio.sleep(self.slow)
        return read

    async def save_cookies(self, account_id: str, cookies: Cookies) -> None:
        if self.fails:
            raise StoreError("no disk")
        await super().save_cookies(account_id, cookies)

    async def set_standing(self, account_id: str, standing: Standing) -> None:
        await asyncio.sleep(self.slow)
        if self.fails:
            raise StoreError("no disk")
        await super().set_standing(account_id, standing)


class Ear:
    def __init__(self) -> None:
        self.standings: list[tuple[str, AccountState]] = []
        self.logins: list[str] = []
        self.windows: list[tuple[str, str]] = []

    def standing_changed(self, account_id: str, standing: Standing, verdict: Verdict | None = None) -> None:
        self.standings.append((account_id, standing.state))

    def login_changed(self, account: Account) -> None:
        self.logins.append(account.credentials.cookies["auth_token"])

    def logged_in(self, account_id: str, today: int) -> None: ...

    def window_changed(self, account_id: str, endpoint: str) -> None:
        self.windows.append((account_id, endpoint))


@simulated
async def test_each_opening_makes_a_session_and_each_closing_ends_one(loop: SimulatedLoop) -> None:
    x = StandIn(loop)
    sessions = manager_of(x)
    first = await sessions.open("brand")
    second, third = sessions.open_account(account()), sessions.open_account(account())
    assert len({id(each) for each in (first, second, third)}) == 3
    assert first.windows is second.windows is sessions.windows("brand")
    assert await sessions.open("brand") is first
    await sessions.close_session(first)
    await sessions.close_session(first)
    assert [each.closed for each in (first, second, third)] == [True, False, False]
    assert await sessions.open("brand") is second
    await sessions.close("brand")
    await sessions.close("brand")
    assert all(each.closed for each in (second, third))
    assert all(link.closed for link in x.links)
    fourth = await sessions.open("brand")
    assert fourth not in (first, second, third)
    await sessions.aclose()
    assert fourth.closed


@simulated
async def test_a_session_closed_on_its_own_is_not_given_out_again(loop: SimulatedLoop) -> None:
    sessions = manager_of(StandIn(loop))
    first = await sessions.open("brand")
    await first.aclose()
    assert await sessions.open("brand") is not first
    await sessions.aclose()


@simulated
async def test_a_new_session_starts_from_what_x_said_last(loop: SimulatedLoop) -> None:
    x = StandIn(loop)
    sessions = manager_of(x, Store([account()]))
    stale = account()
    session = sessions.open_account(stale)
    x.links[0].rotate(ct0="new")
    await session.execute(LIKE, timeout=9)
    await sessions.settle("brand", LOCKED)
    await sessions.close_session(session)
    again = sessions.open_account(stale)
    for each in (again.account, sessions.known("brand")):
        assert each is not None
        assert each.credentials.cookies["ct0"] == "new"
        assert each.standing.state is AccountState.LOCKED
    assert sessions.known("nobody") is None
    await sessions.aclose()


@simulated
async def test_cookies_that_the_store_did_not_take_are_known_all_the_same(loop: SimulatedLoop) -> None:
    x, store = StandIn(loop), Store([account()])
    sessions = manager_of(x, store)
    session = await sessions.open("brand")
    store.fails = True
    x.links[0].rotate(ct0="new")
    await session.execute(LIKE, timeout=9)
    await sessions.close("brand")
    for again in (await sessions.open("brand"), sessions.open_account(account())):
        assert again.account.credentials.cookies["ct0"] == "new"
    store.fails = False
    x.links[1].rotate(ct0="newer")
    await (await sessions.open("brand")).execute(LIKE, timeout=9)
    await sessions.close("brand")
    await store.save_cookies("brand", Cookies(auth_token="canary", ct0="by hand"))
    assert (await sessions.open("brand")).account.credentials.cookies["ct0"] == "by hand"
    await sessions.aclose()


@simulated
async def test_a_standing_reaches_every_session_and_observer_before_the_store(loop: SimulatedLoop) -> None:
    store, ear, gone = Store([account()]), Ear(), Ear()
    store.slow = 1.0
    sessions = manager_of(StandIn(loop), store)
    sessions.watch(ear)
    sessions.watch(gone)
    sessions.unwatch(gone)
    sessions.unwatch(gone)
    opened = [sessions.open_account(account()) for _ in range(3)]
    settling = loop.create_task(sessions.settle("brand", LOCKED))
    await asyncio.sleep(0)
    assert ear.standings == [("brand", AccountState.LOCKED)]
    assert {each.account.standing.state for each in opened} == {AccountState.LOCKED}
    assert (await MemoryAccounts.account(store, "brand")).standing.state is AccountState.ACTIVE
    await settling
    assert (await store.account("brand")).standing.state is AccountState.LOCKED
    assert gone.standings == []
    await sessions.check("brand")
    assert ear.standings[1:] == [("brand", AccountState.ACTIVE)]
    await sessions.aclose()


@simulated
async def test_windows_are_told_with_their_account(loop: SimulatedLoop) -> None:
    sessions, ear = manager_of(StandIn(loop)), Ear()
    sessions.watch(ear)
    await (await sessions.open("brand")).execute(LIKE, timeout=9)
    assert ear.windows == [("brand", LIKE.spends)] * 2  # shut while nobody knew, then open
    sessions.windows("other").rest("S", 5)
    assert ear.windows[2:] == [("other", "S")]
    await sessions.aclose()


@simulated
async def test_a_look_at_the_source_brings_what_was_changed_there(loop: SimulatedLoop) -> None:
    store, ear = Store([account()]), Ear()
    sessions = manager_of(StandIn(loop), store)
    sessions.watch(ear)
    session = await sessions.open("brand")
    until = EPOCH + timedelta(hours=1)
    await store.set_standing("brand", Standing(state=AccountState.QUARANTINED, reason="by hand", until=until))
    await store.save_cookies("brand", Cookies(auth_token="another log-in"))
    (read,) = await sessions.accounts()
    assert ear.standings == [("brand", AccountState.QUARANTINED)]
    assert session.account.standing is read.standing
    assert sessions.known("brand") == read
    assert sessions.open_account(account()).account.credentials.cookies["auth_token"] == "another log-in"
    await sessions.aclose()


@pytest.mark.parametrize("look", ["accounts", "open"])
@pytest.mark.parametrize("fails", [True, False])
def test_an_old_read_does_not_undo_what_was_learned(look: str, fails: bool) -> None:
    """Learned before the read and not saved, or learned while it was under way."""

    async def main(loop: SimulatedLoop) -> None:
        store = Store([account()])
        sessions = manager_of(StandIn(loop), store)
        await sessions.accounts()
        store.fails = fails
        if fails:
            await sessions.settle("brand", LOCKED)
        store.slow = 1.0
        reading = loop.create_task(sessions.accounts() if look == "accounts" else sessions.open("brand"))
        await asyncio.sleep(0.5)
        if not fails:
            await sessions.settle("brand", LOCKED)
        read: Any = await reading
        latest = read[0] if look == "accounts" else read.account
        assert latest.standing.state is AccountState.LOCKED
        known = sessions.known("brand")
        assert known is not None
        assert known.standing.state is AccountState.LOCKED
        store.fails = False
        await sessions.aclose()
        assert (await store.account("brand")).standing.state is AccountState.LOCKED

    simulate(main, order="fifo")


@simulated
async def test_closing_cuts_a_running_call_short_and_those_behind_it(loop: SimulatedLoop) -> None:
    x = StandIn(loop, least=20)
    sessions = manager_of(x)
    session, other = sessions.open_account(account()), sessions.open_account(account())
    running = loop.create_task(session.execute(LIKE, timeout=30))
    behind = loop.create_task(session.execute(LIKE, timeout=30))
    await asyncio.sleep(1)
    await sessions.close_session(session)
    assert loop.time() == 1
    assert running.done()
    cut, refused = await asyncio.gather(running, behind, return_exceptions=True)
    assert isinstance(cut, CallFailed)
    assert (cut.verdict.taken, cut.verdict.reason) == (
        Taken.UNKNOWN,
        "the session was closed while the call ran",
    )
    assert isinstance(refused, PoolClosed)
    assert await other.execute(LIKE, timeout=30) == LIKE.spends
    await sessions.aclose()


@simulated
async def test_a_call_that_does_not_let_itself_be_cut_holds_nobody_up_for_ever(loop: SimulatedLoop) -> None:
    x = StandIn(loop)
    sessions = manager_of(x)
    session = await sessions.open("brand")

    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(100)
        await asyncio.sleep(100)

    call = loop.create_task(session.call("stubborn", stubborn, endpoint=None, timeout=30))
    await asyncio.sleep(1)
    await sessions.close_session(session)
    assert (loop.time(), x.links[0].closed) == (1 + CLOSING_PATIENCE, 1)
    await asyncio.gather(call, return_exceptions=True)


@simulated
async def test_another_log_in_in_the_source_is_told_and_heals_what_the_old_one_was_refused_for(
    loop: SimulatedLoop,
) -> None:
    store, ear = Store([account()]), Ear()
    sessions = manager_of(StandIn(loop), store)
    sessions.watch(ear)
    old = await sessions.open("brand")
    await sessions.settle("brand", STALE)
    await store.save_cookies("brand", Cookies(auth_token="fresh"))
    await sessions.accounts()
    assert ear.logins == ["fresh"]
    assert ear.standings == [("brand", AccountState.STALE), ("brand", AccountState.ACTIVE)]
    assert (await store.account("brand")).standing.state is AccountState.ACTIVE
    assert old.superseded
    new = await sessions.open("brand")
    assert (new is old, new.account.credentials.cookies["auth_token"]) == (False, "fresh")
    await store.save_cookies("brand", Cookies(auth_token="fresh", ct0="newer"))
    await sessions.accounts()
    assert (ear.logins, new.superseded) == (["fresh"], False)
    await sessions.aclose()


@simulated
async def test_another_log_in_unlocks_nobody(loop: SimulatedLoop) -> None:
    store = Store([account()])
    sessions = manager_of(StandIn(loop), store)
    await sessions.open("brand")
    await sessions.settle("brand", LOCKED)
    await sessions.give_cookies("brand", {"auth_token": "fresh"})
    kept = await store.account("brand")
    assert kept.standing.state is AccountState.LOCKED
    assert kept.credentials.cookies == {"auth_token": "fresh"}
    await sessions.aclose()


@pytest.mark.parametrize("what", ["disabled", "fresh cookies"])
def test_what_a_person_has_said_meanwhile_counts_for_more_than_an_answer(what: str) -> None:
    """The store was changed by another program, and this one does not know it yet."""

    async def main(loop: SimulatedLoop) -> None:
        store, ear = Store([account()]), Ear()
        sessions = manager_of(StandIn(loop), store)
        sessions.watch(ear)
        await sessions.open("brand")
        by_hand = Standing(state=AccountState.DISABLED, by="ann")
        if what == "disabled":
            await store.set_standing("brand", by_hand)
        else:
            await store.save_cookies("brand", Cookies(auth_token="fresh"))
        await sessions.settle("brand", STALE)
        expected = by_hand if what == "disabled" else Standing()
        assert (await store.account("brand")).standing == expected
        known = sessions.known("brand")
        assert known is not None
        assert known.standing == expected
        assert ear.standings[-1] == ("brand", expected.state)
        await sessions.settle("brand", STALE if what == "disabled" else LOCKED)
        kept = (await store.account("brand")).standing.state
        assert kept is (AccountState.DISABLED if what == "disabled" else AccountState.LOCKED)
        await sessions.aclose()

    simulate(main, order="fifo")


@simulated
async def test_an_illness_keeps_its_first_evidence(loop: SimulatedLoop) -> None:
    sessions, ear = manager_of(StandIn(loop)), Ear()
    await sessions.open("brand")
    sessions.watch(ear)
    first = await sessions.settle("brand", LOCKED)
    await asyncio.sleep(10)
    assert await sessions.settle("brand", LOCKED) is first
    assert len(ear.standings) == 1
    await sessions.aclose()


@simulated
async def test_cookies_that_are_given_are_used_though_the_store_fails(loop: SimulatedLoop) -> None:
    store = Store([account()])
    sessions = manager_of(StandIn(loop), store)
    await sessions.open("brand")
    store.fails = True
    await sessions.give_cookies("brand", {"auth_token": "fresh"})
    await sessions.accounts()
    assert (await sessions.open("brand")).account.credentials.cookies["auth_token"] == "fresh"
    with pytest.raises(InvalidAccount):
        await sessions.give_cookies("brand", {"ct0": "x"})
    with pytest.raises(AccountNotFound):
        await sessions.give_cookies("nobody", {"auth_token": "x"})
    store.fails = False
    await sessions.aclose()
