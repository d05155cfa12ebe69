"""What a request needs and what an account lacks, each as the bits of one number.

They match when `need & lacks == 0`. Bit 0 stands for being usable at all, so every request needs it; then
come the capabilities, the bit of work that can wait, and then two bits for each endpoint: that it is open,
and that it is open to LOW requests, which leave a share of each window to others. An endpoint is open unless
it is closed. A capability is lacking unless the account names it: an ordinary account lacks all of their
bits, so one that is heard of for the first time is lacked by everyone without anyone being told.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import count
from typing import Final

from twikit_pool.errors import ConfigError

USABLE: Final = 1
"""The bit of what may be used at all."""

MOST_CAPABILITIES: Final = 63

CAPABILITIES: Final = ((1 << MOST_CAPABILITIES) - 1) << 1
"""The bits of all capabilities, named or not."""

DEFERRABLE: Final = 1 << (1 + MOST_CAPABILITIES)
"""The bit of work that can wait: every LOW request needs it, and no account lacks it; see `deferral`."""

_capabilities: Final[dict[str, int]] = {}
_endpoints: Final[dict[str, int]] = {}
_next_capability: Final = count(1)
_next_endpoint: Final = count(2 + MOST_CAPABILITIES, 2)


def capability_bits(names: Iterable[str]) -> int:
    """The bits of these capabilities together.

    Raises:
        ConfigError: more than 63 different capabilities are named in this process.
    """
    return sum(_bit(name, _capabilities, _next_capability) for name in names)


@lru_cache(maxsize=4096)
def endpoint_bit(name: str) -> int:
    """The bit of this endpoint."""
    return _bit(name, _endpoints, _next_endpoint)


def low_bit(endpoint_bit: int) -> int:
    """The bit that the endpoint of this bit is open to LOW requests."""
    return endpoint_bit << 1


@lru_cache(maxsize=4096)
def need_of(endpoint: str | None, capabilities: frozenset[str] = frozenset(), *, low: bool = False) -> int:
    """What a request needs that spends this endpoint and asks for these capabilities."""
    need = USABLE | capability_bits(capabilities) | (DEFERRABLE if low else 0)
    if endpoint is None:
        return need
    bit = endpoint_bit(endpoint)
    return need | bit | low_bit(bit) if low else need | bit


def lacks_of(capabilities: frozenset[str]) -> int:
    """What an account lacks that has these capabilities, while every endpoint is open to it."""
    return CAPABILITIES & ~capability_bits(capabilities)


def _bit(name: str, known: dict[str, int], numbers: count[int]) -> int:
    bit = known.get(name)
    if bit is None:
        number = next(numbers)  # drawn, not counted: two threads never draw the same
        if known is _capabilities and number > MOST_CAPABILITIES:
            raise ConfigError(
                f"{name!r} is one capability too many: at most {MOST_CAPABILITIES} can be told apart; "
                "use tags for what no request asks for"
            )
        bit = known.setdefault(name, 1 << number)
    return bit
