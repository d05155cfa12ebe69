from __future__ import annotations

import asyncio
import io
import json
import os
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from cyclopts import App

from twikit_pool.accounts import AccountStore, CookieFolder, Keyring
from twikit_pool.cli.accounts import app as accounts_app
from twikit_pool.cli.keys import app as keys_app
from twikit_pool.errors import AccountNotFound, ConfigError, InvalidAccount, KeyMissing
from twikit_pool.sessions import TwikitBackend, TwikitSessionManager
from twikit_pool.simulator import SimulatorProcess, SimulatorTransport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOKEN = "c0ffee" * 6 + "abcd"


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[Any, str]]:
    """Runs a command line in an empty home; gives the exit code and all that was shown."""
    monkeypatch.setenv("TWIKIT_POOL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TWIKIT_POOL_KEY_FILE", str(tmp_path / "keys" / "k"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("TWIKIT_POOL_STORE", raising=False)
    monkeypatch.delenv("TWIKIT_POOL_KEY", raising=False)
    monkeypatch.chdir(tmp_path)

    def command(line: str, typed: str = "") -> tuple[Any, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        first, *rest = line.split()
        app: App = {"accounts": accounts_app, "keys": keys_app}[first]
        code = app(rest, result_action="return_value")
        shown = "".join(capsys.readouterr())
        assert TOKEN not in shown
        assert "canary" not in shown
        return code, shown

    return command


def test_add_list_show_disable_enable_remove(run: Callable[..., tuple[Any, str]], tmp_path: Path) -> None:
    code, shown = run(
        "accounts add bob --auth-token - --handle bobby --tag news --proxy -",
        f"{TOKEN}\nhttp://u:canary@h:1\n",
    )
    assert code == 0
    assert "Back it up" in shown
    (tmp_path / "c.json").write_text(json.dumps({"auth_token": TOKEN}))
    code, shown = run("accounts add carl --cookies c.json")
    assert code == 0
    assert "Back it up" not in shown
    assert run("accounts disable carl --reason [red]holiday")[0] == 0
    code, shown = run("accounts list --state disabled --json")
    assert [(line["id"], line["state"], line["reason"]) for line in json.loads(shown)] == [
        ("carl", "disabled", "[red]holiday")
    ]
    shown = run("accounts list --tag news")[1]
    assert "bobby" in shown
    assert "carl" not in shown
    assert "proxy" in run("accounts show bob")[1]
    assert run("accounts check") == (0, "2 of 2 accounts have no problem that shows offline.\n")
    run("accounts enable carl")
    assert run("accounts remove carl")[0] == 2
    assert run("accounts remove carl --yes")[0] == 0
    assert "carl" not in run("accounts list")[1]


def test_secrets_on_the_command_line_are_refused(run: Callable[..., tuple[Any, str]], tmp_path: Path) -> None:
    assert run("accounts add bob --auth-token canary")[0] == 2
    assert run("accounts add bob --auth-token - --proxy http://u:canary@h:1", TOKEN)[0] == 2
    assert run("accounts add bob --auth-token - --proxy u:canary@h:1", TOKEN)[0] == 2
    assert run("accounts add bob --auth-token - --proxy h:1:u:canary", TOKEN)[0] == 2
    assert run("accounts add bob")[0] == 2
    assert not (tmp_path / "home").exists()


def test_import_reports_and_repeats(run: Callable[..., tuple[Any, str]], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"id,auth_token,password\na,{TOKEN},canary\nb,,canary\n")
    code, shown = run("accounts import a.csv")
    assert code == 1
    assert "a.csv, line 3: it has no cookies" in shown
    assert "1 added, 0 updated, 0 unchanged, 1 rejected" in shown
    assert "0 added, 0 updated, 1 unchanged, 1 rejected" in run("accounts import a.csv --format csv")[1]
    (tmp_path / "a.csv").write_text(f"id,auth_token\na,{TOKEN[::-1]}\n")
    code, shown = run("accounts import a.csv")
    assert code == 0
    assert "1 updated" in shown


def test_export_and_import_again(run: Callable[..., tuple[Any, str]], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"id,auth_token,tags\na,{TOKEN},x\nb,{TOKEN},y\n")
    run("accounts import a.csv")
    assert run("accounts export public.jsonl --tag x")[0] == 0
    assert TOKEN not in (tmp_path / "public.jsonl").read_text()
    with pytest.raises(ConfigError, match="--force"):
        run("accounts export public.jsonl")
    assert run("accounts export whole.jsonl --include-secrets")[0] == 0
    assert "2 unchanged" in run("accounts import whole.jsonl")[1]
    assert run("accounts export folder --format cookies")[0] == 2
    assert run("accounts export folder --format cookies --include-secrets")[0] == 0
    assert not CookieFolder(tmp_path / "folder").problems
    assert "2 unchanged" in run("accounts import folder")[1]


def test_check_finds_problems(run: Callable[..., tuple[Any, str]]) -> None:
    run("accounts add bob --auth-token -", "canary")
    code, shown = run("accounts check")
    assert code == 1
    assert "40 hex digits" in shown


def test_a_misspelled_cap_is_told_when_it_comes_in_and_by_check(
    run: Callable[..., tuple[Any, str]], tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(f"id,auth_token,caps\na,{TOKEN},CreateTwet=5 SearchTimeline=9\n")
    for line, code in (("accounts import a.csv", 0), ("accounts check", 1)):
        ended, shown = run(line)
        assert ended == code
        assert "its cap holds nothing back: no action and no endpoint is called 'CreateTwet'" in shown
        assert "did you mean 'CreateTweet'?" in shown
        assert "SearchTimeline" not in shown


def test_keys(run: Callable[..., tuple[Any, str]], tmp_path: Path) -> None:
    run("accounts add bob --auth-token -", TOKEN)
    old = (tmp_path / "keys" / "k").read_text().split(":")[1].strip()
    code, shown = run("keys check")
    assert (code, "1 accounts open, 0 do not" in shown) == (0, True)
    code, shown = run("keys rotate")
    assert (code, "1 accounts are sealed with the new key" in shown) == (0, True)
    assert old in (tmp_path / "keys" / "k").read_text()
    run("keys rotate --drop-old")
    assert old not in (tmp_path / "keys" / "k").read_text()
    assert old not in shown
    assert str(tmp_path / "keys" / "k") in run("keys where")[1]
    assert "bob" in run("accounts list")[1]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_keys_check_sees_open_folders(run: Callable[..., tuple[Any, str]], tmp_path: Path) -> None:
    run("accounts add bob --auth-token -", TOKEN)
    (tmp_path / "keys").chmod(0o755)
    code, shown = run("keys check")
    assert (code, "chmod 700" in shown) == (1, True)


def test_a_key_file_that_cannot_be_reached_is_told(
    run: Callable[..., tuple[Any, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # What cannot be reached for lack of a permission, root can: a name that is too long nobody can.
    monkeypatch.setenv("TWIKIT_POOL_KEY_FILE", str(tmp_path / ("k" * 300)))
    for line in ("accounts list", "accounts add bob --auth-token -"):
        with pytest.raises(KeyMissing, match="cannot be read: File name too long"):
            run(line, TOKEN)
    code, shown = run("keys where")
    assert (code, "(cannot be reached: File name too long)" in shown) == (0, True)
    assert not list(tmp_path.iterdir())


def test_keys_in_the_environment(
    run: Callable[..., tuple[Any, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TWIKIT_POOL_KEY", "old:" + "A" * 43 + "=")
    run("accounts add bob --auth-token -", TOKEN)
    assert not (tmp_path / "keys").exists()
    with pytest.raises(ConfigError, match="put a new key before it in TWIKIT_POOL_KEY"):
        run("keys rotate")
    with pytest.raises(ConfigError, match="--drop-old is for a key file"):
        run("keys rotate --drop-old")
    monkeypatch.setenv("TWIKIT_POOL_KEY", "new:" + "B" * 42 + "A=,old:" + "A" * 43 + "=")
    assert "the new key new" in run("keys rotate")[1]


def test_no_key_is_made_for_a_store_that_has_one(run: Callable[..., tuple[Any, str]], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no account store .*accounts\.db: `twikit-pool accounts import"):
        run("accounts list")
    assert not list(tmp_path.iterdir())
    run("accounts add bob --auth-token -", TOKEN)
    (tmp_path / "keys" / "k").unlink()
    before = (tmp_path / "home" / "accounts.db").read_bytes()
    for line in ("accounts add carl --auth-token -", "accounts list", "keys check", "keys rotate"):
        with pytest.raises(KeyMissing, match="no encryption key"):
            run(line, TOKEN)
    assert not (tmp_path / "keys" / "k").exists()
    assert (tmp_path / "home" / "accounts.db").read_bytes() == before


def test_a_malformed_account_makes_no_store(run: Callable[..., tuple[Any, str]], tmp_path: Path) -> None:
    with pytest.raises(InvalidAccount):
        run("accounts add ../x --auth-token -", TOKEN)
    with pytest.raises(ConfigError, match="no auth_token of bob was given"):
        run("accounts add bob --auth-token -", "\n")
    assert not list(tmp_path.iterdir())


def test_several_files_are_imported_at_once(run: Callable[..., tuple[Any, str]], tmp_path: Path) -> None:
    for name in ("bob", "carl"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"auth_token": TOKEN, "ct0": "c" * 32}))
    (tmp_path / "odd.json").write_text(json.dumps({"ct0": "c" * 32}))
    code, shown = run("accounts import bob.json odd.json carl.json")
    assert code == 1
    assert "bob.json: read as cookies: 1 added" in shown
    assert "odd.json, " in shown
    assert "2 accounts" in run("accounts list")[1]
    with pytest.raises(ConfigError, match="--id names one account"):
        run("accounts import bob.json carl.json --id dan")


@pytest.mark.parametrize(
    "line",
    [
        "accounts list",
        "accounts show bob",
        "accounts disable bob",
        "accounts remove bob --yes",
        "accounts export out.jsonl",
        "accounts check",
        "keys check",
        "keys rotate",
    ],
)
def test_a_mistyped_store_is_told_and_not_made(
    run: Callable[..., tuple[Any, str]], tmp_path: Path, line: str
) -> None:
    run("accounts add bob --auth-token -", TOKEN)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(ConfigError, match=r"no account store .*typo\.db: .* makes one from cookie files"):
        run(f"{line} --store typo.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_the_state_of_a_new_account_is_imported_and_that_of_a_known_one_stays(
    run: Callable[..., tuple[Any, str]],
) -> None:
    run("accounts add bob --auth-token -", TOKEN)
    run("accounts disable bob --reason resting")
    run("accounts export backup.jsonl --include-secrets")
    run("accounts enable bob")
    assert "1 unchanged" in run("accounts import backup.jsonl")[1]
    assert json.loads(run("accounts list --json")[1])[0]["state"] == "active"
    run("accounts remove bob --yes")
    run("accounts import backup.jsonl")
    [bob] = json.loads(run("accounts list --json")[1])
    assert (bob["state"], bob["reason"]) == ("disabled", "resting")


def test_check_live_asks_about_each_account_and_keeps_what_it_hears(
    run: Callable[..., tuple[Any, str]], tmp_path: Path
) -> None:
    with SimulatorProcess(accounts=3) as x:
        for each in x.accounts:
            (tmp_path / f"{each.id}.json").write_text(json.dumps(dict(each.cookies)))
        run("accounts import sim_001.json sim_002.json sim_003.json")
        run("accounts disable sim_003 --reason resting")
        assert run(f"accounts check --live --simulator {x.url}")[0] == 0
        x.fault("lock", account="sim_002")
        code, shown = run(f"accounts check --live --simulator {x.url}")
        assert code == 1
        assert "2/2 sim_00" in shown, "a line for each account, where there is no terminal for a bar"
        assert "locked: the account is locked" in shown
        assert "2 of 3 accounts have no problem that shows live." in shown
        assert "sim_002" in run("accounts list --state locked")[1]
        x.clear_faults()
        assert run(f"accounts check --live --simulator {x.url}")[0] == 0
        states = json.loads(run("accounts list --json")[1])
        assert [each["state"] for each in states] == ["active", "active", "disabled"]


def test_who_disabled_an_account_is_told(
    run: Callable[..., tuple[Any, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("accounts add bob --auth-token -", TOKEN)
    monkeypatch.setenv("LOGNAME", "ada")
    run("accounts disable bob --reason resting")
    assert "resting, by ada" in run("accounts list")[1]
    shown = run("accounts show bob")[1]
    assert [line.strip().split(maxsplit=1) for line in shown.splitlines()[1:4]] == [
        ["state", "disabled"],
        ["reason", "resting"],
        ["by", "ada"],
    ]
    assert json.loads(run("accounts show bob --json")[1])["by"] == "ada"


def test_list_and_show_tell_what_is_left_of_the_budgets(
    run: Callable[..., tuple[Any, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def search(url: str, times: int) -> None:
        async with await AccountStore.open(None, keyring=Keyring.load()) as store:
            backend = TwikitBackend(transport=lambda _account: SimulatorTransport(url))
            async with TwikitSessionManager(store, backend=backend) as sessions:
                for _ in range(times):
                    await sessions.execute_action("sim_001", "search_tweet", {"query": "python"})

    with SimulatorProcess(accounts=2) as x:
        for each in x.accounts:
            (tmp_path / f"{each.id}.json").write_text(json.dumps(dict(each.cookies)))
        run("accounts import sim_001.json sim_002.json")
        asyncio.run(search(x.url, 3))
        first, second = run("accounts list")[1].splitlines()[1:3]
        assert "SearchTimeline 47/50" in first
        assert "/50" not in second
        asyncio.run(search(x.url, 47))
    shown = run("accounts list")[1]
    assert re.search(r"sim_001 .* open again in 1[45] min: SearchTimeline", shown)
    assert "SearchTimeline 0/50, a new window in" in run("accounts show sim_001")[1]
    [budget] = json.loads(run("accounts show sim_001 --json")[1])["budgets"]
    assert (budget["endpoint"], budget["left"], budget["limit"]) == ("SearchTimeline", 0, 50)
    monkeypatch.setenv("COLUMNS", "80")
    assert len(run("accounts list")[1].splitlines()) == 4, "in a pipe each account stays in one line"


def test_refresh_gives_fresh_cookies_and_says_what_it_did(
    run: Callable[..., tuple[Any, str]], tmp_path: Path
) -> None:
    run("accounts add bob --auth-token -", f"{TOKEN}\n")
    fresh = TOKEN[::-1]

    def becomes(state: str) -> None:
        with closing(sqlite3.connect(tmp_path / "home" / "accounts.db")) as connection, connection:
            connection.execute("UPDATE twikit_pool_accounts SET state = ?, reason = 'X said so'", [state])

    becomes("stale")
    code, shown = run("accounts refresh bob --auth-token -", f"{TOKEN}\n")
    assert (code, "has this log-in already and is stale" in shown) == (1, True)
    code, shown = run("accounts refresh bob --auth-token -", f"{fresh}\n")
    assert (code, "is active again. It was stale: X said so" in shown) == (0, True)
    assert fresh not in shown
    becomes("locked")
    (tmp_path / "c.json").write_text(json.dumps({"auth_token": TOKEN}))
    code, shown = run("accounts refresh bob --cookies c.json")
    assert (code, "has fresh cookies, and is still locked: X said so" in shown) == (1, True)
    becomes("disabled")
    code, shown = run("accounts refresh bob --cookies c.json")
    assert (code, shown.strip()) == (
        1,
        "bob has this log-in already and is disabled. To use it again: accounts enable.",
    )
    for bad in ("c.txt", "none.json"):
        (tmp_path / "c.txt").write_text("{")
        with pytest.raises(InvalidAccount, match=rf"^{bad}: "):
            run(f"accounts refresh bob --cookies {bad}")
    becomes("active")
    code, shown = run("accounts refresh bob --auth-token -", f"{fresh}\n")
    assert (code, shown.strip()) == (0, "bob has fresh cookies.")
    assert run("accounts refresh bob")[0] == 2
    assert run(f"accounts refresh bob --auth-token {fresh}")[0] == 2
    with pytest.raises(AccountNotFound):
        run("accounts refresh nobody --auth-token -", f"{fresh}\n")


def test_caps_that_are_not_understood_hide_no_account(
    run: Callable[..., tuple[Any, str]], tmp_path: Path
) -> None:
    (tmp_path / "accounts.csv").write_text(f"id,auth_token,caps\nbob,{TOKEN},post_tweets=20/day\n")
    assert run("accounts import accounts.csv")[0] == 0

    async def leave_a_ledger() -> None:
        async with await AccountStore.open(
            tmp_path / "home" / "accounts.db", keyring=Keyring.load()
        ) as store:
            await store.save_ledgers({"bob": b'{"saved_at":0.0}'})

    asyncio.run(leave_a_ledger())
    code, shown = run("accounts list")
    assert code == 0
    assert "bob" in shown
