"""A simulator in a process of its own: for benchmarks, and for tests that kill."""

from __future__ import annotations

import selectors
import subprocess
import sys
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, Self, cast

import httpx
import msgspec

from twikit_pool.errors import ConfigError
from twikit_pool.redaction import Cookies
from twikit_pool.simulator.journal import Write
from twikit_pool.simulator.limits import UsedWindow
from twikit_pool.simulator.settings import read_settings
from twikit_pool.simulator.transport import SimulatorTransport

if TYPE_CHECKING:
    from collections.abc import Sequence

START_SECONDS: Final = 30.0
"""How long a process may take until it listens."""
STOP_SECONDS: Final = 5.0
"""How long it may take to stop before it is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteAccount:
    """An account of a simulator elsewhere; its cookies as they were when asked."""

    id: str
    handle: str
    user_id: str
    cookies: Cookies

    @property
    def auth_token(self) -> str:
        """The log-in cookie."""
        return self.cookies["auth_token"]


class SimulatorProcess:
    """A simulator of its own process, controlled over HTTP.

        with SimulatorProcess(accounts=25) as x:
            client = MyClient(transport=x.transport())

    Args:
        port: where to listen on the loopback; 0 takes a free one.
        settings: fields of `Settings`.

    Raises:
        ConfigError: a setting is unknown or out of range, or the process does not start.
    """

    def __init__(self, *, port: int = 0, **settings: Any) -> None:
        self._start_with = msgspec.json.encode({"port": port, "settings": read_settings(settings)})
        self._process: subprocess.Popen[bytes] | None = None
        self._http: httpx.Client | None = None
        self.url = ""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "twikit_pool.simulator.served"]
        # A session of its own: Ctrl-C is for the parent, whose end closes the pipe and so ends this one too.
        self._process = subprocess.Popen(  # noqa: S603  nothing but our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        stdin, stdout = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        stdin.write(self._start_with + b"\n")
        stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            told = stdout.readline() if selector.select(START_SECONDS) else b""
        if not told:
            self.kill()
            raise ConfigError("the simulator's process did not start; what it printed says why")
        self.url = f"http://127.0.0.1:{int(told)}"
        self._http = httpx.Client(base_url=f"{self.url}/__simulator__", trust_env=False)
        return self

    def __exit__(self, *_: object) -> None:
        if self._http is not None:
            self._http.close()
        process = self._process
        if process is None:
            return
        self._close_pipes(process)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kill the process at once, as a crash of the machine would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._close_pipes(self._process)

    def _close_pipes(self, process: subprocess.Popen[bytes]) -> None:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    @property
    def pid(self) -> int:
        """The process's id."""
        if self._process is None:
            raise ConfigError("the simulator's process does not run: enter it with `with` first")
        return self._process.pid

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.url.rpartition(":")[2])

    def transport(self) -> SimulatorTransport:
        """A transport for one client; the client closes it."""
        return SimulatorTransport(self.url)

    def _ask(self, method: str, what: str, body: object = None) -> dict[str, Any]:
        if self._http is None:
            raise ConfigError("the simulator's process does not run: enter it with `with` first")
        answer = self._http.request(method, what, content=msgspec.json.encode(body))
        if answer.status_code != 200:
            raise ConfigError(f"the simulator refuses {method} {what}: {answer.text}")
        return msgspec.json.decode(answer.content, type=dict[str, Any])

    @property
    def accounts(self) -> Sequence[RemoteAccount]:
        """The accounts that may log in."""
        return msgspec.convert(
            self._ask("GET", "/accounts")["accounts"],
            list[RemoteAccount],
            dec_hook=lambda _, given: Cookies(given),
        )

    @property
    def writes(self) -> Sequence[Write]:
        """Every write that took effect, in order, answered or not."""
        return msgspec.convert(self._ask("GET", "/writes")["writes"], list[Write])

    @property
    def calls(self) -> list[dict[str, Any]]:
        """How many calls came: rows of endpoint, account, status and count."""
        return self._ask("GET", "/calls")["calls"]

    @property
    def windows(self) -> Sequence[UsedWindow]:
        """Every rate window there has been, in the order in which they began."""
        return msgspec.convert(self._ask("GET", "/windows")["windows"], list[UsedWindow])

    def fault(self, kind: str, **fields: Any) -> None:
        """From now on this goes wrong; see `Fault` for the fields."""
        self._ask("POST", "/faults", {"kind": kind, **fields})

    def clear_faults(self) -> None:
        """Nothing goes wrong any more."""
        self._ask("DELETE", "/faults")
