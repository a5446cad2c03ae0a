# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How something is done with a connector: a command of the inventory, an API call of it, or what the source can by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..module_utils.connectors.answer import is_plain
from ..module_utils.text.one_line import one_line

# What a source does without a word of the inventory.
_BY_ITSELF = {"kafka_connect": ("restart_tasks",)}
Things = Mapping[str, Any]


def way_of(entry: Things, verb: str) -> str:
    """What does it: ``command``, ``request``, ``source``, or nothing."""
    if (entry.get("commands") or {}).get(verb):
        return "command"
    if (entry.get("requests") or {}).get(verb):
        return "request"
    return "source" if verb in _BY_ITSELF.get(str(entry.get("source")), ()) else ""


def missing_for(entries: Things, source: str, connector: str, verb: str) -> str:
    """Why something cannot be done with a connector, known without trying it.

    Args:
        entries: the ``system_connectors`` of the inventory.
        source: a key there.
        connector: its name; empty where it is about all of them.
        verb: one of :data:`spec.VERBS`.

    Returns:
        An empty string where nothing is missing, otherwise one line for the user.
    """
    entry = entries.get(source)
    if not isinstance(entry, Mapping):
        return f"{one_line(source, 60)} is not in system_connectors"
    if not way_of(entry, verb):
        return f"nothing says how: add system_connectors.{source}.commands.{verb} or .requests.{verb}"
    if connector and not is_plain(connector):
        return f"the name {one_line(connector, 60)} is not plain, and no command or URL gets it"
    return ""
