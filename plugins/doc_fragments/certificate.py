# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of what looks at certificates."""

from __future__ import annotations

OPTIONS = r"""
  endpoints:
    description:
      - What to look at, by name. C(https://HOST[:PORT]), C(tls://HOST:PORT) for anything else that begins with TLS, or
        C(postgresql://HOST[:PORT]), which is asked for TLS as PostgreSQL wants it. User, password and path are not used.
      - C(tls://127.0.0.1:443?name=shop.example.com) asks an address for the certificate of a name.
      - A database's certificate has to name its host only with C(?sslmode=verify-full), as for libpq.
    type: dict
    required: true
  timeout_seconds:
    description: Time in seconds for all of it. All are asked at once.
    type: float
    default: 5
"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
