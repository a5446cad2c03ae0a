# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real stack to break: PostgreSQL, Redis, an API and a worker, under supervisord or with Docker Compose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .layout import LabError

if TYPE_CHECKING:
    from .compose.stack import ComposeLab
    from .embedded.stack import Lab

__all__ = ["ComposeLab", "Lab", "LabError"]


def __getattr__(name: str) -> object:
    # The API, the worker and the fault programs live in this package too and need nothing of these classes.
    if name == "Lab":
        from .embedded.stack import Lab

        return Lab
    if name == "ComposeLab":
        from .compose.stack import ComposeLab

        return ComposeLab
    raise AttributeError(name)
