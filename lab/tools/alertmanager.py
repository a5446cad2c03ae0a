# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Alertmanager of one's own: Debian's, on loopback, alone, with its data in a folder that goes with it."""

from __future__ import annotations

import json
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from .debian import NoProgram, Server, ensure

PACKAGE = "prometheus-alertmanager"
# Of its own templates, without which it does not start.
TEMPLATES = b"/usr/share/prometheus/alertmanager"


def ensure_alertmanager(cache: Path) -> str:
    """The server, see :func:`lab.tools.debian.ensure`."""
    program = Path(ensure("prometheus-alertmanager", PACKAGE, cache))
    return str(_movable(program) if cache in program.parents else program)


def _movable(program: Path) -> Path:
    """A copy that looks for its templates below its working folder: Debian's has their place compiled in."""
    copy = program.with_name("alertmanager-unpacked")
    if not copy.exists():
        data = program.read_bytes()
        if TEMPLATES not in data:
            raise NoProgram(f"{program} does not look for its templates in {TEMPLATES.decode()}; install {PACKAGE}")
        # Exactly as long as before.
        here = TEMPLATES[1:].replace(b"/", b"//", 1)
        with tempfile.NamedTemporaryFile(dir=program.parent, delete=False) as file:
            file.write(data.replace(TEMPLATES, here))
        partial = Path(file.name)
        partial.chmod(0o755)
        partial.replace(copy)
    return copy


def ensure_amtool(cache: Path) -> str:
    """What checks configurations and routes."""
    return ensure("amtool", PACKAGE, cache)


class Alertmanager(Server):
    """A server with this configuration. Files in it are relative to the folder.

    Args:
        program: of :func:`ensure_alertmanager`.
        folder: for its configuration, data and log.
        configuration: the text of its configuration.
    """

    def __init__(self, program: str, folder: Path, configuration: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "alertmanager.yml").write_text(configuration)
        super().__init__(
            folder,
            "alertmanager",
            [
                program,
                f"--config.file={folder / 'alertmanager.yml'}",
                f"--storage.path={folder / 'data'}",
                "--web.listen-address=127.0.0.1:{port}",
                # No cluster, which would listen for others.
                "--cluster.listen-address=",
            ],
            # <root>/usr/bin/<program>
            cwd=Path(program).parents[2],
        )

    def alerts(self) -> list[dict[str, Any]]:
        """What it knows of, as its API tells it."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=2) as answer:
            return list(json.load(answer))
