# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of what only asks the provider about a webhook."""

from __future__ import annotations

from ..doc_fragments.webhook import WEBHOOK


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + WEBHOOK
