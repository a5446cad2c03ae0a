# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an inventory describes the webhook of a payment provider."""

from __future__ import annotations

from ..postgres.spec import DATABASE

WEBHOOK = {
    "type": "dict",
    "required": True,
    "options": {
        "url": {"type": "str", "required": True},
        "provider_url": {"type": "str", "default": "https://api.stripe.com"},
        "api_key": {"type": "str", "required": True, "no_log": True},
        "write_key": {"type": "str", "no_log": True},
        "secrets": {"type": "list", "elements": "str", "required": True, "no_log": True},
        "event_types": {"type": "list", "elements": "str", "required": True},
        "livemode": {"type": "bool", "default": True},
        "service": {"type": "str"},
        "database": dict(DATABASE, required=False),
        "statements": {
            "type": "dict",
            "default": {},
            "options": {"processed": {"type": "str"}, "amounts": {"type": "str"}},
        },
        "parameters": {"type": "dict", "default": {}},
        "payments": {"type": "dict", "default": {}},
    },
}
