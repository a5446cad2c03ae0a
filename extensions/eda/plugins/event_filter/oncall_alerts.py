# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns a notification of Alertmanager into one event for each alert that means a runbook and a host, with nothing of its text."""

from __future__ import annotations

import functools
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from oncall import OncallError, inventory
from oncall.serve.intake.alerts import Refused, read
from oncall.serve.intake.routing import sort
from oncall.serve.settings import Settings, load

DOCUMENTATION = r"""
---
short_description: Turn a notification of Alertmanager into events that are safe to run a playbook with
description:
  - Reads what Alertmanager posted to the source eda.builtin.webhook by the rules of C(oncall serve), which the same file
    of settings gives. The routing table says which runbook an alert means, and only exact names of hosts of the
    inventory are hosts.
  - An alert that is firing and means both becomes an event with the keys C(episode) (an id that is the same for every
    notification of it), C(runbook), C(host), C(run_until) (V(verify) where the runbook's mode is V(auto), else V(plan))
    and C(meta.hosts), to which ansible-rulebook limits the playbook. There is nothing else of the alert in it, because
    ansible-rulebook hands the whole event to the playbook as extra vars, which Ansible trusts as templates.
  - Everything else is dropped. What is firing and means no runbook or no host is logged, with the reason.
options:
  config:
    description: The settings. Without it, the environment variable E(ONCALL_CONFIG) names them.
    type: path
    default: /etc/oncall/serve.yml
"""

EXAMPLES = r"""
- eda.builtin.webhook:
    host: 127.0.0.1
    port: 5000
    token: "{{ oncall_token | string | tojson }}"
  filters:
    - oncall.runbooks.oncall_alerts:
        config: /etc/oncall/serve.yml
"""

LOG = logging.getLogger("oncall.eda")
# Reading the inventory takes a second, in which ansible-rulebook does nothing else.
REMEMBER_SECONDS = 60


def main(event: dict[str, Any], config: str = "") -> list[dict[str, Any]]:
    """The events of a notification."""
    try:
        file = config or os.environ.get("ONCALL_CONFIG", "/etc/oncall/serve.yml")
        settings, known = _rules(file, int(time.monotonic() / REMEMBER_SECONDS))
    except OncallError as error:
        LOG.error("a notification is not taken: %s", _shown(error))
        # The source answers with it, and Alertmanager tries again.
        raise web.HTTPServiceUnavailable(text="the settings or the inventory cannot be read; see the log") from None
    try:
        kept = read(json.dumps(event.get("payload")).encode())
    except (Refused, RecursionError) as error:
        LOG.warning("a notification is dropped: %s", _shown(error))
        return []
    found = sort(kept.each(), kept.bad, settings, known, time.time(), kept.left_out)
    for row in found.aside:
        LOG.warning("an alert is dropped: %s", _shown(row["reason"]))
    return [
        {
            "episode": row["id"],
            "runbook": row["runbook"],
            "host": row["host"],
            "run_until": "verify" if row["mode"] == "auto" else "plan",
            "meta": {"hosts": row["host"]},
        }
        for row in found.firing
    ]


@functools.lru_cache(maxsize=1)
def _rules(file: str, _minute: int) -> tuple[Settings, inventory.Names]:
    settings = load(Path(file))
    return settings, inventory.names(settings.inventories, settings.keep_environment)


def _shown(what: Any) -> str:
    """As text that no terminal acts on."""
    return json.dumps(str(what), ensure_ascii=True)
