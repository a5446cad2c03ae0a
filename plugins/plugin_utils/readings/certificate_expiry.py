# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table of certificate_expiry reads in what M(oncall.runbooks.certificate_info) tells."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

Row = Mapping[str, Any]

_TIME, _DAY_SECONDS, _AGREE_DAYS = "%Y-%m-%dT%H:%M:%SZ", 86400.0, 0.2


def dated(certificate: Row) -> list[Row]:
    """The certificates that were shown. Their end and the days that are left have to agree, before any is renewed."""
    now = datetime.strptime(certificate["at"], _TIME)
    for row in certificate["served"]:
        left = (datetime.strptime(row["not_after"], _TIME) - now).total_seconds() / _DAY_SECONDS
        if abs(left - row["days_left"]) > _AGREE_DAYS:
            raise ValueError(
                f"{row['description']} ends at {row['not_after']}, which is not in {row['days_left']} days: a clock moved"
            )
    return list(certificate["served"])
