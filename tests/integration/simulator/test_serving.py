from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from twikit_pool.errors import AccountNotFound, ConfigError
from twikit_pool.simulator import Simulator, SimulatorProcess, SimulatorTransport

if TYPE_CHECKING:
    from tests.integration.simulator.conftest import Connect, HandClock

pytest_plugins = ["pytester"]


def head(x: Simulator, body: bytes = b"", *more: str, path: str = "/i/api/graphql/q/FavoriteTweet") -> bytes:
    account = x.accounts[0]
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: x.com",
        f"Cookie: auth_token={account.auth_token}; ct0={account.ct0}",
        f"X-Csrf-Token: {account.ct0}",
        "X-Client-Transaction-Id: t",
        *more,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def talk(x: Simulator, *pieces: bytes, answers: int = 1) -> list[bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", x.port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01)
    found = []
    for _ in range(answers):
        first = await reader.readuntil(b"\r\n\r\n")
        length = int(first.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        found.append(first.partition(b"\r\n")[0] + b"|" + await reader.readexactly(length))
    writer.close()
    await writer.wait_closed()
    return found


LIKED = b'HTTP/1.1 200 OK|{"data":{"favorite_tweet":"Done"}}'


async def test_bodies_counted_and_chunked_in_any_pieces(x: Simulator) -> None:
    tweets = [str(tweet.id) for tweet in list(x.world.newest(x.world.words.all))[:3]]
    bodies = [b'{"variables":{"tweet_id":"%s"}}' % tweet.encode() for tweet in tweets]
    counted = head(x, bodies[0], f"Content-Length: {len(bodies[0])}")
    assert await talk(x, *[counted[n : n + 40] for n in range(0, len(counted), 40)]) == [LIKED]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in (bodies[1][:9], bodies[1][9:])) + b"0\r\n\r\n"
    chunked = head(x, chunks, "Transfer-Encoding: chunked")
    assert await talk(x, *[chunked[n : n + 7] for n in range(0, len(chunked), 7)]) == [LIKED]
    assert [w.key for w in x.writes] == tweets[:2]


async def test_pipelined_requests_are_answered_in_order(x: Simulator) -> None:
    tweets = [str(tweet.id) for tweet in list(x.world.newest(x.world.words.all))[:20]]
    wire = b""
    for tweet in tweets:
        body = b'{"variables":{"tweet_id":"%s"}}' % tweet.encode()
        wire += head(x, body, f"Content-Length: {len(body)}")
    assert await talk(x, wire, answers=20) == [LIKED] * 20
    assert [w.key for w in x.writes] == tweets


@pytest.mark.parametrize(
    "wire",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"a" * 70_000,
    ],
)
async def test_what_is_no_http_is_turned_away(x: Simulator, wire: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", x.port)
    writer.write(wire)
    assert (await reader.read()).startswith(b"HTTP/1.1 400 Bad Request")
    writer.close()
    await writer.wait_closed()


async def test_bad_json_is_a_400(x: Simulator) -> None:
    answer = await talk(x, head(x, b"{oops", "Content-Length: 5"))
    assert answer[0].startswith(b"HTTP/1.1 400 Bad Request|")
    answer = await talk(x, head(x, b'{"variables":{}}', "Content-Length: 16"))
    assert b"tweet_id is missing" in answer[0]


async def test_a_client_that_leaves_does_not_stop_its_call(x: Simulator) -> None:
    x.fault("slow", seconds=0.1)
    tweet = next(x.world.newest(x.world.words.all))
    body = b'{"variables":{"tweet_id":"%d"}}' % tweet.id
    _, writer = await asyncio.open_connection("127.0.0.1", x.port)
    writer.write(head(x, body, f"Content-Length: {len(body)}"))
    await writer.drain()
    await asyncio.sleep(0.03)
    writer.close()
    await writer.wait_closed()
    assert x.writes == []
    await asyncio.sleep(0.15)
    assert len(x.writes) == 1


async def test_the_same_seed_and_calls_give_the_same_answers(connect: Connect, clock: HandClock) -> None:
    async def run(seed: int) -> list[bytes]:
        seen: list[bytes] = []
        async with Simulator(accounts=2, seed=seed, clock=clock) as x:
            client = connect(x)

            async def note(response: httpx.Response) -> None:
                seen.append(await response.aread())

            client.http.event_hooks["response"].append(note)
            tweet = await client.create_tweet("hello")
            await client.favorite_tweet(tweet.id)
            await client.search_tweet("python", "Latest")
            await client.get_timeline()
            seen.append(repr([(a.auth_token, a.ct0) for a in x.accounts]).encode())
        return seen

    first = await run(1)
    assert await run(1) == first
    assert await run(2) != first


async def test_latency_is_lognormal_and_seeded(connect: Connect) -> None:
    async def run() -> list[float]:
        async with Simulator(accounts=1, latency=0.02, latency_sigma=0.8, limits=False) as x:
            client, took = connect(x), []
            await client.user_id()
            for _ in range(20):
                begun = time.monotonic()
                await client.get_user_by_screen_name("sim_001")
                took.append(time.monotonic() - begun)
        return took

    took = sorted(await run())
    assert 0.01 < took[10] < 0.06
    assert took[-1] > 2 * took[0]


async def test_stopping_lets_go_of_everything() -> None:
    async with Simulator(accounts=1) as x:
        x.fault("hang")
        x.fault("slow", seconds=30)
        url = x.url
        reader, writer = await asyncio.open_connection("127.0.0.1", x.port)
        writer.write(head(x, b"", "Content-Length: 0"))
        await asyncio.sleep(0.02)
    assert await reader.read() == b""
    writer.close()
    async with httpx.AsyncClient(transport=SimulatorTransport(url)) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("https://x.com/")


async def test_a_simulator_that_does_not_run_says_so() -> None:
    with pytest.raises(ConfigError, match="async with"):
        _ = Simulator().port
    with pytest.raises(ConfigError, match="no simulator's address"):
        SimulatorTransport("https://x.com")
    with pytest.raises(AccountNotFound, match="sim_999"):
        Simulator().rotate_ct0("sim_999")


# ---------------------------------------------------------------- the control API


async def test_control_over_http(x: Simulator, connect: Connect) -> None:
    client = connect(x)
    await client.create_tweet("hello")
    async with httpx.AsyncClient(base_url=f"{x.url}/__simulator__") as control:
        accounts = (await control.get("/accounts")).json()["accounts"]
        assert accounts[0] == {
            "id": "sim_001",
            "handle": "sim_001",
            "user_id": x.accounts[0].user_id,
            "cookies": dict(x.accounts[0].cookies),
        }
        writes = (await control.get("/writes")).json()["writes"]
        assert writes == [{"number": 1, "account": "sim_001", "endpoint": "CreateTweet", "key": "hello"}]
        calls = (await control.get("/calls")).json()
        assert {"endpoint": "CreateTweet", "account": "sim_001", "status": 200, "count": 1} in calls["calls"]
        assert calls["total"] == len(x.calls) == 3
        assert (await control.get("/state")).json()["writes"] == 1
        made = await control.post("/faults", json={"kind": "code", "code": 226, "endpoint": "CreateTweet"})
        assert made.json()["faults"][0]["code"] == 226
        assert len((await control.get("/faults")).json()["faults"]) == 1
        with pytest.raises(Exception, match="226"):
            await client.create_tweet("again")
        assert (await control.delete("/faults?account=sim_002")).json()["faults"] != []
        assert (await control.delete("/faults")).json()["faults"] == []
        before = x.accounts[0].ct0
        await control.post("/rotate?account=sim_001")
        assert x.accounts[0].ct0 != before
        for body in (b'{"kind":"lok"}', b"{", b'{"kind":"lock","acount":"a"}'):
            assert (await control.post("/faults", content=body)).status_code == 400
        assert (await control.get("/nothing")).status_code == 404
        assert (await control.post("/rotate?account=nobody")).status_code == 404


async def test_control_is_only_for_the_loopback(x: Simulator) -> None:
    async with httpx.AsyncClient(transport=x.transport()) as client:
        answer = await client.get("https://evil.example/__simulator__/accounts")
    assert answer.status_code == 404
    assert b"cookies" not in answer.content


# ---------------------------------------------------------------- a process of its own


async def test_a_simulator_of_its_own_process(connect: Connect) -> None:
    with SimulatorProcess(accounts=2, seed=5, limits=False) as x:
        client = connect(x, 1)
        tweet = await client.create_tweet("hello")
        assert tweet.user.screen_name == x.accounts[1].handle == "sim_002"
        assert [(w.number, w.account, w.key) for w in x.writes] == [(1, "sim_002", "hello")]
        x.fault("code", code=226, endpoint="CreateTweet")
        with pytest.raises(Exception, match="226"):
            await client.create_tweet("again")
        x.clear_faults()
        await client.create_tweet("again")
        assert sum(row["count"] for row in x.calls if row["endpoint"] == "CreateTweet") == 3
        with pytest.raises(ConfigError, match="lok"):
            x.fault("lok")
        pid = x.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_killed_process_is_gone(connect: Connect) -> None:
    with SimulatorProcess(accounts=1) as x:
        client = connect(x)
        await client.user_id()
        x.kill()
        with pytest.raises(httpx.TransportError):
            await client.create_tweet("hello")


def test_the_process_ends_with_its_parent() -> None:
    script = """
        import os, sys
        from twikit_pool.simulator import SimulatorProcess
        x = SimulatorProcess(accounts=1).__enter__()
        print(x.pid, flush=True)
        os.kill(os.getpid(), 9)
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, check=False)
    pid = int(ran.stdout)
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            break
        if state == "Z":
            break
        time.sleep(0.05)
    else:
        os.kill(pid, signal.SIGKILL)
        pytest.fail("the simulator outlived its parent")


def test_a_process_with_a_wrong_setting_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="acounts"):
        SimulatorProcess(acounts=1)


# ---------------------------------------------------------------- the command


def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    start = [sys.executable, "-c", "from twikit_pool.cli import main; main()", "simulate"]
    chosen = ["--accounts", "2", "--port", "0", "--cookies-dir", str(tmp_path / "cookies")]
    process = subprocess.Popen([*start, *chosen], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = "".join(process.stdout.readline() for _ in range(4))
    url = "http://" + told.splitlines()[0].split("http://")[1]
    accounts = httpx.get(f"{url}/__simulator__/accounts").json()["accounts"]
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "SimulatorTransport" in told
    assert "Stopped after 0 calls" in rest
    files = sorted((tmp_path / "cookies").iterdir())
    assert [file.name for file in files] == ["sim_001.json", "sim_002.json"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert accounts[0]["cookies"]["auth_token"] in files[0].read_text()
    assert accounts[0]["cookies"]["auth_token"] not in told + rest


# ---------------------------------------------------------------- pytest


def test_the_plugin_imports_nothing_until_it_is_used() -> None:
    script = """
        import sys
        import pytest
        import twikit_pool.simulator.pytest_plugin
        assert not {"httpx", "twikit", "msgspec"} & set(sys.modules), sorted(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)


def test_the_fixture_gives_a_simulator_per_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import asyncio

        def test_it(x_simulator) -> None:
            async def run() -> None:
                async with x_simulator(accounts=1) as x:
                    assert x.accounts[0].id == "sim_001"
            asyncio.run(run())
        """
    )
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.runpytest("-p", "no:cacheprovider", "-p", "no:randomly").assert_outcomes(passed=1)
