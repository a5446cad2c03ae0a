# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a certificate says: its dates, its names and who issued it (RFC 5280). Python's own reader shows trusted ones only."""

from __future__ import annotations

import calendar
import hashlib
import ipaddress
import socket
import time

_UTC_TIME, _VERSION, _EXTENSIONS = 0x17, 0xA0, 0xA3
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
_COMMON_NAME, _ALTERNATIVE_NAMES = b"\x55\x04\x03", b"\x55\x1d\x11"


def parse(der):
    """Read one certificate.

    Args:
        der: its bytes.

    Returns:
        A dict ``not_before`` and ``not_after`` (seconds since 1970), ``subject`` and ``issuer`` (common names), ``names``
        (subject alternative names), ``addresses`` (those of them that are IP addresses), ``by`` and ``of`` (issuer and subject as
        bytes) and ``sha256``.

    Raises:
        ValueError: these bytes are no certificate.
    """
    try:
        whole = _items(der)[0][1]
        fields = [one for one in _items(_items(whole)[0][1]) if one[0] != _VERSION]
        issuer, validity, subject = (content for _tag, content in fields[2:5])
        not_before, not_after = (_seconds(*one) for one in _items(validity))
        named = [one for tag, block in fields[6:] if tag == _EXTENSIONS for one in _alternative_names(block)]
        return {
            "not_before": not_before,
            "not_after": not_after,
            "subject": _common_name(subject),
            "issuer": _common_name(issuer),
            "names": [name for _kind, name in named],
            "addresses": [name for kind, name in named if kind == _IP_ADDRESS],
            "by": issuer,
            "of": subject,
            "sha256": hashlib.sha256(der).hexdigest(),
        }
    except (IndexError, OSError, ValueError) as error:
        raise ValueError(f"no certificate: {error}") from None


def is_for(host, certificate, common_name=False):
    """Whether a certificate is for a host (RFC 6125): a ``*`` stands for exactly one whole first label.

    Args:
        host: a name or an address.
        certificate: of :func:`parse`.
        common_name: without alternative names the subject's counts, as it does for libpq and no longer for HTTPS.
    """
    names = certificate["names"] or ([certificate["subject"]] if common_name else [])
    wanted = host.rstrip(".").lower()
    try:
        # HTTPS takes an address only from the names that are addresses, libpq from any.
        accepted = {str(ipaddress.ip_address(wanted))}
        names = names if common_name else certificate["addresses"]
    except ValueError:
        domain = wanted.partition(".")[2]
        accepted = {wanted, f"*.{domain}"} if domain else {wanted}
    return any(name.lower() in accepted for name in names)


def _items(data):
    """The tag and the content of each element of some DER bytes."""
    found, at = [], 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length >= 0x80:
            count = length & 0x7F
            length, at = int.from_bytes(data[at : at + count], "big"), at + count
        if at + length > len(data):
            raise IndexError("it is cut off")
        found.append((tag, data[at : at + length]))
        at += length
    return found


def _seconds(tag, text):
    digits = text.decode("ascii")
    if tag == _UTC_TIME:
        digits = ("19" if digits >= "5" else "20") + digits
    return calendar.timegm(time.strptime(digits, "%Y%m%d%H%M%SZ"))


def _common_name(name):
    for _tag, attributes in _items(name):
        for _tag, attribute in _items(attributes):
            (_tag, kind), (_tag, value) = _items(attribute)
            if kind == _COMMON_NAME:
                return value.decode("utf-8", "replace")
    return ""


def _alternative_names(block):
    for _tag, extension in _items(_items(block)[0][1]):
        (_tag, kind), *_critical, (_tag, value) = _items(extension)
        if kind != _ALTERNATIVE_NAMES:
            continue
        for tag, name in _items(_items(value)[0][1]):
            if tag == _DNS_NAME:
                yield tag, name.decode("ascii")
            elif tag == _IP_ADDRESS:
                yield tag, socket.inet_ntop(socket.AF_INET6 if len(name) == 16 else socket.AF_INET, name)
