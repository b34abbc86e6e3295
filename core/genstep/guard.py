"""The one guard before every foreign URL that we fetch: where it may lead, and the address to connect to.

Only https, and only public addresses; resolved once, and the caller connects to the address that was checked. Plain
http, loopback and private addresses pass on the host and port of the account's own base URL, or of a host that the
account allows by name; metadata services, link-local and multicast addresses never do.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeAlias
from urllib.parse import SplitResult, quote, urlsplit

from genstep.errors import AssetError

Lookup: TypeAlias = Callable[[str, int], Awaitable[list[str]]]

_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)")
# Letters that the two generations of IDNA read as different hosts.
_AMBIGUOUS = re.compile("[ßς\u200c\u200d]")

# IANA's special-purpose registries. IPv6 is public in 2000::/3 alone, less what is carved out of it.
_SPECIAL_4 = tuple(
    ip_network(net)
    for net in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    ]
)
_PUBLIC_6 = ip_network("2000::/3")
_SPECIAL_6 = tuple(ip_network(net) for net in ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"])
_NAT64 = ip_network("64:ff9b::/96")
#: addresses that the account's own or allowed hosts may have
_PRIVATE = tuple(
    ip_network(net)
    for net in ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7"]
)
#: services that tell a machine its own secrets, where their address is not link-local
_METADATA = {
    ip_address(text) for text in ["100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"]
}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a checked URL leads. Connect to one of ``addresses``, all checked; ``host`` is for TLS and the header."""

    scheme: str
    host: str
    port: int
    addresses: tuple[str, ...]
    path_and_query: str

    @property
    def address(self) -> str:
        """The first address, in the resolver's order."""
        return self.addresses[0]


async def resolve(
    url: str, *, allowed: Sequence[str] = (), own: str | None = None, lookup: Lookup | None = None
) -> Target:
    """Check a URL and resolve it once, or :class:`AssetError`; to be called again for each redirect.

    ``allowed`` are the account's "host" or "host:port", ``own`` its base URL, ``lookup`` a resolver of (host, port).
    """
    parts = _parts(url)
    host, port = _host(parts, url), parts.port or _PORTS[parts.scheme]
    trusted = _trusted(host, port, allowed, own)
    if parts.scheme != "https" and not trusted:
        raise _refusal(url, "plain http", "only https is fetched, or a host that the account names in allowed_hosts")
    addresses = (host,) if _literal(host) else await _addresses(host, port, lookup or _system_lookup, url)
    for address in addresses:
        if not _may_reach(address, trusted=trusted):
            where = f"{host} is at {address}, which" if address != host else f"{host}"
            raise _refusal(
                url, f"{where} is no public address", "name the host in the account's allowed_hosts if it is yours"
            )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, addresses, re.sub(r"[^\x21-\x7e]+", lambda text: quote(text[0]), path))


def redact_url(url: str) -> str:
    """The URL without user, query and fragment; of a data URL only its media type."""
    if url[:5].lower() == "data:":
        return re.split("[;,]", url, maxsplit=1)[0]
    bare = re.split("[?#]", url, maxsplit=1)[0]
    return re.sub(r"^([a-zA-Z][a-zA-Z0-9+.-]*:)?//[^/]*@", r"\1//", bare)


def public(address: str) -> bool:
    """Whether an IP address is public: anyone's on the internet, no part of a local or special network."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if ip in _METADATA:
        return False
    if isinstance(ip, IPv4Address):
        return not any(ip in net for net in _SPECIAL_4)
    if ip in _NAT64:
        return public(str(IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.scope_id is None and ip in _PUBLIC_6 and not any(ip in net for net in _SPECIAL_6)


def _may_reach(address: str, *, trusted: bool) -> bool:
    if public(address):
        return True
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return trusted and ip not in _METADATA and any(ip in net for net in _PRIVATE)


def _parts(url: str) -> SplitResult:
    if re.search(r"[\x00-\x20\x7f\\]", url):
        raise _refusal(url, "it holds spaces, backslashes or control characters", "the service sent a malformed URL")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise _refusal(url, "it is malformed", "a URL such as https://host/path is needed") from None
    if not usable:
        raise _refusal(url, "it is no web address", "only https is fetched")
    if parts.username is not None or parts.password is not None:
        raise _refusal(url, "it holds a user name or password", "the service sent an unsafe URL")
    return parts


def _host(parts: SplitResult, url: str) -> str:
    """The host in its one canonical form: lower case, ASCII, no dot at the end, an IP address as it is printed."""
    host = (parts.hostname or "").removesuffix(".")
    try:
        if "%" in host or _AMBIGUOUS.search(host) or ("[" in parts.netloc) != (":" in host):
            raise ValueError(host)
        if ":" in host:
            return str(IPv6Address(host))
        if not host.isascii():
            host = host.encode("idna").decode("ascii").lower()
        if _NUMBER.fullmatch(host):
            return str(IPv4Address(host))
        if not _NAME.fullmatch(host) or len(host) > 253:
            raise ValueError(host)
    except ValueError:
        raise _refusal(url, "its host is malformed", "a host name or a plain IP address is needed") from None
    return host


def _literal(host: str) -> bool:
    return ":" in host or bool(_NUMBER.fullmatch(host))


def _trusted(host: str, port: int, allowed: Sequence[str], own: str | None) -> bool:
    if own:
        parts = _parts(own)
        if (host, port) == (_host(parts, own), parts.port or _PORTS[parts.scheme]):
            return True
    shown = f"[{host}]" if ":" in host else host
    names = {name.strip().lower().removesuffix(".") for name in allowed}
    return not names.isdisjoint({host, shown, f"{shown}:{port}"})


async def _addresses(host: str, port: int, lookup: Lookup, url: str) -> tuple[str, ...]:
    try:
        found = await lookup(host, port)
    except (OSError, UnicodeError) as error:
        raise AssetError(
            f"{redact_url(url)}: the host {host} was not found ({error}); check the network and resume",
            code="download",
        ) from None
    if not found:
        raise AssetError(f"{redact_url(url)}: the host {host} has no address; resume later", code="download")
    return tuple(dict.fromkeys(found))


async def _system_lookup(host: str, port: int) -> list[str]:
    import asyncio
    import socket

    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def _refusal(url: str, why: str, advice: str) -> AssetError:
    return AssetError(f"{redact_url(url)} is not fetched: {why}; {advice}", code="asset_url_refused")
