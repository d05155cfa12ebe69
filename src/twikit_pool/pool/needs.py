"""What a request needs and what an account lacks, each as the bits of one number.

They match when `need & lacks == 0`. Bit 0 stands for being usable at all, so every request needs it; then
come the capabilities, the bit of work that can wait, and then two bits for each endpoint: that it is open,
and that it is open to LOW requests, which leave a share of each window to others. An endpoint is open unless
it is closed. A capability is lacking unless the account names it: an ordinary account lacks all of their
bits, so one that is heard of for the first time is lacked by everyone without anyone being told.

Only accounts give capabilities their bits. A request that asks for what no account has named so far needs the
bit `UNHEARD`, which every account lacks; so whoever may ask can make up names without using bits up. Such a
request listens, and learns its need anew when an account names something new.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import count
from typing import Final, Protocol
from weakref import WeakValueDictionary

from twikit_pool.errors import ConfigError

USABLE: Final = 1
"""The bit of what may be used at all."""

MOST_CAPABILITIES: Final = 63

UNHEARD: Final = 1 << (1 + MOST_CAPABILITIES)
"""The bit of all capabilities that no account has named so far."""

CAPABILITIES: Final = (UNHEARD - 1 | UNHEARD) & ~USABLE
"""The bits of all capabilities, named or not."""

DEFERRABLE: Final = UNHEARD << 1
"""The bit of work that can wait: every LOW request needs it, and no account lacks it; see `deferral`."""

_capabilities: Final[dict[str, int]] = {}
_endpoints: Final[dict[str, int]] = {}
_next_capability: Final = count(1)
_next_endpoint: Final = count(3 + MOST_CAPABILITIES, 2)


class Listener(Protocol):
    """Whoever needs what no account has named so far."""

    def capability_named(self) -> None:
        """An account has named a capability that none had named before."""
        ...


_listeners: Final[WeakValueDictionary[int, Listener]] = WeakValueDictionary()


def capability_bits(names: Iterable[str]) -> int:
    """The bits of these capabilities together; `UNHEARD` for all that no account has named."""
    bits = 0
    for name in names:
        bits |= _capabilities.get(name, UNHEARD)
    return bits


def listen(listener: Listener) -> None:
    """Tell it, while it lives, whenever an account names a capability that none had named before."""
    _listeners[id(listener)] = listener


@lru_cache(maxsize=4096)
def endpoint_bit(name: str) -> int:
    """The bit of this endpoint."""
    bit = _endpoints.get(name)
    # Drawn, not counted: two threads never draw the same.
    return bit if bit is not None else _endpoints.setdefault(name, 1 << next(_next_endpoint))


def low_bit(endpoint_bit: int) -> int:
    """The bit that the endpoint of this bit is open to LOW requests."""
    return endpoint_bit << 1


def need_of(endpoint: str | None, capabilities: Iterable[str] = (), *, low: bool = False) -> int:
    """What a request needs now that spends this endpoint and asks for these capabilities."""
    return _ordinary_need(endpoint, low) | capability_bits(capabilities)


@lru_cache(maxsize=4096)
def _ordinary_need(endpoint: str | None, low: bool) -> int:
    need = USABLE | (DEFERRABLE if low else 0)
    if endpoint is None:
        return need
    bit = endpoint_bit(endpoint)
    return need | bit | low_bit(bit) if low else need | bit


def lacks_of(capabilities: Iterable[str]) -> int:
    """What an account lacks that has these capabilities, while every endpoint is open to it.

    Raises:
        ConfigError: the accounts of this process name more than 63 different capabilities.
    """
    has = 0
    for name in capabilities:
        has |= _capabilities.get(name) or _name(name)
    return CAPABILITIES & ~has


def _name(capability: str) -> int:
    """Give a capability its bit, and tell those who need what nobody had."""
    number = next(_next_capability)  # drawn, not counted: two threads never draw the same
    if number > MOST_CAPABILITIES:
        raise ConfigError(
            f"{capability!r} is one capability too many: at most {MOST_CAPABILITIES} can be told apart; "
            "use tags for what no request asks for"
        )
    bit = _capabilities.setdefault(capability, 1 << number)
    for each in tuple(_listeners.values()):
        each.capability_named()
    return bit
