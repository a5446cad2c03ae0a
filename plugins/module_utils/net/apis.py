# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches what HTTP APIs of applications say, without reading it."""

from __future__ import annotations

from .documents import fetched, request_of, secrets_of


def observe(params):
    """Ask all APIs at once.

    Args:
        params: see ``observers.api.SPEC``.

    Returns:
        A dict ``apis``: what :func:`.documents.fetched` tells of each, by name.

    Raises:
        ValueError: an API is described in a way that cannot be used.
    """
    if not params["timeout_seconds"] > 0:
        raise ValueError("timeout_seconds must be above 0")
    given = {str(name): one for name, one in params["apis"].items()}
    requests = [(request_of(f"system_apis.{name}", one), secrets_of(one)) for name, one in given.items()]
    return {"apis": dict(zip(given, fetched(requests, params["timeout_seconds"])))}
