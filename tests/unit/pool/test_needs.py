from __future__ import annotations

import gc
from itertools import count

import pytest

from twikit_pool.errors import ConfigError
from twikit_pool.pool import needs
from twikit_pool.pool.needs import (
    CAPABILITIES,
    MOST_CAPABILITIES,
    UNHEARD,
    USABLE,
    capability_bits,
    endpoint_bit,
    lacks_of,
    need_of,
)
from twikit_pool.pool.request import ConnectionRequest


def fits(need: int, lacks: int) -> bool:
    return need & lacks == 0


def test_every_request_needs_a_usable_account() -> None:
    assert need_of(None, frozenset()) == USABLE
    assert not fits(need_of(None, frozenset()), USABLE)
    assert fits(need_of(None, frozenset()), lacks_of(frozenset()))


def test_a_capability_is_lacking_unless_the_account_names_it() -> None:
    lacks = lacks_of(frozenset({"long_posts", "ads", "more"}))
    need = need_of(None, frozenset({"long_posts", "ads"}))
    assert fits(need, lacks)
    assert not fits(need, lacks_of(frozenset({"long_posts"})))
    assert not fits(need, lacks_of(frozenset()))


def test_a_capability_first_heard_of_in_a_request_is_lacking_everywhere() -> None:
    lacks = lacks_of(frozenset({"long_posts"}))
    assert not fits(need_of(None, frozenset({"heard of only now"})), lacks)


def test_an_endpoint_is_open_unless_it_is_closed() -> None:
    need = need_of("Likes", frozenset())
    assert fits(need, lacks_of(frozenset()))
    assert not fits(need, lacks_of(frozenset()) | endpoint_bit("Likes"))
    assert fits(need, lacks_of(frozenset()) | endpoint_bit("Retweeters"))


def test_each_name_has_one_bit_of_its_own() -> None:
    names = ["Likes", "Retweeters", "long_posts"]  # an endpoint may be named as a capability is
    lacks_of(names)
    bits = [*map(endpoint_bit, names), *(capability_bits([name]) for name in names)]
    assert all(bit.bit_count() == 1 for bit in bits)
    assert len({*bits, USABLE}) == len(bits) + 1
    assert endpoint_bit("Likes") == endpoint_bit("Likes")
    assert not any(endpoint_bit(name) & (CAPABILITIES | USABLE) for name in names)
    assert all(capability_bits([name]) & CAPABILITIES for name in names)


def test_bits_of_several_capabilities_are_those_of_each() -> None:
    lacks_of(["one", "other"])
    assert capability_bits(["one", "other"]) == capability_bits(["one"]) | capability_bits(["other"])
    assert capability_bits([]) == 0


@pytest.fixture
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """No account of this process has named a capability so far; the table of those that do."""
    known: dict[str, int] = {}
    monkeypatch.setattr(needs, "_capabilities", known)
    monkeypatch.setattr(needs, "_next_capability", count(1))
    return known


def test_the_64th_capability_of_accounts_is_refused(nothing_named: dict[str, int]) -> None:
    lacks = lacks_of(map(str, range(MOST_CAPABILITIES)))
    assert lacks == UNHEARD
    with pytest.raises(ConfigError, match="'another' is one capability too many: at most 63"):
        lacks_of(["another"])
    assert len(nothing_named) == 63
    assert capability_bits(["0"]) == 2


def test_requests_use_up_no_bits(nothing_named: dict[str, int]) -> None:
    for number in range(1000):
        assert ConnectionRequest(capabilities=frozenset({f"made up {number}"})).need & UNHEARD
    assert not nothing_named
    lacks_of(["real"])
    assert list(nothing_named) == ["real"]


def test_a_request_finds_those_who_name_its_capability_later(nothing_named: dict[str, int]) -> None:
    asks = ConnectionRequest(capabilities=frozenset({"later"}))
    asks_more = ConnectionRequest(capabilities=frozenset({"later", "never"}))
    assert not fits(asks.need, lacks_of(["another"]))
    lacks = lacks_of(["later"])
    assert fits(asks.need, lacks)
    assert not fits(asks_more.need, lacks)
    assert asks == ConnectionRequest(capabilities=frozenset({"later"}))


def test_nobody_listens_for_a_request_that_is_gone(nothing_named: dict[str, int]) -> None:
    before = len(needs._listeners)  # pyright: ignore[reportPrivateUsage]
    asks = ConnectionRequest(capabilities=frozenset({"later"}))
    assert len(needs._listeners) == before + 1  # pyright: ignore[reportPrivateUsage]
    del asks
    gc.collect()
    assert len(needs._listeners) == before  # pyright: ignore[reportPrivateUsage]
