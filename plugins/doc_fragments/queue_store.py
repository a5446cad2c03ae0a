# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of what acts on a queue: how its store is reached where the queue says nothing of its own."""

from __future__ import annotations

from ..doc_fragments.queue import STORES


class ModuleDocFragment:
    DOCUMENTATION: str = "options:\n" + STORES
