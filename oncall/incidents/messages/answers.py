# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of an attempt to tell somebody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Answer:
    """What is known of one attempt.

    Attributes:
        result: ``sent``; ``failed``, it was not taken and can be tried again; ``refused``, it never will be; ``unknown``, perhaps it arrived.
        why: in one line, without secrets.
        retry_after: in so many seconds, as the other side asks; None where it does not.
        status: of HTTP; 0 for none.
        reference: what the other side calls it, such as the id of an incident on a status page.
    """

    result: Literal["sent", "failed", "refused", "unknown"]
    why: str = ""
    retry_after: float | None = None
    status: int = 0
    reference: str = ""
