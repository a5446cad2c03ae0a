# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observers, each as often as it is asked, as a module takes them."""

from __future__ import annotations

from . import observe

SPEC = {"questions": {"type": "list", "elements": "dict", "required": True, "options": observe.SPEC}}


def load():
    """The function that observes."""
    return observe.observe_each
