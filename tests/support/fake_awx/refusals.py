# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that are no success."""

from __future__ import annotations

from typing import Any

FORBIDDEN = "You do not have permission to perform this action."


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, answer: Any) -> None:
        super().__init__(status, answer)
        self.status, self.answer = status, answer


def refuse(status: int, answer: str) -> Refused:
    return Refused(status, {"detail": answer})


def allow(method: str, *methods: str) -> None:
    if method not in methods:
        raise refuse(405, f'Method "{method}" not allowed.')
