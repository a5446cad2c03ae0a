# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each page shows and does."""

from __future__ import annotations

from . import acting, duty, hosts, incident, incidents, looking, plans, review, settings
from .base import View

VIEWS: tuple[View, ...] = tuple(
    view for part in (looking, incidents, incident, plans, hosts, duty, review, settings, acting) for view in part.VIEWS
)

__all__ = ["VIEWS", "View"]
