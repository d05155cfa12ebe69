from __future__ import annotations

from itertools import count

import pytest

from twikit_pool.errors import ConfigError
from twikit_pool.pool import needs
from twikit_pool.pool.needs import (
    CAPABILITIES,
    MOST_CAPABILITIES,
    USABLE,
    capability_bits,
    endpoint_bit,
    lacks_of,
    need_of,
)


def fits(need: int, lacks: int) -> bool:
    return need & lacks == 0


def test_every_request_needs_a_usable_account() -> None:
    assert need_of(None, frozenset()) == USABLE
    assert not fits(need_of(None, frozenset()), USABLE)
    assert fits(need_of(None, frozenset()), lacks_of(frozenset()))


def test_a_capability_is_lacking_unless_the_account_names_it() -> None:
    need = need_of(None, frozenset({"long_posts", "ads"}))
    assert fits(need, lacks_of(frozenset({"long_posts", "ads", "more"})))
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
    bits = [*map(endpoint_bit, names), *(capability_bits([name]) for name in names)]
    assert all(bit.bit_count() == 1 for bit in bits)
    assert len({*bits, USABLE}) == len(bits) + 1
    assert endpoint_bit("Likes") == endpoint_bit("Likes")
    assert not any(endpoint_bit(name) & (CAPABILITIES | USABLE) for name in names)
    assert all(capability_bits([name]) & CAPABILITIES for name in names)


def test_bits_of_several_capabilities_are_those_of_each() -> None:
    assert capability_bits(["one", "other"]) == capability_bits(["one"]) | capability_bits(["other"])
    assert capability_bits([]) == 0


def test_the_64th_capability_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "_capabilities", known := {})
    monkeypatch.setattr(needs, "_next_capability", count(1))
    bits = capability_bits(map(str, range(MOST_CAPABILITIES)))
    assert bits == CAPABILITIES
    with pytest.raises(ConfigError, match="'another' is one capability too many: at most 63"):
        capability_bits(["another"])
    assert len(known) == 63
    assert capability_bits(["0"]) == 2
