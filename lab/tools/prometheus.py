# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Prometheus server of one's own: Debian's, on loopback, with its data in a folder that goes with it."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .debian import Server, ensure

# Also the time that a target has to answer, after which it counts as down.
SCRAPE_SECONDS = 0.5
PACKAGE = "prometheus"
_DURATION = re.compile(r"(?<![\w.])(\d+)(s|m|h|d)\b")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def ensure_prometheus(cache: Path) -> str:
    """The server, see :func:`lab.tools.debian.ensure`."""
    return ensure("prometheus", PACKAGE, cache)


def ensure_promtool(cache: Path) -> str:
    """What checks rules and configurations."""
    return ensure("promtool", PACKAGE, cache)


def hurried(text: str, times: float) -> str:
    """Rules, or a configuration, in which every duration is so many times shorter: ``for: 2m`` as ``for: 2000ms``."""
    return _DURATION.sub(lambda found: f"{round(int(found[1]) * _SECONDS[found[2]] * 1000 / times)}ms", text)


class Prometheus(Server):
    """A server that scrapes a few targets twice a second.

    Args:
        program: of :func:`ensure_prometheus`.
        folder: for its configuration, data and log.
        jobs: name of each job to its targets, as ``host:port``.
        instance: what all targets are called; without, each by its own address.
        rules: files of rules, which are evaluated as often as targets are scraped.
        alertmanager: where alerts are sent, as ``host:port``.
    """

    def __init__(
        self,
        program: str,
        folder: Path,
        jobs: dict[str, list[str]],
        instance: str = "",
        rules: Sequence[Path] = (),
        alertmanager: str = "",
    ) -> None:
        every = f"{round(SCRAPE_SECONDS * 1000)}ms"
        labels = {"instance": instance} if instance else {}
        configuration = {
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "scrape_configs": [
                {"job_name": name, "static_configs": [{"targets": targets, "labels": labels}]}
                for name, targets in jobs.items()
            ],
            "rule_files": [str(path) for path in rules],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager] if alertmanager else []}]}]},
        }
        folder.mkdir(parents=True, exist_ok=True)
        # JSON is YAML.
        (folder / "prometheus.yml").write_text(json.dumps(configuration))
        super().__init__(
            folder,
            "prometheus",
            [
                program,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                "--web.listen-address=127.0.0.1:{port}",
                # It knows its Alertmanager only after a few seconds; an alert before that comes again soon, not in a minute.
                "--rules.alert.resend-delay=1s",
            ],
        )

    def query(self, expression: str) -> list[Any]:
        body = urllib.parse.urlencode({"query": expression}).encode()
        with urllib.request.urlopen(f"{self.url}/api/v1/query", body, timeout=2) as answer:
            return list(json.load(answer)["data"]["result"])

    def wait_for(self, expression: str, seconds: float = 90) -> None:
        """Until the expression has a result."""
        end = time.monotonic() + seconds
        while True:
            try:
                if self.query(expression):
                    return
            except urllib.error.HTTPError as error:
                # 503 until it has read its data; anything else is the expression's fault.
                if error.code != 503:
                    raise ValueError(f"{expression}: {error.read().decode(errors='replace')[-200:]}") from None
            except OSError:
                self.check()
            if time.monotonic() > end:
                raise TimeoutError(f"{expression} has no result within {seconds:g} s: {self.said()}")
            time.sleep(0.05)
