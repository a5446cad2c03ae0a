# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What connectors have come to, in the table ``connector_sync_state``; light, as a command that is run again and again loads it."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .settings import required

if TYPE_CHECKING:
    import psycopg

SECONDS = 2
WELL = "UPDATE connector_sync_state SET status = 'success', last_success_at = now(), retry_count = 0, last_error = NULL WHERE connector = %s"
FAILED = "UPDATE connector_sync_state SET status = 'failed', retry_count = retry_count + 1, last_error = %s WHERE connector = %s"


def trouble_of_provider() -> str:
    """What kept a connector from its provider, as HTTP clients word it; "" for nothing."""
    provider = urlsplit(required("PROVIDER_URL"))
    connection = http.client.HTTPConnection(provider.hostname or "", provider.port, timeout=SECONDS)
    try:
        connection.request("GET", "/rates")
        answer = connection.getresponse()
        answer.read()
    except TimeoutError:
        return f"connect ETIMEDOUT {provider.netloc}"
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    return "" if answer.status == 200 else f"{answer.status} {http.client.responses.get(answer.status, '')}".strip()


def note(connection: psycopg.Connection[Any], name: str, trouble: str) -> bool:
    """Write down what came of a connector; whether there is such a one."""
    cursor = connection.execute(FAILED, [trouble, name]) if trouble else connection.execute(WELL, [name])
    return cursor.rowcount > 0
