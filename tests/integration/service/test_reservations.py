"""Reservations over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.integration.service.served import served
from twikit_pool.service.tokens import Scope

RESERVATIONS = "/v1/pools/default/reservations"


async def test_a_connection_is_kept_extended_and_released(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        pool = daemon.service.pool("default")
        asked = {"reserved_for": "spring", "account_id": "sim_001", "priority": 3, "duration": 60}
        made = await http.post(RESERVATIONS, json=asked)
        assert made.status_code == 201
        told = made.json()
        assert (told["account_id"], told["reserved_for"], told["priority"]) == ("sim_001", "spring", 3)
        [kept] = pool.reservations("spring")
        assert kept.id == told["id"]
        assert (await http.get(f"{RESERVATIONS}/{kept.id}")).json()["id"] == kept.id
        longer = (await http.post(f"{RESERVATIONS}/{kept.id}/extend", json={"seconds": 7200})).json()
        assert datetime.fromisoformat(longer["expires_at"]) > datetime.now(UTC) + timedelta(hours=1)
        assert (await http.delete(f"{RESERVATIONS}/{kept.id}")).status_code == 204
        assert kept.ended == "released"
        for method, path in (("DELETE", ""), ("GET", ""), ("POST", "/extend")):
            over = await http.request(method, f"{RESERVATIONS}/{kept.id}{path}", json={"seconds": 1})
            assert over.status_code == 404, method
            assert "it is over, or never was" in over.json()["detail"]


async def test_reservations_are_listed_by_owner_and_paged(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        pool = daemon.service.pool("default")
        late = pool.reserve("sim_001", "spring", duration=90)
        soon = pool.reserve("sim_002", "spring", duration=60)
        other = pool.reserve(None, "summer", duration=70)
        page = (await http.get(RESERVATIONS)).json()
        assert [each["id"] for each in page["items"]] == [soon.id, other.id, late.id]
        assert (await http.get(RESERVATIONS, params={"owner": "spring"})).json()["total"] == 2
        second = (await http.get(RESERVATIONS, params={"offset": 2})).json()
        assert (second["total"], [each["id"] for each in second["items"]]) == (3, [late.id])
        taken = await http.post(RESERVATIONS, json={"reserved_for": "autumn", "account_id": "sim_001"})
        assert taken.status_code == 409
        assert "reserved already" in taken.json()["detail"]
        nothing_left = await http.post(RESERVATIONS, json={"reserved_for": "autumn"})
        assert nothing_left.status_code == 409


async def test_what_cannot_be_reserved_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as daemon, daemon.client(Scope.EXECUTE) as http:
        unknown = await http.post(RESERVATIONS, json={"reserved_for": "x", "account_id": "nobody"})
        assert unknown.status_code == 404
        for wrong in (
            {"reserved_for": ""},
            {},
            {"reserved_for": "x", "duration": 0},
            {"reserved_for": "x", "priority": 9},
            {"reserved_for": "x", "duraton": 1},
        ):
            assert (await http.post(RESERVATIONS, json=wrong)).status_code == 422, wrong
        assert not daemon.service.pool("default").reservations()
