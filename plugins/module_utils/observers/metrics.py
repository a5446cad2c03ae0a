# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What metrics show: values, rates, ratios and quantiles."""

from __future__ import annotations

SPEC = {
    "endpoints": {"type": "dict"},
    "prometheus": {
        "type": "dict",
        "options": {
            "url": {"type": "str", "required": True},
            "labels": {"type": "dict", "default": {}},
            "endpoints": {"type": "dict", "default": {}},
            "window_seconds": {"type": "float", "default": 300.0},
        },
    },
    "metrics": {"type": "dict", "default": {}},
    "window_seconds": {"type": "float", "default": 1.0},
    "samples": {"type": "int", "default": 2},
    "timeout_seconds": {"type": "float", "default": 5.0},
}

# With window_seconds 0 it leaves out what it would have to watch for, and tells the rest.
TELLS_WITHOUT_A_WINDOW = True


def watched_seconds(params):
    """For how long it takes samples: where none of what is asked needs two, and of a server, which remembers, for none."""
    from ..metrics.spec import leaves, parse_specs

    if params.get("prometheus"):
        return 0.0
    specs = parse_specs(params.get("metrics") or {}, params.get("endpoints") or {}, False)
    window = params.get("window_seconds")
    window = SPEC["window_seconds"]["default"] if window is None else window
    return float(window) if any(spec["windowed"] for spec in leaves(specs)) else 0.0


def needs_host(params):
    """Never: an endpoint and a server are asked over the network."""
    return False


def load():
    """The function that observes."""
    from ..metrics.measure import observe

    return observe
