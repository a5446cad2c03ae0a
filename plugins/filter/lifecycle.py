# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of the lifecycle, for the tasks of the role ``run``."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from ..plugin_utils import lifecycle
from ..plugin_utils.plain import plain


def _on_plain_data(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        return function(*map(plain, arguments))

    return call


def _now(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        return function(*map(plain, arguments), time.time())

    return call


class FilterModule:
    """Filters of the lifecycle; each takes plain data and returns the next state."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "begin": _on_plain_data(lifecycle.begin),
            "confirm": _on_plain_data(lifecycle.confirm),
            "claimed": _on_plain_data(lifecycle.claimed),
            "step_begun": _now(lifecycle.step_begun),
            "step_done": _now(lifecycle.step_done),
            "step_failed": _now(lifecycle.step_failed),
            "looked": _now(lifecycle.looked),
            "handed_back": _now(lifecycle.handed_back),
            "rolled_back": _on_plain_data(lifecycle.rolled_back),
            "to_claim": _on_plain_data(lifecycle.to_claim),
            "for_ledger": _on_plain_data(lifecycle.for_ledger),
            "noted": _on_plain_data(lifecycle.noted),
            "escalated": _on_plain_data(lifecycle.escalated),
        }
