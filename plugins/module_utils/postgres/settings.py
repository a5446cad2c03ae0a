# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server settings changed with ALTER SYSTEM. The server itself quotes the name and the value."""

from __future__ import annotations

from .client import PARAMETERS

LOOK = (
    "WITH asked AS (SELECT "
    + PARAMETERS
    + """::jsonb AS p)
SELECT json_build_object(
  'known', count(s.name) = 1,
  'value', max(s.setting),
  'needs_restart', bool_or(s.context = 'postmaster'),
  'set', 'ALTER SYSTEM SET ' || quote_ident(max(p->>'name')) || ' = ' || quote_literal(max(p->>'value')),
  'reset', 'ALTER SYSTEM RESET ' || quote_ident(max(p->>'name')))::text
FROM asked LEFT JOIN pg_settings s ON s.name = p->>'name'
"""
)


def change(client, name, value, check_mode=False):
    """Set (or, with ``value`` None, reset) one server setting.

    Args:
        client: a :class:`~.postgres.Client` that is not read-only.
        name: the setting, as in pg_settings.
        value: the text of the new value, or None.
        check_mode: only look.

    Returns:
        ``changed`` (a reset always counts as one), ``previous_value`` (what is in force) and ``needs_restart``.

    Raises:
        ValueError: the server has no such setting.
        DatabaseError: the server refused.
    """
    look = client.query(LOOK, {"name": name, "value": value})
    if not look["known"]:
        raise ValueError(f"the server has no setting {name}")
    changed = value is None or look["value"] != value
    if changed and not check_mode:
        client.execute(look["reset"] if value is None else look["set"])
    return {"changed": changed, "previous_value": look["value"], "needs_restart": bool(look["needs_restart"])}
