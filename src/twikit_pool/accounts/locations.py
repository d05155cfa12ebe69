"""Where the store and its keys are kept, unless told otherwise."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

from twikit_pool.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

HOME: Final = "TWIKIT_POOL_HOME"
"""Environment variable: the folder of the databases, in place of the user's data folder."""

STORE: Final = "TWIKIT_POOL_STORE"
"""Environment variable: the command line's store, in place of the one in that folder."""

KEY_FILE: Final = "TWIKIT_POOL_KEY_FILE"
"""Environment variable: the key file, in place of the one in the user's configuration folder."""

_APPLICATION: Final = "twikit-pool"


def data_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where databases are kept."""
    given = environ.get(HOME)
    return expanded(given) if given else platformdirs.user_data_path(_APPLICATION, appauthor=False)


def default_store(environ: Mapping[str, str] = os.environ) -> Path:
    """The account store's file."""
    return data_folder(environ) / "accounts.db"


def key_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The key file. On some systems both folders are one, so the keys have a folder of their own."""
    given = environ.get(KEY_FILE)
    if given:
        return expanded(given)
    return platformdirs.user_config_path(_APPLICATION, appauthor=False) / "keys" / "accounts.key"


def expanded(given: str | Path) -> Path:
    """The path, with a leading `~` or `~user` replaced by that home folder.

    Raises:
        ConfigError: nobody knows that home folder.
    """
    try:
        return Path(given).expanduser()
    except RuntimeError:
        raise ConfigError(f"the path {given} names the home folder of nobody here: write it out") from None
