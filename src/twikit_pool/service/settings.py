"""Settings of the daemon: flags, then the environment, then a file; the first that says something counts.

    loaded = load_settings({"service": {"port": 8701}})
    loaded.settings.pools["default"].config.max_connections
    loaded.origins  # {"service.port": "flag", ...}

It imports neither the server nor the pool, so that a command line that only looks at settings is quick.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from twikit_pool.accounts.locations import expanded
from twikit_pool.alerts.addresses import is_web
from twikit_pool.alerts.rules import problems
from twikit_pool.config import DEFAULT_CONNECTION_POOL_CONFIG, ConnectionPoolConfig
from twikit_pool.errors import ConfigError
from twikit_pool.redaction import Secret
from twikit_pool.safety.settings import SafetySettings, what_is_missing
from twikit_pool.service.sections import (
    NAMES,
    POOL_KINDS,
    PRIORITIES,
    SECRETS,
    SECTIONS,
    AccountSettings,
    AlertSettings,
    AutomationSettings,
    HistorySettings,
    JobSettings,
    PoolSettings,
    ServerSettings,
    ServiceSettings,
    default_pools,
)
from twikit_pool.service.setting_sources import (
    MOST_POOLS,
    POOL_NAME,
    POOL_NAME_WORDS,
    POOLS,
    Given,
    Layer,
    find_file,
    layer_of,
    layer_of_environment,
    tables_of,
)
from twikit_pool.service.setting_words import NONE, Complaints, bounds, in_toml, kinds, masked, shown, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Loaded", "ServiceSettings", "is_loopback", "load_settings"]

LOOPBACK_NAME: Final = "localhost"
NOTHING: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType({})

CHOICES: Final = ("store", "cookies", "sandbox", "simulator")
"""Where accounts come from: one of these."""

_SIZES: Final = frozenset({"min_connections", "initial_connections"})
"""Those that follow `max_connections` while nobody gives them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Settings, and where they come from.

    Attributes:
        settings: all of them.
        origins: by the full name of each that was given: "flag", "environment VARIABLE" or "file PATH".
        file: the file that was read, if there was one.
    """

    settings: ServiceSettings
    origins: Mapping[str, str]
    file: Path | None


def load_settings(
    overrides: Mapping[str, Mapping[str, Any]] = NOTHING,
    *,
    file: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    cwd: Path | None = None,
) -> Loaded:
    """The settings that are in force.

    Args:
        overrides: what flags say, by section and setting.
        file: the file; if not given, ./twikit-pool.toml or the user's own, if there is one.
        environ: the environment.
        cwd: the folder in which they are looked for.

    Raises:
        ConfigError: the file cannot be read; or naming every setting that is wrong, its value, what it must
            be, and where it comes from.
    """
    folder = Path() if cwd is None else cwd
    complaints = Complaints()
    flags = layer_of(overrides, SECTIONS, NAMES, complaints, origin="flag", folder=folder)
    found = find_file(file, folder)
    kept = Layer()
    if found is not None:
        path, text = found
        kept = layer_of(
            tables_of(path, text), SECTIONS, NAMES, complaints, origin=f"file {path}", folder=path.parent
        )
    variables = layer_of_environment(
        environ,
        SECTIONS,
        NAMES,
        {**kept.pools, **flags.pools},
        complaints,
        folder=folder,
    )
    reading = _Reading((flags, variables, kept), complaints)
    settings = reading.settings()
    complaints.end()
    return Loaded(
        settings=settings,
        origins=MappingProxyType(reading.origins),
        file=None if found is None else found[0],
    )


class _Reading:
    """Makes settings of what the sources say, the strongest of which comes first."""

    def __init__(self, layers: tuple[Layer, ...], complaints: Complaints) -> None:
        self._layers = layers
        self._complaints = complaints
        self._wrong: set[str] = set()
        self.origins: dict[str, str] = {}
        """Where each setting comes from that was given, by its full name."""

    def settings(self) -> ServiceSettings:
        """All of them; without those that are wrong, about which it complains."""
        pools = self._pools()
        given = self._merged(layer.sections.get("service", {}) for layer in self._layers)
        service = ServerSettings(**self._right("service", given, kinds(ServerSettings)))
        accounts = AccountSettings(**self._right("accounts", self._accounts(), kinds(AccountSettings)))
        given = self._merged(layer.sections.get("automation", {}) for layer in self._layers)
        automation = AutomationSettings(**self._right("automation", given, kinds(AutomationSettings)))
        given = self._merged(layer.sections.get("safety", {}) for layer in self._layers)
        safety = SafetySettings(**self._right("safety", given, kinds(SafetySettings)))
        given = self._merged(layer.sections.get("jobs", {}) for layer in self._layers)
        jobs = JobSettings(**self._right("jobs", given, kinds(JobSettings)))
        given = self._merged(layer.sections.get("history", {}) for layer in self._layers)
        history = HistorySettings(**self._right("history", given, kinds(HistorySettings)))
        given = self._merged(layer.sections.get("alerts", {}) for layer in self._layers)
        alerts = AlertSettings(**self._right("alerts", given, kinds(AlertSettings)))
        self._see_who_reaches(service)
        self._see_one_choice(accounts)
        self._see_shares(automation, pools)
        self._see_alerts(alerts, pools)
        for name, words in what_is_missing(safety):
            full = f"safety.{name}"
            self._complain(
                lambda full=full, words=words: f"{full} {words}", self.origins.get(full, "the default")
            )
        return ServiceSettings(
            service=service,
            accounts=accounts,
            automation=automation,
            safety=safety,
            jobs=jobs,
            history=history,
            alerts=alerts,
            pools=pools,
        )

    # ------------------------------------------------------------ what was given

    @staticmethod
    def _merged(several: Iterable[Mapping[str, Given]]) -> dict[str, Given]:
        merged: dict[str, Given] = {}
        for each in several:
            merged = {**each, **merged}
        return merged

    def _accounts(self) -> dict[str, Given]:
        """As `_merged`, but who chooses accounts sets aside what weaker sources chose."""
        several = [layer.sections.get("accounts", {}) for layer in self._layers]
        for place, given in enumerate(several):
            if any(name in given and not _is_none(given[name].value) for name in CHOICES):
                weaker = [
                    {name: value for name, value in each.items() if name not in CHOICES}
                    for each in several[place + 1 :]
                ]
                return self._merged([*several[: place + 1], *weaker])
        return self._merged(several)

    def _right(self, section: str, given: Mapping[str, Given], known: Mapping[str, Any]) -> dict[str, Any]:
        """The values that are what they must be; complains about the others."""
        right: dict[str, Any] = {}
        names = (*(f"{section}.{name}" for name in known), *NAMES)
        for name, each in given.items():
            full = f"{section}.{name}"
            if name not in known:
                self._complain(lambda full=full, names=names: unknown(full, names), each.origin)
                continue
            try:
                right[name] = _placed(_converted(each, known[name], name), name, each.folder)
            except msgspec.ValidationError:
                self._wrong.add(full)
                words = bounds(known[name])
                value = "what it is, which is not shown" if name in SECRETS else shown(each.value)
                self._complain(
                    lambda full=full, words=words, value=value: f"{full} must be {words}, not {value}",
                    each.origin,
                )
            except ConfigError as error:  # a home folder of nobody
                self._complain(lambda full=full, why=str(error): f"{full}: {masked(why)}", each.origin)
            else:
                self.origins[full] = each.origin
        return right

    def _complain(self, words: Callable[[], str], *origins: str) -> None:
        places = f" ({'; '.join(origins)})" if origins else ""
        self._complaints.add(lambda: f"{words()}{places}")

    # ------------------------------------------------------------ pools

    def _pools(self) -> dict[str, PoolSettings]:
        names = list(dict.fromkeys(name for layer in reversed(self._layers) for name in layer.pools))
        if len(names) > MOST_POOLS:
            self._complaints.add(lambda: f"there may be {MOST_POOLS} pools, not {len(names)}")
            names = names[:MOST_POOLS]
        pools: dict[str, PoolSettings] = {}
        for name in names:
            given = self._merged(layer.pools.get(name, {}) for layer in self._layers)
            if POOL_NAME.fullmatch(name):
                pools[name] = self._pool(f"{POOLS}.{name}", given)
            else:
                origins = dict.fromkeys(each.origin for each in given.values())
                self._complain(
                    lambda name=name: f"the name of a pool has {POOL_NAME_WORDS}, not {shown(name)}", *origins
                )
        return pools or default_pools()

    def _pool(self, section: str, given: Mapping[str, Given]) -> PoolSettings:
        right = self._right(section, given, POOL_KINDS)
        own = {name: right.pop(name) for name in ("accept_tags", "shared") if name in right}
        try:
            config = ConnectionPoolConfig.from_mapping(right)
        except ConfigError as error:
            config = DEFAULT_CONNECTION_POOL_CONFIG
            wrong = (given.keys() & POOL_KINDS.keys()) - right.keys()
            unsure = set(wrong)
            if "max_connections" in wrong:
                unsure |= _SIZES - given.keys()
            for words in str(error).split("; "):
                # Each by itself is right, so these are about how they agree: names, words and numbers.
                named = [each for each in re.findall(r"\w+", words) if each in POOL_KINDS]
                if unsure.isdisjoint(named):
                    self._complain(lambda words=words: f"{section}.{in_toml(words)}", *_origins(named, given))
        return PoolSettings(config=config, **own)

    # ------------------------------------------------------------ how they agree

    def _see_who_reaches(self, service: ServerSettings) -> None:
        unsure = "service.allow_remote" in self._wrong
        if not (service.allow_remote or unsure or is_loopback(service.host)):
            self._complain(
                lambda: (
                    "service.host must be an address that only this machine reaches, as 127.0.0.1, ::1 or "
                    f"{LOOPBACK_NAME}, not {shown(service.host)}, unless service.allow_remote is true"
                ),
                self.origins["service.host"],
            )

    def _see_one_choice(self, accounts: AccountSettings) -> None:
        chosen = [name for name in CHOICES if getattr(accounts, name) is not None]
        if len(chosen) > 1:
            origins = dict.fromkeys(self.origins[f"accounts.{name}"] for name in chosen)
            names = " and ".join(f"accounts.{name}" for name in chosen)
            self._complain(lambda: f"{names} exclude each other: give one of them", *origins)

    def _see_shares(self, automation: AutomationSettings, pools: Mapping[str, PoolSettings]) -> None:
        for setting in ("guarantees", "priorities"):
            full = f"automation.{setting}"
            for name in getattr(automation, setting):
                if name not in pools:
                    self._complain(
                        lambda full=full, name=name: (
                            f"{full} must name pools that there are ({', '.join(list(pools)[:10])}), "
                            f"not {shown(name)}"
                        ),
                        self.origins[full],
                    )
            unsure = "automation.most_connections" in self._wrong
            if getattr(automation, setting) and automation.most_connections is None and not unsure:
                self._complain(
                    lambda full=full: f"{full} needs automation.most_connections, of which they are shares",
                    self.origins[full],
                )
        whole, most = sum(automation.guarantees.values()), automation.most_connections
        if most is not None and whole > most:
            self._complain(
                lambda: (
                    f"automation.guarantees must be at most most_connections ({most}) together, not {whole}"
                ),
                self.origins["automation.guarantees"],
            )

    def _see_alerts(self, alerts: AlertSettings, pools: Mapping[str, PoolSettings]) -> None:
        for number, url in enumerate(alerts.webhooks, start=1):
            if not is_web(url):
                self._complain(
                    lambda number=number: (
                        f"alerts.webhooks must begin with http:// or https://, and number {number} does not"
                    ),
                    self.origins["alerts.webhooks"],
                )
        for words in problems(alerts.rules):
            self._complain(lambda words=words: masked(words), self.origins["alerts.rules"])
        for rule, table in alerts.rules.items():
            named = table.get("pools")
            for name in cast("list[object]", named) if isinstance(named, list) else ():
                if isinstance(name, str) and name not in pools:
                    self._complain(
                        lambda rule=rule, name=name: (
                            f"alerts.rules.{masked(rule)}.pools must name pools that there are "
                            f"({', '.join(list(pools)[:10])}), not {shown(name)}"
                        ),
                        self.origins["alerts.rules"],
                    )


def _origins(named: Iterable[str], given: Mapping[str, Given]) -> Iterator[str]:
    """Where those come from that disagree, each place once."""
    told: set[str] = set()
    for name in dict.fromkeys(named):
        origin = given[name].origin if name in given else "the default"
        if origin not in told:
            yield f"{name}: {origin}" if told else origin
            told.add(origin)


# ---------------------------------------------------------------- values


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches this address."""
    if host == LOOPBACK_NAME:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name: who it leads to is not known
        return False


def _is_none(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.lower() == NONE)


def _converted(given: Given, kind: Any, name: str) -> Any:
    """The first way to read it that is right."""
    *others, last = _readings(given, name)
    for value in others:
        try:
            return msgspec.convert(value, kind, dec_hook=_made)
        except msgspec.ValidationError:
            continue
    return msgspec.convert(last, kind, dec_hook=_made)


def _readings(given: Given, name: str) -> Iterator[object]:
    """What may be meant: None by its word, priorities by theirs, a variable's text as it stands."""
    value = given.value
    if _is_none(value):
        yield None
    elif isinstance(value, list):
        yield [None if _is_none(each) else each for each in cast("list[object]", value)]
    elif isinstance(value, dict) and name == "priorities":
        entries = cast("dict[object, object]", value)
        yield {
            pool: PRIORITIES.get(each.upper(), each) if isinstance(each, str) else each
            for pool, each in entries.items()
        }
    if given.text is not None and not isinstance(value, str):
        yield value
        yield given.text
    else:
        yield value


def _made(kind: type, value: object) -> Any:
    if kind is Secret and isinstance(value, str) and value:
        return Secret(value)
    if kind is Path and isinstance(value, str) and value and "\0" not in value:
        return Path(value)
    raise ValueError("it is neither a path nor a secret")


def _placed(value: Any, name: str, folder: Path) -> Any:
    """A relative path begins where it was given: a file's in its folder."""
    if isinstance(value, Path):
        return folder / expanded(value)
    if name in ("store", "cookies") and isinstance(value, str) and "://" not in value:
        return str(folder / expanded(value))
    return value
