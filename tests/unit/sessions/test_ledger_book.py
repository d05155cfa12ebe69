"""Rate windows over a restart: when they are saved, and what a source that fails can do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from tests.simulation.simulated_loop import SimulatedLoop, cancel_at_every_step, simulate
from tests.unit.sessions.stand_in import StandIn, account, manager_of
from twikit_pool.accounts import MemoryAccounts
from twikit_pool.errors import StoreError
from twikit_pool.sessions import TwikitSessionManager, parse_action
from twikit_pool.sessions.ledger_book import MARGIN, SAVE_EVERY
from twikit_pool.sessions.saved_ledger import SavedLedger
from twikit_pool.sessions.session import STORE_PATIENCE

LIKE = parse_action("like_tweet", {"tweet_id": "1"})
LIMIT = 100


class Keeper(MemoryAccounts):
    """Accounts in memory that keep ledgers too; it fails or hangs when told to."""

    def __init__(self, *ids: str) -> None:
        super().__init__(account(each) for each in ids)
        self.kept: dict[str, bytes] = {}
        self.savings: list[tuple[float, set[str]]] = []
        self.fails = False
        self.hangs = 0.0

    async def ledgers(self) -> Mapping[str, bytes]:
        await self._trouble()
        return dict(self.kept)

    async def save_ledgers(self, ledgers: Mapping[str, bytes]) -> None:
        await self._trouble()
        self.savings.append((asyncio.get_running_loop().time(), set(ledgers)))
        self.kept |= ledgers

    async def _trouble(self) -> None:
        await asyncio.sleep(self.hangs)
        if self.fails:
            raise StoreError("no disk")

    def left(self, account_id: str) -> int:
        window = msgspec.json.decode(self.kept[account_id], type=SavedLedger).endpoints[LIKE.spends].window
        assert window is not None
        return window.remaining


async def like(sessions: TwikitSessionManager, account_id: str, times: int = 1) -> None:
    for _ in range(times):
        await (await sessions.open(account_id)).execute(LIKE, timeout=30)


def test_what_changed_is_saved_now_and_then_and_exactly_at_the_end() -> None:
    async def main(loop: SimulatedLoop) -> None:
        source = Keeper("a", "b", "c")
        sessions = manager_of(StandIn(loop, limit=LIMIT), source)
        await sessions.accounts()
        for _ in range(10):
            await like(sessions, "a")
        await like(sessions, "b")
        await asyncio.sleep(3)
        times = [when for when, _ in source.savings]
        assert all(later - earlier > 0.99 * SAVE_EVERY for earlier, later in pairwise(times))
        assert source.savings[-1][1] == {"b"}, "only what has changed since"
        assert source.left("a") == LIMIT - 10 - MARGIN
        saved = len(source.savings)
        await asyncio.sleep(100)
        assert len(source.savings) == saved, "nothing changes, nothing is saved"
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await sessions.aclose()
        assert (source.left("a"), source.left("b")) == (LIMIT - 10, LIMIT - 1)
        assert set(source.kept) == {"a", "b"}

    simulate(main)


@pytest.mark.parametrize("first_look", ["accounts", "open", "windows"])
def test_i7_a_restart_knows_what_was_left(first_look: str) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, source = StandIn(loop, limit=5), Keeper("a")
        before = manager_of(x, source)
        await like(before, "a", 5)
        await before.aclose()
        after = manager_of(x, source)
        match first_look:
            case "accounts":
                await after.accounts()
            case "windows":
                assert after.windows("a").wait(LIKE.spends) == 0
                await after.accounts()
            case _:
                await after.open("a")
        assert 0 < after.windows("a").wait(LIKE.spends) <= 901
        await asyncio.sleep(902)
        await like(after, "a")
        await after.aclose()
        assert not x.refused

    simulate(main)


def test_i7_after_a_kill_nothing_is_sent_that_x_must_refuse() -> None:
    """The first manager is left lying, as kill -9 leaves it, at any moment."""

    async def main(loop: SimulatedLoop) -> None:
        x, source = StandIn(loop, limit=12), Keeper("a")
        killed = loop.create_task(like(manager_of(x, source), "a", 12))
        await asyncio.sleep(loop.rng.uniform(0, 4))
        killed.cancel()
        await asyncio.wait({killed})
        kept = dict(source.kept)
        await asyncio.sleep(1.5)  # what was under way reaches X; what the dead would have saved is lost
        source.kept = kept
        after = manager_of(x, source)
        session = await after.open("a")
        while x.served[LIKE.spends] < 20:
            wait = after.windows("a").wait(LIKE.spends)
            await asyncio.sleep(wait)
            await session.execute(LIKE, timeout=30)
        await after.aclose()
        assert not x.refused

    for seed in range(20):
        simulate(main, seed)


@pytest.mark.parametrize("trouble", ["fails", "hangs"])
def test_i14_a_source_in_trouble_stops_nothing_and_is_tried_again(
    trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(loop: SimulatedLoop) -> None:
        source = Keeper("a")
        sessions = manager_of(StandIn(loop, limit=LIMIT), source)
        await sessions.accounts()
        source.fails, source.hangs = trouble == "fails", 1e6 if trouble == "hangs" else 0.0
        began = loop.time()
        await like(sessions, "a", 20)
        assert loop.time() - began < 20
        await asyncio.sleep(60)
        assert not source.kept
        assert [each.message for each in caplog.records if "not saved" in each.message] != []
        source.fails, source.hangs = False, 0.0
        await asyncio.sleep(STORE_PATIENCE + 2 * SAVE_EVERY)
        assert source.left("a") == LIMIT - 20 - MARGIN
        await sessions.aclose()
        assert source.left("a") == LIMIT - 20

    with caplog.at_level(logging.WARNING):
        simulate(main)
    assert len([each for each in caplog.records if "not saved" in each.message]) == 1, "told once"


@pytest.mark.parametrize(
    "kept",
    [
        b"",
        b"{",
        b"[]",
        b'{"saved_at": "x"}',
        b"\xff",
        b'{"saved_at": 0, "endpoints": {"FavoriteTweet": {"limit": {"calls": 5, "seconds": -1}}}}',
        b'{"saved_at": 0, "caps": {"CreateTweet": [{"seconds": 86400, "slices": [[0, -500]]}]}}',
    ],
)
def test_a_damaged_ledger_is_a_warning(kept: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def main(loop: SimulatedLoop) -> None:
        source = Keeper("a")
        source.kept = {"a": kept, "gone": kept}
        sessions = manager_of(StandIn(loop), source)
        await sessions.accounts()
        await like(sessions, "a")
        await sessions.aclose()
        assert source.left("a") == 1000 - 1

    simulate(main)
    assert "learned anew" in caplog.text


@pytest.mark.parametrize("trouble", ["fails", "hangs"])
def test_ledgers_that_cannot_be_read_stop_nothing(trouble: str) -> None:
    async def main(loop: SimulatedLoop) -> None:
        source = Keeper("a")
        source.fails, source.hangs = trouble == "fails", 1e6 if trouble == "hangs" else 0.0
        sessions = manager_of(StandIn(loop), source)
        await sessions.accounts()
        assert loop.time() <= STORE_PATIENCE
        source.fails, source.hangs = False, 0.0
        await like(sessions, "a")
        await sessions.aclose()

    simulate(main)


ACTS: dict[str, Callable[[TwikitSessionManager], Any]] = {
    "accounts": lambda sessions: sessions.accounts(),
    "open": lambda sessions: sessions.open("a"),
    "call": lambda sessions: like(sessions, "a", 3),
    "close": lambda sessions: sessions.aclose(),
}


@pytest.mark.parametrize("act", ACTS)
def test_i4_cancelled_at_any_step_nothing_is_lost_but_what_was_not_saved(act: str) -> None:
    async def main(loop: SimulatedLoop) -> None:
        x, source = StandIn(loop, limit=LIMIT), Keeper("a")
        source.hangs = 0.1
        sessions = manager_of(x, source)
        if act == "close":
            await like(sessions, "a", 3)
        victim = loop.create_task(ACTS[act](sessions), name="victim")
        await asyncio.wait({victim})
        await like(sessions, "a")
        await asyncio.sleep(40)
        await sessions.aclose()
        assert source.left("a") <= LIMIT - x.served[LIKE.spends]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    assert cancel_at_every_step(main) >= 2
