# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands a notification of Alertmanager on to ``oncall serve``. Its sender is acknowledged when that has taken it, and not before."""

from __future__ import annotations

import json
import logging
from typing import Any

from aiohttp import web

from oncall.serve.api_calls import call

DOCUMENTATION = r"""
---
short_description: Hand a notification of Alertmanager on to oncall serve
description:
  - For the source eda.builtin.webhook, which answers its sender after its filters. Where C(oncall serve) has taken the
    notification, that is 200. Where it has not, for whatever reason, it is 503, and Alertmanager tries again; the reason
    is logged.
  - No event is left for the rules. What is in the notification is not looked at, and nothing of it is ever a template.
options:
  url:
    description: Where C(oncall serve) takes notifications.
    type: str
    required: true
  token_file:
    description: File with the token for it, and nothing else. V("") for none.
    type: path
    required: true
"""

EXAMPLES = r"""
- eda.builtin.webhook:
    host: 127.0.0.1
    port: 5000
    token: "{{ oncall_token | string | tojson }}"
  filters:
    - oncall.runbooks.oncall_forward:
        url: http://127.0.0.1:9095/alerts
        token_file: /etc/oncall/token
"""

LOG = logging.getLogger("oncall.eda")


def main(event: dict[str, Any], url: str, token_file: str) -> list[dict[str, Any]]:
    """No events, when it is taken."""
    try:
        call(url, token_file, event["payload"])
    except Exception as error:
        # Whatever it is, it must not become an acknowledgement.
        reason = json.dumps(f"{error}", ensure_ascii=True)
        LOG.error("a notification is not acknowledged, as it could not be handed on: %s", reason)
        raise web.HTTPServiceUnavailable(text="oncall serve has not taken it") from None
    return []
