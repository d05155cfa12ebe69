"""The sections of the daemon's settings. The bounds of one stand in its type, and its words in the docstring:
error messages and `twikit-pool config init` have them from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from twikit_pool.config import DEFAULT_CONNECTION_POOL_CONFIG, ConnectionPoolConfig
from twikit_pool.redaction import Secret
from twikit_pool.safety.settings import SafetySettings
from twikit_pool.service.setting_sources import POOLS
from twikit_pool.service.setting_words import NONE, kinds

DEFAULT_POOL: Final = "default"
"""The pool that there is when none is named."""

HISTORY_FILE: Final = "history.db"
"""What the history is called in the data folder."""

PRIORITIES: Final = MappingProxyType({"LOW": 1, "NORMAL": 2, "HIGH": 3, "CRITICAL": 4, "EMERGENCY": 5})
"""The numbers of `ConnectionPriority`, which is not imported: it brings the whole pool along, and twikit."""

# ---------------------------------------------------------------- what a setting may be

_DAY: Final = 86_400
_TEN_YEARS: Final = 3_652 * _DAY
_HOST: Final = r"\A[A-Za-z0-9_.:%-]{1,255}\Z"
_ORIGIN: Final = r"\A[a-z][a-z0-9+.-]*://[^\s/?#@A-Z]+\Z"
_ADDRESS: Final = r"\Ahttps?://[^\s/?#]+/?\Z"
_TEXT: Final = r"\A[^\0]+\Z"

Host = Annotated[str, Meta(pattern=_HOST, extra={"bounds": "an IP address or a host name"})]
Port = Annotated[int, Meta(ge=0, le=65_535, extra={"bounds": "a whole number from 0 to 65535"})]
PathOrNone = Annotated[Path | None, Meta(extra={"bounds": f'the path of a file, or "{NONE}"'})]
Seconds = Annotated[float, Meta(gt=0, le=_DAY, extra={"bounds": f"more than 0 and at most {_DAY} seconds"})]
LongSeconds = Annotated[
    float, Meta(gt=0, le=_TEN_YEARS, extra={"bounds": f"more than 0 and at most {_TEN_YEARS} seconds"})
]
BodySize = Annotated[
    int,
    Meta(ge=1_000, le=100_000_000, extra={"bounds": "a whole number of bytes from 1000 to 100000000"}),
]
HeaderSize = Annotated[
    int, Meta(ge=1_000, le=1_000_000, extra={"bounds": "a whole number of bytes from 1000 to 1000000"})
]
Several = Annotated[int, Meta(ge=1, le=1_000_000, extra={"bounds": "a whole number from 1 to 1000000"})]
Rate = Annotated[
    float, Meta(gt=0, le=1_000_000, extra={"bounds": "a number of more than 0 and at most 1000000"})
]
Origins = Annotated[
    tuple[Annotated[str, Meta(pattern=_ORIGIN)], ...],
    Meta(extra={"bounds": 'a list of origins such as "https://example.org", in small letters and no path'}),
]
SomeText = Annotated[str, Meta(pattern=_TEXT)]
CookiesOrNone = Annotated[
    SomeText | None, Meta(extra={"bounds": f'a folder of cookie files or a pattern, or "{NONE}"'})
]
StoreOrNone = Annotated[
    SomeText | None,
    Meta(extra={"bounds": f'the path of an SQLite file or a URL, postgresql+psycopg://…, or "{NONE}"'}),
]
SandboxOrNone = Annotated[
    Annotated[int, Meta(ge=1, le=10_000)] | None,
    Meta(extra={"bounds": f'a whole number of accounts from 1 to 10000, or "{NONE}"'}),
]
SimulatorOrNone = Annotated[
    Annotated[str, Meta(pattern=_ADDRESS)] | None,
    Meta(extra={"bounds": f'an address such as "http://127.0.0.1:8765", or "{NONE}"'}),
]
SeveralOrNone = Annotated[
    Annotated[int, Meta(ge=1)] | None,
    Meta(extra={"bounds": f'a whole number of connections, at least 1, or "{NONE}"'}),
]
Guarantees = Annotated[
    dict[str, Annotated[int, Meta(ge=0)]],
    Meta(extra={"bounds": "a table of whole numbers, at least 0, by pool, as { default = 20 }"}),
]
Priorities = Annotated[
    dict[str, Annotated[int, Meta(ge=1, le=5)]],
    Meta(
        extra={"bounds": f'a table of {", ".join(PRIORITIES)} or 1 to 5, by pool, as {{ default = "HIGH" }}'}
    ),
]
Weeks = Annotated[int, Meta(ge=1, le=520, extra={"bounds": "a whole number of weeks from 1 to 520"})]
Tags = Annotated[tuple[SomeText, ...], Meta(extra={"bounds": 'a list of tags, as ["uk", "news"]'})]

Webhooks = Annotated[
    tuple[Secret, ...],
    Meta(extra={"bounds": 'a list of URLs that begin with http:// or https://, as ["https://…"]'}),
]
Chats = Annotated[
    tuple[Secret, ...], Meta(extra={"bounds": 'a list of URLs as apprise has them, as ["slack://…"]'})
]
SecretOrNone = Annotated[Secret | None, Meta(extra={"bounds": f'a text, or "{NONE}"'})]
Rules = Annotated[
    dict[str, dict[str, Any]],
    Meta(extra={"bounds": "a table for each rule, which begins as [alerts.rules.NAME]"}),
]
SECRETS: Final = frozenset({"webhooks", "webhook_secret", "apprise"})
"""Settings whose values are shown nowhere."""

# ---------------------------------------------------------------- the settings


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how the daemon serves: the section `service`.

    Attributes:
        host: the address to listen on.
        port: the port; 0 is any that is free.
        allow_remote: let other machines reach it. It speaks no TLS: put a proxy in front of it.
        tokens: the file in which tokens are kept; tokens.json in the data folder when there is none.
        audit: the file in which every change is entered; audit.log in the data folder when there is none.
        shutdown_timeout: seconds in which it ends after a signal; what is not done by then is left as it is.
        max_body: bytes of a request's body at most.
        max_header: bytes of a request's headers at most.
        header_timeout: seconds in which a request's headers must arrive.
        body_timeout: seconds in which its body must arrive.
        max_requests: requests that may be under way at once; beyond them 503 is answered.
        max_sockets: network connections that may be open at once.
        requests_per_second: requests a second that each token may make in the long run.
        burst: requests that each token may make at once.
        origins: origins of pages, besides the service's own, that browsers may call it from.
    """

    host: Host = "127.0.0.1"
    port: Port = 8700
    allow_remote: bool = False
    tokens: PathOrNone = None
    audit: PathOrNone = None
    shutdown_timeout: Seconds = 30.0
    max_body: BodySize = 1_000_000
    max_header: HeaderSize = 32_768
    header_timeout: Seconds = 10.0
    body_timeout: Seconds = 30.0
    max_requests: Several = 1_000
    max_sockets: Several = 2_000
    requests_per_second: Rate = 200.0
    burst: Several = 400
    origins: Origins = ()


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which accounts it serves: the section `accounts`. One of the first four; none is your own store.

    Attributes:
        store: the account store: the path of an SQLite file, or a URL.
        cookies: a folder of cookie files, or a pattern.
        sandbox: how many accounts of a simulator that is made for this run.
        simulator: the address of a simulator that runs already.
        sandbox_faults: whether things go wrong in that sandbox now and then.
    """

    store: StoreOrNone = None
    cookies: CookiesOrNone = None
    sandbox: SandboxOrNone = None
    simulator: SimulatorOrNone = None
    sandbox_faults: bool = True


class AutomationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is done about the pools together: the section `automation`.

    Attributes:
        most_connections: connections that all pools together may have; without it, as many as they may by
            themselves.
        guarantees: how many of those a pool may always have, by its name.
        priorities: whose need is served first, by pool; NORMAL where it is not named.
    """

    most_connections: SeveralOrNone = None
    guarantees: Guarantees = msgspec.field(default_factory=dict[str, int])
    priorities: Priorities = msgspec.field(default_factory=dict[str, int])


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told when something is wrong, and what is wrong: the section `alerts`.

    Attributes:
        enabled: whether it is looked for what is wrong.
        webhooks: URLs that messages are posted to, as JSON. They are secrets, and shown nowhere.
        webhook_secret: what those messages are signed with, as Standard Webhooks has it.
        apprise: services that messages are sent to through apprise, which the extra `notify` brings. Secrets.
        file: the file in which alerts outlive a restart; alerts.json in the data folder when there is none.
        rules: changes of the built-in rules, and rules of your own, by name.
    """

    enabled: bool = True
    webhooks: Webhooks = ()
    webhook_secret: SecretOrNone = None
    apprise: Chats = ()
    file: PathOrNone = None
    rules: Rules = msgspec.field(default_factory=dict[str, dict[str, Any]])


class JobSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Batches of jobs that the service carries out: the section `jobs`.

    Attributes:
        folder: where batches and their results are kept; jobs in the data folder when there is none.
        max_batches: batches that may run at once; beyond them 503 is answered.
        max_jobs: jobs that a batch may have.
        max_kept: batches that have ended and are kept with their results; then the oldest go.
        keep_for: seconds for which one that has ended is kept.
        grace: seconds that calls in flight have to end when a batch is cancelled.
        allow_engagement: run likes, reposts and follows too, which X forbids to automate. Simulated accounts
            need no leave.
    """

    folder: PathOrNone = None
    max_batches: Several = 16
    max_jobs: Several = 100_000
    max_kept: Several = 1_000
    keep_for: LongSeconds = 604_800.0
    grace: Seconds = 10.0
    allow_engagement: bool = False


class HistorySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of what pools do: the section `history`.

    Attributes:
        enabled: keep it. Otherwise the last day is in memory, and a restart begins anew.
        store: where: the path of an SQLite file, or a URL; history.db in the data folder when there is none.
        weeks: weeks for which hours, days of accounts, and events are kept; points of ten seconds and minutes
            are kept for a pool's metrics_retention_days.
    """

    enabled: bool = True
    store: StoreOrNone = None
    weeks: Weeks = 12


class PoolSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A pool: the section `pools.NAME`, which has the settings of `ConnectionPoolConfig` beside these.

    Attributes:
        accept_tags: tags of which an account must have one to be in the pool; without any, all are.
        shared: whether it may have accounts that other shared pools have too; they take turns.
        config: how it behaves.
    """

    accept_tags: Tags = ()
    shared: bool = False
    config: ConnectionPoolConfig = DEFAULT_CONNECTION_POOL_CONFIG


def default_pools() -> dict[str, PoolSettings]:
    """The one that there is when none is named."""
    return {DEFAULT_POOL: PoolSettings()}


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of the daemon.

    Attributes:
        service: where and how it serves.
        accounts: which accounts.
        automation: what is done about the pools together.
        alerts: who is told when something is wrong.
        safety: what may be posted.
        jobs: batches of jobs.
        history: what is kept of what they do.
        pools: the pools by name.
    """

    service: ServerSettings = ServerSettings()
    accounts: AccountSettings = AccountSettings()
    automation: AutomationSettings = AutomationSettings()
    alerts: AlertSettings = AlertSettings()
    safety: SafetySettings = SafetySettings()
    jobs: JobSettings = JobSettings()
    history: HistorySettings = HistorySettings()
    pools: Mapping[str, PoolSettings] = msgspec.field(default_factory=default_pools)


SECTIONS: Final = MappingProxyType(
    {
        "service": ServerSettings,
        "accounts": AccountSettings,
        "automation": AutomationSettings,
        "alerts": AlertSettings,
        "safety": SafetySettings,
        "jobs": JobSettings,
        "history": HistorySettings,
    }
)
"""The sections, but for the pools."""

POOL_KINDS: Final = MappingProxyType(
    {name: kind for name, kind in kinds(PoolSettings).items() if name != "config"}
    | kinds(ConnectionPoolConfig)
)
"""The type of each setting of a pool."""

NAMES: Final = (
    *(f"{section}.{name}" for section, settings in SECTIONS.items() for name in kinds(settings)),
    *(f"{POOLS}.{DEFAULT_POOL}.{name}" for name in POOL_KINDS),
    *SECTIONS,
    POOLS,
)
"""Of every setting and section, in full; those of pools by the example of one."""
