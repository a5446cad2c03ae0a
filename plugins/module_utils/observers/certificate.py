# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the certificates are good that TLS servers show."""

from __future__ import annotations

SPEC = {
    "endpoints": {"type": "dict", "required": True},
    "timeout_seconds": {"type": "float", "default": 5.0},
}


def needs_host(params):
    """Never: an endpoint is asked over the network."""
    return False


def load():
    """The function that observes."""
    from ..net.certificates import observe

    return observe
