"""Which addresses the open internet is made of, so that nothing else is fetched from.

A URL that somebody else wrote may name the machine's own services, the network it stands in or a cloud's
metadata address, under many disguises: an odd spelling that only the resolver understands, an IPv6 address
that carries an IPv4 one, a name that resolves differently the second time. So nothing is read from the
spelling: the host is resolved once, every address that comes back must be public, and the caller connects
to those very addresses.

Public is what the IANA special-purpose address registries leave over:
https://www.iana.org/assignments/iana-ipv4-special-registry and …/iana-ipv6-special-registry. The table
is here because the standard library's `is_global` changes between Python versions and calls multicast
and addresses that carry a private IPv4 one global.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a host and a port to its addresses, best first. Raises OSError when there are none."""

_NOT_PUBLIC_4: Final = {
    IPv4Network("0.0.0.0/8"): "this network",
    IPv4Network("10.0.0.0/8"): "private",
    IPv4Network("100.64.0.0/10"): "shared by a carrier's customers",
    IPv4Network("127.0.0.0/8"): "loopback",
    IPv4Network("169.254.0.0/16"): "link-local",
    IPv4Network("172.16.0.0/12"): "private",
    IPv4Network("192.0.0.0/24"): "for protocols",
    IPv4Network("192.0.2.0/24"): "for documentation",
    IPv4Network("192.88.99.0/24"): "a 6to4 relay",
    IPv4Network("192.168.0.0/16"): "private",
    IPv4Network("198.18.0.0/15"): "for benchmarks",
    IPv4Network("198.51.100.0/24"): "for documentation",
    IPv4Network("203.0.113.0/24"): "for documentation",
    IPv4Network("224.0.0.0/4"): "multicast",
    IPv4Network("240.0.0.0/4"): "reserved",
}

_UNICAST_6: Final = IPv6Network("2000::/3")
"""The only part of IPv6 that is given out; loopback, mapped, NAT64, local and multicast lie outside."""

_NOT_PUBLIC_6: Final = {
    IPv6Network("2001::/32"): "a Teredo tunnel",
    IPv6Network("2001::/23"): "for protocols",
    IPv6Network("2001:db8::/32"): "for documentation",
    IPv6Network("2002::/16"): "a 6to4 tunnel",
    IPv6Network("3fff::/20"): "for documentation",
}

_CARRIES_IPV4_LAST: Final = (
    IPv6Network("::/96"),
    IPv6Network("::ffff:0:0/96"),
    IPv6Network("::ffff:0:0:0/96"),
    IPv6Network("64:ff9b::/96"),
    IPv6Network("64:ff9b:1::/48"),
)


class NotPublic(ValueError):
    """An address is not on the open internet; the text says which and why."""


async def resolve_host(host: str, port: int) -> list[str]:
    """The addresses that the system's resolver gives, best first.

    Raises:
        OSError: the name does not resolve.
    """
    try:
        answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{host} is not a host name") from error
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


async def public_addresses(
    host: str, port: int, *, resolve: Resolve, allowed: Iterable[Network] = ()
) -> list[str]:
    """Resolve the host once; its addresses, each of them checked, are what to connect to.

    Raises:
        NotPublic: one of the addresses is neither public nor in an allowed network.
        OSError: the name does not resolve.
    """
    try:
        addresses: list[Address] = [ip_address(host)]
    except ValueError:
        addresses = [ip_address(answer) for answer in await resolve(host, port)]
    if not addresses:
        raise OSError(f"{host} has no address")
    allowed = tuple(allowed)
    for address in addresses:
        check_public(address, allowed)
    return [str(address) for address in addresses]


def check_public(address: Address, allowed: Sequence[Network] = ()) -> None:
    """Refuse an address that is neither public nor in an allowed network.

    What an IPv6 address carries is checked as well, even when a network that it lies in is allowed.

    Raises:
        NotPublic: it may not be connected to.
    """
    reason = _why_not_public(address)
    if reason is not None and not any(address in network for network in allowed):
        raise NotPublic(f"{address} is {reason}")
    carried = _carried_ipv4(address)
    if carried is not None:
        check_public(carried, allowed)


def _why_not_public(address: Address) -> str | None:
    if isinstance(address, IPv4Address):
        return next((reason for network, reason in _NOT_PUBLIC_4.items() if address in network), None)
    if address.scope_id is not None:
        return "tied to a network interface"
    if address not in _UNICAST_6:
        return "not a public IPv6 address"
    return next((reason for network, reason in _NOT_PUBLIC_6.items() if address in network), None)


def _carried_ipv4(address: Address) -> IPv4Address | None:
    """The IPv4 address that a tunnel, a translator or a mapping would reach through this one."""
    if isinstance(address, IPv4Address) or int(address) <= 1:  # :: and ::1 carry nothing
        return None
    if any(address in network for network in _CARRIES_IPV4_LAST):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour or (address.teredo[1] if address.teredo else None)
