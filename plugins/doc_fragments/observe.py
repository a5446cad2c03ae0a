# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of M(oncall.runbooks.observe): those of each observer, one level down."""

from __future__ import annotations

import textwrap

from . import (
    deployment,
    filesystem,
    host,
    http_probe,
    metrics,
    port,
    postgres,
    redis,
    service,
)

_TIMEOUT = """
  timeout_seconds:
    description: Time for connecting and the whole answer.
    type: float
    default: 5
"""


def _nested(name: str, module: str, options: str) -> str:
    return (
        f"\n  {name}:\n    description: Options of M(oncall.runbooks.{module}).\n    type: dict\n    suboptions:\n"
        + textwrap.indent(options, "    ")
    )


class ModuleDocFragment:
    DOCUMENTATION: str = (
        "options:"
        + _nested("metrics", "metrics_info", metrics.OPTIONS)
        + _nested(
            "postgres_activity",
            "postgres_activity_info",
            postgres.DATABASE + postgres.ACTIVITY + _TIMEOUT,
        )
        + _nested("redis", "redis_info", redis.OPTIONS)
        + _nested("service", "service_info", service.SERVICES + service.OBSERVED)
        + _nested("host", "host_info", host.OPTIONS)
        + _nested("http_probe", "http_probe_info", http_probe.OPTIONS)
        + _nested("port", "port_info", port.OPTIONS)
        + _nested("filesystem", "filesystem_info", filesystem.OPTIONS)
        + _nested("postgres_wal", "postgres_wal_info", postgres.DATABASE + _TIMEOUT)
        + _nested("postgres_access", "postgres_access_info", postgres.DATABASE + _TIMEOUT)
        + _nested("deployment", "deployment_info", deployment.OPTIONS)
    )
