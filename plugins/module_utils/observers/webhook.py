# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a payment provider's events arrive in the application: its endpoint, what was not delivered, and what is in the database."""

from __future__ import annotations

from ..postgres.spec import DATABASE
from ..webhooks.spec import WEBHOOK

SPEC = {
    "webhook": WEBHOOK,
    "database": dict(DATABASE, required=False),
    "probe_type": {"type": "str", "default": "oncall.probe"},
    "pending_seconds": {"type": "float", "default": 900.0},
    "look_back_seconds": {"type": "float", "default": 86400.0},
    "most_pages": {"type": "int", "default": 30},
    "answer_seconds": {"type": "float", "default": 10.0},
    "timeout_seconds": {"type": "float", "default": 30.0},
}


def needs_host(params):
    """Where the database is asked in its container, which is on the managed host."""
    stores = [params.get("database"), params["webhook"].get("database")]
    return any(store and store["transport"] == "docker" for store in stores)


def load():
    """The function that observes."""
    from ..webhooks.look import observe

    return observe
