"""A CONNECT proxy that ends TLS itself: the way to a simulator for programs that take only a proxy."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HOSTS: Final = ("x.com", "*.x.com", "twitter.com", "*.twitter.com", "*.twimg.com")
BLOCK: Final = 65_536


@asynccontextmanager
async def tls_proxy(port: int, folder: Path) -> AsyncIterator[tuple[str, Path]]:
    """Stand before the simulator on this port.

    Only `HOSTS` get through, whatever else is asked for is refused, so nothing leaves the machine.

    Yields:
        The proxy's URL, and the file with the certificate to trust (`SSL_CERT_FILE`), in `folder`.
    """
    trusted = folder / "trusted.pem"
    context = _server_context(folder / "proxy.pem", trusted)
    tunnels: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tunnel = asyncio.create_task(_tunnel(reader, writer, context, port))
        tunnels.add(tunnel)
        tunnel.add_done_callback(tunnels.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", trusted
    finally:
        server.close()
        for tunnel in tunnels:
            tunnel.cancel()
        if tunnels:
            await asyncio.wait(tunnels)


async def _tunnel(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext, port: int
) -> None:
    try:
        asked = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)
        host = asked[1].rpartition(b":")[0].decode()
        if asked[0] != b"CONNECT" or not any(_fits(host, each) for each in HOSTS):
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await writer.start_tls(context)
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_pour(reader, inner_writer))
                both.create_task(_pour(inner_reader, writer))
        finally:
            inner_writer.close()
    except* (OSError, asyncio.IncompleteReadError):
        pass  # one of the two left
    finally:
        writer.close()


async def _pour(source: asyncio.StreamReader, drain: asyncio.StreamWriter) -> None:
    while block := await source.read(BLOCK):
        drain.write(block)
        await drain.drain()
    drain.close()


def _fits(host: str, pattern: str) -> bool:
    return host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def _server_context(certificate_file: Path, trusted_file: Path) -> ssl.SSLContext:
    """A context with a new certificate for `HOSTS`, signed by itself; the part to trust is written too."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a simulator of X, for benchmarks")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [*map(x509.DNSName, HOSTS), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    certificate_file.write_bytes(public + private)
    trusted_file.write_bytes(public)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file)
    return context
