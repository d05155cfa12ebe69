from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twikit_pool.sessions.addresses import NotPublic, check_public, public_addresses, resolve_host

if TYPE_CHECKING:
    from collections.abc import Sequence

PUBLIC = [
    "1.1.1.1",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
    "2a00:1450:4001::1",
]

NOT_PUBLIC = [
    "0.0.0.0",  # noqa: S104 (an address to refuse, not one to bind)
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",  # compatible
    "::808:808",
    "::ffff:127.0.0.1",  # mapped
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",  # translated
    "64:ff9b::7f00:1",  # NAT64
    "64:ff9b::808:808",
    "64:ff9b:1::7f00:1",
    "100::1",  # discard
    "2001::1",  # Teredo
    "2001:2::1",  # benchmarks
    "2001:10::1",  # ORCHID
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2002:808:808::",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700:4700::1111%eth0",
    "fec0::1",  # site-local
    "ff02::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_passes(address: str) -> None:
    check_public(ip_address(address))


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(NotPublic, match=" is "):
        check_public(ip_address(address))


@given(st.ip_addresses())
def test_what_the_standard_library_calls_local_is_never_public(address: IPv4Address) -> None:
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        with pytest.raises(NotPublic):
            check_public(address)


def test_an_allowed_network_opens_itself_and_nothing_else() -> None:
    allowed = [IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")]
    check_public(ip_address("127.0.0.1"), allowed)
    check_public(ip_address("::1"), allowed)
    for other in ("10.0.0.1", "::ffff:127.0.0.1", "2002:7f00:1::", "::7f00:1"):
        with pytest.raises(NotPublic):
            check_public(ip_address(other), allowed)


@pytest.mark.parametrize(
    ("network", "public", "private"),
    [
        ("64:ff9b::/96", "64:ff9b::808:808", "64:ff9b::7f00:1"),
        ("64:ff9b:1::/48", "64:ff9b:1::808:808", "64:ff9b:1::a00:1"),
        ("::ffff:0:0/96", "::ffff:8.8.8.8", "::ffff:192.168.0.1"),
        ("::/96", "::808:808", "::7f00:1"),
        ("2002::/16", "2002:808:808::", "2002:a9fe:a9fe::"),
        ("2001::/32", "2001:0:4136:e378:8000:63bf:f7f7:f7f7", "2001:0:4136:e378:8000:63bf:80ff:fffe"),
    ],
)
def test_what_an_allowed_address_carries_is_checked_too(network: str, public: str, private: str) -> None:
    allowed = [ip_network(network)]
    check_public(ip_address(public), allowed)
    with pytest.raises(NotPublic):
        check_public(ip_address(private), allowed)


async def test_one_bad_address_among_good_ones_refuses_them_all() -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["93.184.216.34", "10.0.0.1"]

    with pytest.raises(NotPublic, match=r"10\.0\.0\.1 is private"):
        await public_addresses("mixed.example", 443, resolve=resolve)


async def test_a_literal_is_checked_without_a_resolver() -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        raise AssertionError("asked")

    assert await public_addresses("1.1.1.1", 443, resolve=resolve) == ["1.1.1.1"]
    with pytest.raises(NotPublic):
        await public_addresses("::1", 443, resolve=resolve)


@pytest.mark.parametrize("spelling", ["0x7f000001", "2130706433", "127.1", "0177.0.0.1", "017700000001"])
async def test_odd_spellings_of_loopback_are_refused_as_what_they_resolve_to(spelling: str) -> None:
    with pytest.raises((NotPublic, OSError)):
        await public_addresses(spelling, 80, resolve=resolve_host)


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example", "no-such-name.invalid"])
async def test_a_name_that_does_not_resolve_is_an_os_error(host: str) -> None:
    async with asyncio.timeout(20):
        with pytest.raises(OSError):  # noqa: PT011 (the resolver's own texts differ by system)
            await public_addresses(host, 80, resolve=resolve_host)


async def test_no_address_at_all_is_an_os_error() -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return []

    with pytest.raises(OSError, match="no address"):
        await public_addresses("empty.example", 80, resolve=resolve)
