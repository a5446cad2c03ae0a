# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter sync_moved."""

from __future__ import annotations

DOCUMENTATION = r"""
name: sync_moved
short_description: Say whether a connector has synchronised between two looks
version_added: "0.2.0"
author: "oncall.runbooks maintainers (@oncall-runbooks)"
description:
  - True where its last success and its watermark have both moved, as far as the source tells them. Where it tells neither, that it is well.
  - With Kafka Connect, that none of its tasks is failed any more.
positional: before, source, connector
options:
  _input:
    description: What M(oncall.runbooks.sync_state_info) returned at last.
    type: dict
    required: true
  before:
    description: What it returned before.
    type: dict
    required: true
  source:
    description: The key of the source.
    type: str
    required: true
  connector:
    description: The name of the connector.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Has it synchronised
  ansible.builtin.debug:
    msg: "{{ after | oncall.runbooks.sync_moved(before, 'app', 'crm') }}"
"""

RETURN = r"""
_value:
  description: Whether it has.
  type: bool
"""

_MOVES = ("last_success_at_seconds", "watermark_at_seconds", "position")


def sync_moved(after, before, source, connector):
    """See the documentation of the filter."""
    now, then = _one(after, source, connector), _one(before, source, connector)
    if now is None or now.get("failed_tasks") or now.get("state") in ("failed", "retrying"):
        return False
    told = [key for key in _MOVES if key in now]
    if not told:
        return now.get("state") in ("ok", "running")
    return all(now[key] > (then or {}).get(key, float("-inf")) for key in told)


def _one(observed, source, connector):
    """One connector of what was observed, or None where it was not seen."""
    connectors = ((observed.get("sources") or {}).get(source) or {}).get("connectors") or []
    return next((one for one in connectors if one["name"] == connector), None)


class FilterModule:
    """Ansible's way to find filters."""

    def filters(self):
        """The filters of this file, by name."""
        return {"sync_moved": sync_moved}
