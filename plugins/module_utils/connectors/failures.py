# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a source could not be read."""

from __future__ import annotations


class SourceError(Exception):
    """It could not be read; the message is one line and holds no secret.

    Attributes:
        kind: of the trouble.
    """

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind
