"""`twikit-pool config`: the settings of the daemon, checked, shown, and written to begin with."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from twikit_pool.accounts import locations
from twikit_pool.accounts.private_files import create_private, replace_private
from twikit_pool.alerts.rules import rules_of
from twikit_pool.cli.config_text import as_json, as_toml, commented
from twikit_pool.cli.courtesy import courteous
from twikit_pool.errors import ConfigError
from twikit_pool.safety.settings import MEMORY
from twikit_pool.service.sections import HISTORY_FILE
from twikit_pool.service.setting_sources import FILE_NAME
from twikit_pool.service.setting_words import masked
from twikit_pool.service.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twikit_pool.service.sections import AccountSettings, AlertSettings, HistorySettings, PoolSettings
    from twikit_pool.service.settings import Loaded

app = App(name="config", help="The settings of `twikit-pool serve`.")


@app.command
def check(*, config: Path | None = None) -> int:
    """Say whether the settings are right and what they would serve, or all that is wrong with them.

    Args:
        config: the file of settings; ./twikit-pool.toml or your own when not given.
    """
    screen = courteous(sys.stdout)
    for line in _summary(load_settings(file=config)):
        screen.print(line, highlight=False, markup=False, soft_wrap=True)
    return 0


@app.command
def show(
    *,
    config: Path | None = None,
    origin: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Show the settings that are in force, as TOML; passwords are masked.

    Args:
        config: the file of settings; ./twikit-pool.toml or your own when not given.
        origin: also where each comes from.
        json: one JSON object with settings, origins and the file's path, for programs.
    """
    loaded = load_settings(file=config)
    if json:
        print(as_json(loaded.settings, loaded.origins, loaded.file))
    else:
        print(as_toml(loaded.settings, loaded.origins if origin else None))
    return 0


@app.command
def init(file: Path | None = None, /, *, force: Annotated[bool, Parameter(negative=())] = False) -> int:
    """Write a file with every setting: what it means, what it must be, and its default.

    Only its owner may read it, for there may be passwords in it.

    Args:
        file: where; ./twikit-pool.toml when not given.
        force: replace a file that is there.
    """
    path = locations.expanded(file or FILE_NAME)
    content = commented().encode()
    try:
        if force:
            replace_private(path, content)
        else:
            create_private(path, content)
    except FileExistsError:
        raise ConfigError(
            f"{path} is there already: --force replaces it, and what is in it is lost"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}") from None
    except ValueError:  # a path with a NUL
        raise ConfigError(f"{str(path)!r} cannot be the path of a file") from None
    courteous(sys.stdout).print(
        f"wrote {path}: every setting is in it, as it is by default",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    return 0


def _summary(loaded: Loaded) -> Iterator[str]:
    settings = loaded.settings
    at = settings.service
    yield f"ok: {loaded.file or 'there is no file; all is as by default, or as the environment has it'}"
    host = f"[{at.host}]" if ":" in at.host else at.host
    reach = "other machines may reach it" if at.allow_remote else "for this machine only"
    yield f"would serve http://{host}:{at.port}, {reach}"
    yield f"accounts: {_accounts(settings.accounts)}"
    for name, pool in settings.pools.items():
        yield f"pool {name}: {_pool(pool)}"
    if settings.automation.most_connections is not None:
        yield f"all pools together: {settings.automation.most_connections} connections at most"
    yield f"alerts: {_alerts(settings.alerts)}"
    if settings.accounts.sandbox is None:  # which leaves nothing behind
        folder = locations.data_folder()
        yield f"tokens: {at.tokens or folder / 'tokens.json'}"
        if settings.safety.enabled:
            yield f"posts are remembered in: {settings.safety.memory or folder / MEMORY}"
        yield f"audit log: {at.audit or folder / 'audit.log'}"
        yield f"history: {_history(settings.history, folder)}"


def _history(history: HistorySettings, folder: Path) -> str:
    if not history.enabled:
        return "the last day, in memory"
    return f"{masked(history.store or str(folder / HISTORY_FILE))}, hours for {history.weeks} weeks"


def _accounts(accounts: AccountSettings) -> str:
    if accounts.sandbox is not None:
        return f"{accounts.sandbox} of a sandbox"
    if accounts.simulator is not None:
        return f"those of the simulator at {masked(accounts.simulator)}"
    if accounts.cookies is not None:
        return f"the cookie files in {accounts.cookies}"
    store = accounts.store or os.environ.get(locations.STORE) or str(locations.default_store())
    return f"the store {masked(store)}"


def _alerts(alerts: AlertSettings) -> str:
    if not alerts.enabled:
        return "none"
    rules = sum(rule.enabled for rule in rules_of(alerts.rules).values())
    where = len(alerts.webhooks) + len(alerts.apprise)
    return f"{rules} rules, told to {where} destinations besides the log and the dashboard"


def _pool(pool: PoolSettings) -> str:
    whose = f"accounts tagged {' or '.join(pool.accept_tags)}" if pool.accept_tags else "all accounts"
    config = pool.config
    shared = ", shared" if pool.shared else ""
    return f"{whose}{shared}, {config.min_connections} to {config.max_connections} connections"
