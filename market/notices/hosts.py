"""Which hosts a message may go to. Members enter them: none may lead to what only this machine can reach."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

#: Addresses that carry others or lead through somebody's gateway (mapped, compatible, NAT64, 6to4 and its
#: relays, Teredo, the old site-local ones): what they end at cannot be told from the outside.
_CARRIERS = tuple(
    ip_network(each)
    for each in (
        "::/96",
        "::ffff:0:0/96",
        "::ffff:0:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "fec0::/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
    )
)
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
#: Names that no public server has (RFC 6761, RFC 6762, RFC 8375, and what clouds call their own inside).
_INSIDE = re.compile(
    r"(?:.*\.)?(?:localhost|local|internal|intranet|lan|home\.arpa|onion)|[^.]*|.*\.localdomain"
)


def plain_host(host: str) -> str | None:
    """Return a host as it is asked of a name server, in small letters; None where it is none.

    Full-width digits and other dots become what they stand for. A number is an address only as four
    decimal parts: ``127.1``, ``0x7f.0.0.1``, ``0177.0.0.1`` and ``2130706433`` are other ways to write
    127.0.0.1, and nobody needs them.
    """
    bare = host.strip("[]")
    try:
        if ":" in bare:
            return None if "%" in bare else str(IPv6Address(bare))
        name = bare.encode("idna").decode().lower().rstrip(".")
    except (UnicodeError, ValueError):
        return None
    if not _NAME.fullmatch(name) or len(name) > 253:
        return None
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", name.rpartition(".")[2]):
        try:
            return str(IPv4Address(name))
        except ValueError:
            return None
    return name


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to a host of the open internet."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if any(found in network for network in _CARRIERS if network.version == found.version):
        return False
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


def may_be_public(host: str) -> bool:
    """Tell whether a plain host can be one of the open internet, without asking a name server."""
    try:
        ip_address(host)
    except ValueError:
        return _INSIDE.fullmatch(host) is None
    return is_public(host)
