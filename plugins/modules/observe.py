#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run several observers at once."""

from __future__ import annotations

DOCUMENTATION = r"""
module: observe
version_added: 0.1.0
short_description: Run several observers at once
description:
  - Runs the functions behind this collection's C(_info) modules side by side in one module call, which is what a diagnosis
    costs. An observer that cannot measure, fails or hangs does not stop the others.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.observe
"""

EXAMPLES = r"""
- name: Look at the pool and at the database in one call
  oncall.runbooks.observe:
    metrics:
      endpoints: {api: http://127.0.0.1:8080/metrics}
      metrics: {waiting: app_db_pool_waiting}
    postgres_activity:
      database: {host: 127.0.0.1, name: labpics, user: oncall}
  register: observed
"""

RETURN = r"""
metrics:
  description: What M(oncall.runbooks.metrics_info) returns.
  type: dict
  returned: when asked for
postgres_activity:
  description: What M(oncall.runbooks.postgres_activity_info) returns.
  type: dict
  returned: when asked for
redis:
  description: What M(oncall.runbooks.redis_info) returns.
  type: dict
  returned: when asked for
service:
  description: What M(oncall.runbooks.service_info) returns.
  type: dict
  returned: when asked for
host:
  description: What M(oncall.runbooks.host_info) returns.
  type: dict
  returned: when asked for
http_probe:
  description: What M(oncall.runbooks.http_probe_info) returns.
  type: dict
  returned: when asked for
filesystem:
  description: What M(oncall.runbooks.filesystem_info) returns.
  type: dict
  returned: when asked for
postgres_wal:
  description: What M(oncall.runbooks.postgres_wal_info) returns.
  type: dict
  returned: when asked for
postgres_access:
  description: What M(oncall.runbooks.postgres_access_info) returns.
  type: dict
  returned: when asked for
port:
  description: What M(oncall.runbooks.port_info) returns.
  type: dict
  returned: when asked for
deployment:
  description: What M(oncall.runbooks.deployment_info) returns.
  type: dict
  returned: when asked for
certificate:
  description: What M(oncall.runbooks.certificate_info) returns.
  type: dict
  returned: when asked for
queue:
  description: What M(oncall.runbooks.queue_info) returns.
  type: dict
  returned: when asked for
api:
  description: What M(oncall.runbooks.api_info) returns.
  type: dict
  returned: when asked for
status_page:
  description: What M(oncall.runbooks.status_page_info) returns.
  type: dict
  returned: when asked for
job_schedule:
  description: What M(oncall.runbooks.job_schedule_info) returns.
  type: dict
  returned: when asked for
workflow:
  description: What M(oncall.runbooks.workflow_info) returns.
  type: dict
  returned: when asked for
webhook:
  description: What M(oncall.runbooks.webhook_info) returns.
  type: dict
  returned: when asked for
sync_state:
  description: What M(oncall.runbooks.sync_state_info) returns.
  type: dict
  returned: when asked for
notification_provider:
  description: What M(oncall.runbooks.notification_provider_info) returns.
  type: dict
  returned: when asked for
migrations:
  description: What M(oncall.runbooks.migrations_info) returns.
  type: dict
  returned: when asked for
backup:
  description: What M(oncall.runbooks.backup_info) returns.
  type: dict
  returned: when asked for
postgres_size:
  description: What M(oncall.runbooks.postgres_size_info) returns.
  type: dict
  returned: when asked for
auth:
  description: What M(oncall.runbooks.auth_info) returns.
  type: dict
  returned: when asked for
break_glass:
  description: What M(oncall.runbooks.break_glass_info) returns.
  type: dict
  returned: when asked for
"""

from ..module_utils import observe
from ..module_utils.observer_module import run


def main():
    """Run the module."""
    run(observe)


if __name__ == "__main__":
    main()
