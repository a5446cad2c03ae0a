# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which alerts somebody has silenced in Alertmanager since they came."""

from __future__ import annotations

import time
from collections.abc import Mapping

from ...errors import OncallError
from ..api_calls import CallFailed, call
from ..settings import Settings

# Asked again at most so often.
KEPT_SECONDS = 5.0


class Silences:
    """Remembers the last answer for a moment."""

    def __init__(self) -> None:
        self._answer: Mapping[str, str] = {}
        self._asked_at = float("-inf")

    def ask(self, settings: Settings) -> Mapping[str, str]:
        """Fingerprint -> why nothing is to be done; with the key "" it is so for all, as nobody could tell."""
        if settings.alertmanager is None:
            return {}
        if time.monotonic() - self._asked_at > KEPT_SECONDS:
            url = settings.alertmanager.url.rstrip("/")
            asked = f"{url}/api/v2/alerts?active=false&inhibited=false&silenced=true"
            try:
                self._answer = _silenced(call(asked, settings.alertmanager.token_file))
            except (CallFailed, OncallError, LookupError, TypeError) as error:
                self._answer = {"": f"nobody knows what is silenced: {error}"[:300]}
            self._asked_at = time.monotonic()
        return self._answer


def _silenced(alerts: list[dict[str, dict[str, list[str]]]]) -> dict[str, str]:
    return {
        str(alert["fingerprint"]): f"silenced in Alertmanager by {alert['status']['silencedBy'][0]}"
        for alert in alerts
        if alert["status"]["silencedBy"]
    }
