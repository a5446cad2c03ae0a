# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connectors that an HTTP API of the application tells of, fetched and not read: the controller evaluates what the inventory says."""

from __future__ import annotations

import time

from ..net.documents import KEYS, fetched, request_of, secrets_of
from .answer import KEYS as TOLD
from .failures import SourceError

OPTIONS = {
    "url": {"type": "str", "required": True},
    "method": {"type": "str"},
    "body": {"type": "raw"},
    "auth": {"type": "dict", "no_log": True},
    "headers": {"type": "dict", "no_log": True},
    "status": {"type": "raw"},
    "timeout_seconds": {"type": "float"},
    "list": {"type": "str"},
    "fields": {"type": "dict", "required": True},
}
LOOKS = 2


def check(place, entry):
    """Raises ValueError where it cannot be asked."""
    request_of(place, request(entry))
    for field in entry["fields"]:
        if field not in TOLD:
            raise ValueError(f"{place}.fields.{field}: there is no such thing to tell; known are {', '.join(TOLD)}")
    if "name" not in entry["fields"]:
        raise ValueError(f"{place}.fields: must say what the name of a connector is")


def request(entry):
    """What is asked, as :func:`request_of` takes it."""
    return {key: entry[key] for key in KEYS if entry.get(key) is not None}


def look(entry, seconds, deadline):
    """One look, whose ``document`` is packed: see ``plugin_utils/finishing/sync_state``.

    Raises:
        SourceError: it gave no answer that can be used.
    """
    answer = asked(entry["place"], request(entry), min(seconds, deadline.remaining_seconds()))
    return {
        "now_seconds": answer.get("server_time_seconds"),
        "own_now_seconds": time.time(),
        "document": answer["document"],
    }


def asked(place, given, seconds):
    """What one request is answered, as :func:`fetched` tells it.

    Raises:
        SourceError: it gave no answer that can be used.
    """
    (answer,) = fetched([(request_of(place, given), secrets_of(given))], seconds)
    if not answer["available"]:
        raise SourceError(answer["error"], answer["reason"])
    return answer
