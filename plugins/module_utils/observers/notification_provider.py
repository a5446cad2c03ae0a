# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the providers of mail, text messages and chat would take a message."""

from __future__ import annotations

SPEC = {
    "channels": {"type": "dict", "required": True},
    "failures": {"type": "int", "default": 1},
    "samples": {"type": "int", "default": 1},
    "window_seconds": {"type": "float", "default": 0.0},
    "marks_directory": {"type": "path", "default": ""},
    "timeout_seconds": {"type": "float", "default": 10.0},
}
# Checks that fail one right after the other prove less than those with a pause between them.
TELLS_WITHOUT_A_WINDOW = False


def needs_host(params):
    """Where a file or a command of the managed host is read. A provider is asked over the network."""
    switches = [one.get("switch") for one in params["channels"].values() if isinstance(one, dict)]
    commands = [one for one in switches if isinstance(one, dict) and isinstance(one.get("show"), list)]
    return bool(params.get("marks_directory") or commands)


def load():
    """The function that observes."""
    from ..providers.look import observe

    return observe
