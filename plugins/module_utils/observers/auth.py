# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets into an application and who does not, and why: a canary's login, the identity provider and its keys, and what logs say."""

from __future__ import annotations

SPEC = {
    "auth": {"type": "dict", "required": True},
    "services": {"type": "dict", "default": {}},
    "lately_seconds": {"type": "float", "default": 900.0},
    "log_lines": {"type": "int", "default": 20000},
    "marks_directory": {"type": "path", "default": ""},
    "probe_refused_limit": {"type": "int", "default": 2},
    "probe_window_seconds": {"type": "float", "default": 3600.0},
    "timeout_seconds": {"type": "float", "default": 10.0},
}


def needs_host(params):
    """Where a log or a file of the managed host is read. A login and an identity provider are asked over the network."""
    named = params["services"].values()
    return bool(params.get("marks_directory")) or any(
        not isinstance(one, dict) or one.get("manager") != "command" for one in named
    )


def load():
    """The function that looks. A token is read on the controller: see ``plugin_utils/finishing``."""
    from ..auth.look import observe

    return observe
