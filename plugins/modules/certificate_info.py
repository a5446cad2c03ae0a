#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the certificates are good that TLS servers show."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_info
version_added: 0.2.0
short_description: Tell how long the certificates of TLS servers are good
description:
  - Begins a TLS handshake with every address that the name of an endpoint has, and reads what is shown, trusted or not. It
    sends no request, and reads no file.
  - A server with an RSA and an ECDSA certificate shows one of them, which it prefers for TLS 1.2.
  - All dates are compared with the clock of the host that looks, RV(at).
  - The whole chain is seen where the server speaks TLS 1.2 or the host has Python 3.13; otherwise only its first certificate.
  - An address that does not answer, or not with TLS, makes RV(complete) false and is told in RV(limits).
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.certificate
"""

EXAMPLES = r"""
- name: See what is served
  oncall.runbooks.certificate_info:
    endpoints: {shop: "https://shop.example.com", database: "postgresql://10.0.0.5"}
  register: result

- name: Name what ends within a week
  ansible.builtin.debug:
    msg: "{{ result.served | selectattr('days_left', 'lt', 7) | map(attribute='description') }}"
"""

RETURN = r"""
available: {description: "Whether at least one endpoint answered.", returned: always, type: bool}
reason: {description: "Why none did, in one line.", returned: when available is false, type: str}
complete: {description: "Whether every address of every endpoint answered.", returned: always, type: bool}
limits: {description: "What did not, and why.", returned: always, type: list, elements: str}
chains_complete: {description: "Whether every chain was seen as a whole.", returned: always, type: bool}
without_tls: {description: "The databases that offer no TLS.", returned: always, type: list, elements: str}
at: {description: "The time on the host that looked, in UTC.", returned: always, type: str, sample: "2026-11-28T08:00:00Z"}
served:
  description: The certificate that each address shows.
  returned: always
  type: list
  elements: dict
  contains:
    endpoint: {description: "Its name in O(endpoints).", type: str}
    host: {description: "The host that was asked for.", type: str}
    address: {description: "One of its addresses.", type: str}
    port: {description: "The port.", type: int}
    subject: {description: "Its common name, or without one its RV(served[].names).", type: str}
    issuer: {description: "The common name of its issuer.", type: str}
    names: {description: "The hosts that it is for.", type: list, elements: str}
    sha256: {description: "Its fingerprint.", type: str}
    not_before: {description: "When it begins, or the last of its issuers in the chain, in UTC.", type: str}
    not_after: {description: "When it ends, in UTC.", type: str}
    days_until_valid: {description: "Days until RV(served[].not_before); below 0 where all have begun.", type: float}
    days_left: {description: "Days until it ends; below 0 where it has ended.", type: float}
    matches: {description: "Whether it is for this host; null where nobody asks.", type: bool}
    chain_complete: {description: "Whether its issuer was seen too, or it is its own.", type: bool}
    chain_subject: {description: "The issuer in the chain that ends first, if before RV(served[].not_after); else empty.", type: str}
    chain_days_left: {description: "Days until that one ends; null where none ends before.", type: float}
    description: {description: "The endpoint and the end of its certificate, in words.", type: str}
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import certificate


def main():
    """Run the module."""
    run(certificate)


if __name__ == "__main__":
    main()
