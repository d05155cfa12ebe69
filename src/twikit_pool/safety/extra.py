"""Libraries of the extra `safety`, imported when a check needs one."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from twikit_pool.errors import ConfigError


def installed(module: str) -> bool:
    """Whether a library is there, without importing it."""
    return find_spec(module) is not None


def needed(module: str, what: str) -> Any:
    """Import a library that a check cannot do without.

    Raises:
        ConfigError: it is not installed; the message names the extra.
    """
    try:
        return import_module(module)
    except ImportError:
        raise ConfigError(f"{what} takes an extra: pip install 'twikit-pool[safety]'") from None
