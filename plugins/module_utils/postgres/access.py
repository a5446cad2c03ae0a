# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may not log in to a PostgreSQL database, and whether what is new there may write."""

from __future__ import annotations

from .client import Client, DatabaseError

# pg_shdepend knows the roles that own something in this database or were granted something; others are no application of it.
# A role that cannot log in and has members is a group, which nobody logs in as.
ACCESS = """
WITH here AS (SELECT oid FROM pg_database WHERE datname = current_database()),
known_here AS (
  SELECT d.refobjid AS role FROM pg_shdepend d, here
  WHERE d.refclassid = 'pg_authid'::regclass
    AND (d.dbid = here.oid OR (d.classid = 'pg_database'::regclass AND d.objid = here.oid))
),
concerned AS (
  SELECT r.oid, r.rolname, r.rolcanlogin, r.rolconnlimit, r.rolvaliduntil FROM pg_roles r
  WHERE NOT r.rolsuper AND left(r.rolname, 3) <> 'pg_' AND r.rolname <> current_user
    AND (r.oid IN (SELECT role FROM known_here)
         OR EXISTS (SELECT FROM pg_auth_members m JOIN known_here k ON k.role = m.roleid WHERE m.member = r.oid))
    AND (r.rolcanlogin OR NOT EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = r.oid))
),
configured AS (
  SELECT s.setdatabase, split_part(c, '=', 2)::boolean AS read_only
  FROM pg_db_role_setting s, unnest(s.setconfig) AS c
  WHERE s.setrole = 0 AND split_part(c, '=', 1) = 'default_transaction_read_only'
)
SELECT json_build_object(
  'user', current_user,
  'database', current_database(),
  'in_recovery', pg_is_in_recovery(),
  'roles', (SELECT coalesce(json_agg(t ORDER BY t.name), '[]') FROM (
    SELECT rolname AS name, rolcanlogin AS may_login,
           coalesce(rolvaliduntil <= now(), false) AS is_expired, rolconnlimit AS connection_limit,
           (SELECT count(*) FROM pg_stat_activity a
            WHERE a.usesysid = concerned.oid AND a.backend_type = 'client backend') AS sessions
    FROM concerned) t),
  'read_only_by_database', (SELECT read_only FROM configured, here WHERE setdatabase = here.oid),
  'read_only_by_all_roles', (SELECT read_only FROM configured WHERE setdatabase = 0),
  'read_only', current_setting('default_transaction_read_only')::boolean,
  'read_only_source', (SELECT source FROM pg_settings WHERE name = 'default_transaction_read_only')
)::text
"""

# What holds for nobody but the session that asks.
_OWN_SOURCES = ("client", "user", "database user", "session", "interactive")


def observe(params):
    """Ask a database who is kept out of it, and whether new sessions may write.

    Args:
        params: as in :data:`observers.postgres_access.SPEC`.

    Returns:
        What the documentation of M(oncall.runbooks.postgres_access_info) says.
    """
    try:
        # Other questions are asked in read-only mode, which would hide the mode that is looked for.
        with Client(params["database"], params["timeout_seconds"], read_only=False) as client:
            return dict(summarize(client.query(ACCESS)), available=True)
    except DatabaseError as error:
        return {"available": False, "reason": str(error), "error": error.kind}


def summarize(document):
    """The document of :data:`ACCESS` as causes are judged by. Pure."""
    found = {key: document[key] for key in ("user", "database", "in_recovery")}
    found["barred"] = [
        {"role": role["name"], "reason": reason} for role in document["roles"] for reason in [_barred(role)] if reason
    ]
    found.update(_read_only(document), limits=[])
    if found["default_read_only"] is None:
        found["limits"].append(
            f"whether others may write is not known: {document['user']} has a default_transaction_read_only of its own"
        )
    return found


def _barred(role):
    """Why nobody can log in as a role now, or nothing."""
    if not role["may_login"]:
        return "it is NOLOGIN"
    if role["is_expired"]:
        return "its VALID UNTIL is over"
    if 0 <= role["connection_limit"] <= role["sessions"]:
        return f"it has {role['sessions']} sessions, and its CONNECTION LIMIT is {role['connection_limit']}"
    return ""


def _read_only(document):
    """What new sessions of a role without a setting of its own get, in the server's own order."""
    for place in ("database", "all_roles"):
        if document[f"read_only_by_{place}"] is not None:
            source = "ALTER DATABASE" if place == "database" else "ALTER ROLE ALL"
            return {"default_read_only": document[f"read_only_by_{place}"], "default_read_only_source": source}
    if document["read_only_source"] in _OWN_SOURCES:
        return {"default_read_only": None, "default_read_only_source": ""}
    return {"default_read_only": document["read_only"], "default_read_only_source": document["read_only_source"]}
