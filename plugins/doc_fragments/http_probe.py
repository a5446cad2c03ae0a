# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of everything that asks HTTP endpoints whether they work."""

from __future__ import annotations

OPTIONS = r"""
  endpoints:
    description:
      - What to ask, by name. A URL, or a dictionary with the key C(url) and, where wanted, the following ones.
      - C(method), one of C(GET), C(HEAD) and C(POST) (without a body).
      - C(status), a list of the status codes that are right. Without it, those from 200 to 299. Where a redirect is among them,
        none is followed; otherwise up to three are, within the same scheme, host and port.
      - C(json), a dictionary from the dotted path of a field to the value it must have, or to null where it is only to be read.
      - C(headers), a dictionary of request headers. Their values are never returned.
    type: dict
    required: true
  timeout_seconds:
    description: Time in seconds for all of it. All are asked at once.
    type: float
    default: 5
"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
