# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A team in an inventory, and what reaches its people: channels that keep what they are sent."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.http_servers import Handler, HttpServer

KEY = "k3y-of-a-channel"


class Channels:
    """A server on which each path is a channel.

    Attributes:
        slow: path -> so many seconds pass before it answers.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: list[tuple[str, dict[str, Any]]] = []
        self.slow: dict[str, float] = {}
        channels = self

        class Taking(Handler):
            def do_POST(self) -> None:
                name = self.path.partition("?")[0].strip("/")
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with channels._lock:
                    channels._sent.append((name, body))
                time.sleep(channels.slow.get(name, 0.0))
                # Who sent it may have been killed meanwhile.
                with suppress(ConnectionError):
                    self.give(b"{}")

        self._server = HttpServer(Taking)

    def url(self, name: str) -> str:
        """Its address, which is a secret as far as it has a key."""
        return f"http://{self._server.place}/{name}?key={KEY}"

    def sent(self, name: str = "") -> list[dict[str, Any]]:
        """What a channel was sent, or all of them."""
        with self._lock:
            return [body for path, body in self._sent if not name or path == name]

    def close(self) -> None:
        self._server.close()


def team(channels: Channels, **changed: Any) -> dict[str, Any]:
    """The variables of a team of two, which is watched for some seconds."""
    everything = ["initial", "update", "resolution", "escalation"]
    return {
        "incident_severities": {"P0": {"name": "critical"}, "P1": {"name": "high"}, "P2": {"name": "medium"}},
        "system_severities": [
            {"level": "P0", "means": "nothing works", "when": ["critical"]},
            {"level": "P1", "means": "much is broken", "when": ["high"]},
            {"level": "P2", "means": "little is broken", "when": ["medium", "low"]},
        ],
        "incident_tell": {
            "channels": {
                name: {"kind": "webhook", "url": channels.url(name), "kinds": everything}
                for name in ("chat", "ada", "bob")
            },
            "by_severity": {"P0": ["chat"], "P1": ["chat"]},
        },
        "incident_contacts": {"engineer": {"people": ["ada"]}, "lead": {"people": ["bob"]}},
        "incident_people": {"ada": {"reach": ["ada"]}, "bob": {"reach": ["bob"]}},
        "incident_escalation": [
            {"roles": ["engineer"]},
            {"roles": ["lead"], "after_minutes": 0.05, "need": "somebody who knows Redis"},
        ],
        "incident_review": {
            "within_hours": 48,
            "contents": [{"title": "What happened", "shows": ["times", "timeline"]}],
        },
        "incident_watch": {"for_minutes": 0.1, "every_minutes": 0.05},
        "incident_steps": ["acknowledge", "resolve"],
        **changed,
    }


def into_inventory(folder: Path, variables: dict[str, Any], group: str = "web") -> None:
    """Have the inventory of a service say it."""
    file = folder / "inventory.json"
    told = json.loads(file.read_text())
    told["all"]["children"][group]["vars"] = variables
    file.write_text(json.dumps(told))
