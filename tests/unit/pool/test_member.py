from __future__ import annotations

from datetime import timedelta

import pytest

from tests.simulation.simulated_loop import EPOCH
from tests.simulation.simulated_x import SimulatedX, account
from tests.unit.pool.scene import scene
from twikit_pool.accounts import AccountState, Standing
from twikit_pool.pool import ConnectionRequest, TwikitConnectionPool
from twikit_pool.pool.member import may_recover

CAPABLE = frozenset({"long_posts"})


@pytest.mark.parametrize(
    ("standing", "recovers"),
    [
        (Standing(), True),
        (Standing(state=AccountState.QUARANTINED, until=EPOCH + timedelta(days=1)), True),
        (Standing(state=AccountState.QUARANTINED), False),
        (Standing(state=AccountState.LOCKED, until=EPOCH + timedelta(days=1)), False),
        (Standing(state=AccountState.STALE), False),
    ],
)
def test_an_account_recovers_by_itself_when_its_state_has_an_end(standing: Standing, recovers: bool) -> None:
    assert may_recover(standing) is recovers


@scene([account("a0", capabilities=CAPABLE), account("a1")])
async def test_an_account_knows_whom_it_could_serve_and_when(
    pool: TwikitConnectionPool, x: SimulatedX
) -> None:
    able, ordinary = pool.accounts()
    demanding = ConnectionRequest(capabilities=CAPABLE, endpoint="Likes")
    assert able.could_serve(demanding)
    assert not ordinary.could_serve(demanding)
    assert ordinary.could_serve(ConnectionRequest())
    assert ordinary.could_serve(ConnectionRequest(account_id="a1"))
    assert not ordinary.could_serve(ConnectionRequest(account_id="a0"))
    pool.sessions.windows("a0").rest("Likes", 20)
    pool.quarantine("a0", "a rest", 5)
    assert able.could_serve(demanding), "whatever it does now"
    assert able.wait_for(demanding) == pytest.approx(20)
    assert able.wait_for(ConnectionRequest()) == 0
    assert (able.why_barred, ordinary.why_barred) == ("quarantined: a rest", "")
