"""Alerts in a file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from tests.integration.alerts.test_destinations import ALERT, NOW
from twikit_pool.alerts import AlertFile, AlertState, Silence
from twikit_pool.alerts import store as stores
from twikit_pool.errors import StoreError

SILENCE = Silence(id="1", rule="queue_long", until=datetime(2027, 1, 1, tzinfo=UTC), created_at=NOW)


async def test_what_is_saved_is_loaded_and_nobody_else_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "alerts.json"
    file = AlertFile(path)
    assert (await file.load()).alerts == ()
    await file.save([ALERT], [SILENCE])
    over = msgspec.structs.replace(ALERT, id="2", state=AlertState.RESOLVED, resolved_at=NOW)
    await file.save([over], [])
    assert path.stat().st_mode & 0o077 == 0
    kept = await AlertFile(path).load()
    assert kept.alerts == (ALERT, over)
    assert kept.silences == ()
    again = AlertFile(path)
    await again.load()
    await again.save([], [SILENCE])
    assert (await AlertFile(path).load()).alerts == (ALERT, over)


async def test_it_is_bounded_but_for_what_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "MOST_OVER", 3)
    file = AlertFile(tmp_path / "alerts.json")
    over = [
        msgspec.structs.replace(
            ALERT, id=str(each), state=AlertState.RESOLVED, resolved_at=NOW + timedelta(seconds=each)
        )
        for each in range(10)
    ]
    await file.save([ALERT, *over], [])
    kept = await AlertFile(tmp_path / "alerts.json").load()
    assert [each.id for each in kept.alerts] == [ALERT.id, "7", "8", "9"]


async def test_a_damaged_file_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "alerts.json"
    path.write_text('{"version": 1, "alerts": [{}]}')
    with pytest.raises(StoreError, match=r"it is .*alerts.json.damaged now"):
        await AlertFile(path).load()
    assert (await AlertFile(path).load()).alerts == ()
    assert (tmp_path / "alerts.json.damaged").exists()


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        await AlertFile(tmp_path / "file" / "alerts.json").save([ALERT], [])
