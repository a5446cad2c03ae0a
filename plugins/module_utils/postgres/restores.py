# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases that a restore makes beside the one in use, and the step in which it takes its place.

Nothing of the database in use is changed before that step, and that is one transaction: it has happened, or nothing has. The server itself
quotes every name; none becomes a part of a statement here.
"""

from __future__ import annotations

import json
import re
import time

from ..backups.belongings import PRIVILEGES
from ..backups.facts import MAINTENANCE, MARK, marked, name_for
from ..text.one_line import one_line
from .client import PARAMETERS, Client, DatabaseError

# What a database of ours may be: a restored one, one of a test restore, the one that was in use before, a restored one that was taken back,
# and one that is in use where there was none before.
KINDS = ("new", "drill", "old", "failed", "restored")
_DROPPED = ("new", "drill", "failed")
# Settings that are lists of names, each of which is quoted by itself.
_LISTS = ("search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries")
_LIST_PART = re.compile(r'"((?:[^"]|"")+)"|([^",\s]+)')
_TRIES = 6
_LOOKS_SECONDS = 0.1
_ASKED = "WITH asked AS (SELECT " + PARAMETERS + "::jsonb AS p) "
# Like the one in use. Where there is none any more, like what is known of it, and like template1 in what is not. What a version does not
# have is null.
_CREATE = (
    _ASKED
    + """, like_this AS (
  SELECT d.datname = p->>'of' AS is_live, d.dattablespace,
    jsonb_build_object('owner', pg_get_userbyid(d.datdba), 'encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate,
      'ctype', d.datctype, 'provider', j->'datlocprovider', 'locale', coalesce(j->>'daticulocale', j->>'datlocale'))
    || CASE WHEN d.datname = p->>'of' THEN '{}' ELSE jsonb_strip_nulls(p->'like') END AS l
  FROM asked, pg_database d, to_jsonb(d) j
  WHERE d.datname IN (p->>'of', 'template1') ORDER BY d.datname <> (p->>'of') LIMIT 1
)
SELECT json_build_object(
  'create', 'CREATE DATABASE ' || quote_ident(p->>'name') || ' OWNER ' || quote_ident(l->>'owner')
    || ' TEMPLATE template0 ENCODING ' || quote_literal(l->>'encoding')
    || CASE l->>'provider'
         WHEN 'i' THEN ' LOCALE_PROVIDER icu ICU_LOCALE ' || quote_literal(l->>'locale')
         WHEN 'b' THEN ' LOCALE_PROVIDER builtin BUILTIN_LOCALE ' || quote_literal(l->>'locale')
         WHEN 'c' THEN ' LOCALE_PROVIDER libc'
         ELSE '' END
    || ' LC_COLLATE ' || quote_literal(l->>'collate') || ' LC_CTYPE ' || quote_literal(l->>'ctype')
    -- To name the default one takes a right of its own.
    || coalesce((SELECT ' TABLESPACE ' || quote_ident(spcname) FROM pg_tablespace
                 WHERE is_live AND oid = dattablespace AND spcname <> 'pg_default'), ''),
  'is_live', is_live,
  'comment', 'COMMENT ON DATABASE ' || quote_ident(p->>'name') || ' IS ' || quote_literal(p->>'mark')
)::text FROM asked, like_this"""
)
_STATE = (
    _ASKED
    + """SELECT json_build_object(
  'databases', (SELECT coalesce(json_object_agg(datname, shobj_description(oid, 'pg_database')), '{}') FROM pg_database),
  'sessions', (SELECT coalesce(json_agg(t), '[]') FROM (
    SELECT a.pid, a.datname, a.usename, a.application_name, a.backend_type, coalesce(r.rolsuper, true) AS is_super
    FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
    WHERE a.datname IN (SELECT jsonb_array_elements_text(p->'names')) AND a.pid <> pg_backend_pid()) t)
)::text FROM asked"""
)
_END = _ASKED + (
    "SELECT coalesce(json_agg(pg_terminate_backend((one->>'pid')::int)), '[]')::text FROM asked, jsonb_array_elements(p->'sessions') one"
)
_SWAP = (
    _ASKED
    + """SELECT json_build_object('steps', json_build_array(
  'ALTER DATABASE ' || quote_ident(p->>'live') || ' RENAME TO ' || quote_ident(p->>'away'),
  'ALTER DATABASE ' || quote_ident(p->>'comes') || ' RENAME TO ' || quote_ident(p->>'live'),
  'COMMENT ON DATABASE ' || quote_ident(p->>'live') || ' IS ' || coalesce(quote_literal(p->>'live_comment'), 'NULL'),
  'COMMENT ON DATABASE ' || quote_ident(p->>'away') || ' IS ' || quote_literal(p->>'away_comment')),
  'come', json_build_array(
  'ALTER DATABASE ' || quote_ident(p->>'comes') || ' RENAME TO ' || quote_ident(p->>'live'),
  'COMMENT ON DATABASE ' || quote_ident(p->>'live') || ' IS ' || quote_literal(p->>'alone_comment')))::text FROM asked"""
)
_DROP = _ASKED + "SELECT json_build_object('drop', 'DROP DATABASE ' || quote_ident(p->>'name'))::text FROM asked"
_COMMENT = (
    _ASKED
    + "SELECT json_build_object('set', 'COMMENT ON DATABASE ' || quote_ident(p->>'name') || ' IS ' || quote_literal(p->>'mark'))::text FROM asked"
)
# What belongs to a database itself, as backups.belongings has it.
_BELONGINGS = (
    _ASKED
    + """SELECT coalesce((SELECT json_build_object(
  'owner', pg_get_userbyid(d.datdba), 'encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate, 'ctype', d.datctype,
  'provider', j->'datlocprovider', 'locale', coalesce(j->>'daticulocale', j->>'datlocale'), 'connection_limit', d.datconnlimit,
  'rights', CASE WHEN d.datacl IS NULL THEN '[]' ELSE
    jsonb_build_array(jsonb_build_object('is_given', false, 'privileges', '["ALL"]'::jsonb, 'role', NULL, 'is_grantable', false))
    || (SELECT coalesce(jsonb_agg(jsonb_build_object('is_given', true, 'privileges', jsonb_build_array(a.privilege_type),
          'role', CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END, 'is_grantable', a.is_grantable)
          ORDER BY a.grantee, a.privilege_type), '[]') FROM aclexplode(d.datacl) a) END,
  'settings', (SELECT coalesce(json_agg(json_build_object('role', CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole) END,
      'name', split_part(c, '=', 1), 'value', substr(c, strpos(c, '=') + 1))), '[]')
    FROM pg_db_role_setting s, unnest(s.setconfig) c WHERE s.setdatabase = d.oid))
  FROM pg_database d, to_jsonb(d) j WHERE d.datname = p->>'of'), 'null')::text FROM asked"""
)
# Each with what it is about: a value may be a secret, and is in no message.
_DRESS = (
    _ASKED
    + """SELECT json_build_object('steps',
  (SELECT coalesce(json_agg(json_build_object('what', 'the right ' || r.privileges || ' of ' || r.who,
      'statement', CASE WHEN r.is_given THEN 'GRANT ' ELSE 'REVOKE ' END || r.privileges || ' ON DATABASE ' || quote_ident(p->>'name')
        || CASE WHEN r.is_given THEN ' TO ' ELSE ' FROM ' END || r.who || CASE WHEN r.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
      ORDER BY r.number), '[]')::jsonb
   FROM (SELECT number, (one->>'is_given')::bool AS is_given, (one->>'is_grantable')::bool AS is_grantable,
           coalesce(quote_ident(one->>'role'), 'PUBLIC') AS who,
           (SELECT string_agg(a, ', ') FROM jsonb_array_elements_text(one->'privileges') a) AS privileges
         FROM jsonb_array_elements(p->'rights') WITH ORDINALITY AS of_it(one, number)) r)
  || (SELECT coalesce(json_agg(json_build_object('what', 'the limit of connections',
        'statement', 'ALTER DATABASE ' || quote_ident(p->>'name') || ' CONNECTION LIMIT ' || (n #>> '{}')::int)), '[]')::jsonb
      FROM (SELECT p->'connection_limit' AS n) l WHERE jsonb_typeof(n) = 'number')
  || (SELECT coalesce(json_agg(json_build_object('what', 'the setting ' || (one->>'name') || coalesce(' of ' || (one->>'role'), ''),
        'statement', coalesce('ALTER ROLE ' || quote_ident(one->>'role') || ' IN DATABASE ', 'ALTER DATABASE ')
          || quote_ident(p->>'name') || ' SET '
          || (SELECT string_agg(quote_ident(part), '.' ORDER BY place)
              FROM unnest(string_to_array(one->>'name', '.')) WITH ORDINALITY AS of_name(part, place))
          || ' TO ' || (SELECT string_agg(quote_literal(v), ', ' ORDER BY place)
              FROM jsonb_array_elements_text(one->'values') WITH ORDINALITY AS of_values(v, place))) ORDER BY number), '[]')::jsonb
      FROM jsonb_array_elements(p->'settings') WITH ORDINALITY AS of_it(one, number))
)::text FROM asked"""
)
_CONTENT = """WITH ours AS (SELECT oid, nspname FROM pg_namespace WHERE nspname <> 'information_schema' AND left(nspname, 3) <> 'pg_')
SELECT json_build_object(
  'tables', (SELECT coalesce(json_object_agg(t.name, json_build_object('count', t.statement, 'owner', t.owner, 'acl', t.acl, 'kind', t.kind,
      'columns', t.columns)), '{}')
    FROM (SELECT n.nspname || '.' || c.relname AS name, pg_get_userbyid(c.relowner) AS owner, c.relacl::text[] AS acl, c.relkind AS kind,
      (SELECT coalesce(json_agg(a.attname ORDER BY a.attnum), '[]') FROM pg_attribute a
       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
      format('SELECT json_build_object(''count'', count(*))::text FROM ONLY %I.%I', n.nspname, c.relname) AS statement
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND left(n.nspname, 3) <> 'pg_'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')) t),
  'extensions', (SELECT coalesce(json_agg(extname ORDER BY 1), '[]') FROM pg_extension),
  'others', (SELECT coalesce(json_agg(DISTINCT o.name ORDER BY o.name), '[]') FROM (
    -- Without the search_path, which two databases need not share.
    SELECT CASE c.relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'S' THEN 'sequence ' WHEN 'f' THEN 'foreign table '
        ELSE 'index ' END || n.nspname || '.' || c.relname
      -- What a table has goes with it.
      || coalesce((SELECT ' of ' || u.nspname || '.' || t.relname FROM pg_class t JOIN ours u ON u.oid = t.relnamespace
          WHERE t.oid = (SELECT i.indrelid FROM pg_index i WHERE i.indexrelid = c.oid) OR t.oid = (
            SELECT d.refobjid FROM pg_depend d WHERE c.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid
              AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0 LIMIT 1)), '') AS name
    FROM pg_class c JOIN ours n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('v', 'm', 'S', 'f', 'i', 'I') AND c.relpersistence <> 't'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x'))
    UNION ALL
    SELECT 'row security of ' || n.nspname || '.' || c.relname FROM pg_class c JOIN ours n ON n.oid = c.relnamespace WHERE c.relrowsecurity
    UNION ALL
    SELECT 'policy ' || p.polname || ' of ' || n.nspname || '.' || c.relname
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN ours n ON n.oid = c.relnamespace
    UNION ALL
    SELECT 'trigger ' || t.tgname || ' of ' || n.nspname || '.' || c.relname
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN ours n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal
    UNION ALL
    SELECT 'constraint ' || k.conname || ' of ' || n.nspname || '.' || c.relname
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN ours n ON n.oid = c.relnamespace
    -- What a server makes for parts of a table by itself is called by itself.
    WHERE k.contype IN ('p', 'u', 'f', 'x', 'c') AND coalesce(to_jsonb(k)->>'conparentid', '0') = '0'
    UNION ALL
    SELECT 'function ' || n.nspname || '.' || f.proname || '(' || coalesce((SELECT string_agg(y.typname, ', ' ORDER BY a.place)
        FROM unnest(f.proargtypes::oid[]) WITH ORDINALITY a(type, place) JOIN pg_type y ON y.oid = a.type), '') || ')'
    FROM pg_proc f JOIN ours n ON n.oid = f.pronamespace
    WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e')
    UNION ALL
    SELECT 'type ' || n.nspname || '.' || y.typname FROM pg_type y JOIN ours n ON n.oid = y.typnamespace
    WHERE y.typtype IN ('d', 'e', 'r')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = y.oid AND d.deptype = 'e')
    UNION ALL
    SELECT 'publication ' || pubname FROM pg_publication
    UNION ALL
    SELECT 'large objects' WHERE EXISTS (SELECT FROM pg_largeobject_metadata)) o),
  'schemas', (SELECT coalesce(json_object_agg(nspname, json_build_object('owner', pg_get_userbyid(nspowner), 'acl', nspacl::text[])), '{}')
    FROM pg_namespace WHERE nspname <> 'information_schema' AND left(nspname, 3) <> 'pg_'),
  'invalid_indexes', (SELECT coalesce(json_agg(indexrelid::regclass::text ORDER BY 1), '[]') FROM pg_index WHERE NOT indisvalid),
  'sequences', (SELECT coalesce(json_agg(json_build_object('name', s.oid::regclass::text, 'ask', format(
      'SELECT json_build_object(''ok'', NOT (NOT is_called AND last_value = %s AND EXISTS (SELECT FROM %s WHERE %I >= %s)))::text FROM %s',
      q.seqstart, d.refobjid::regclass, a.attname, q.seqstart, s.oid::regclass)) ORDER BY s.oid), '[]')
    FROM pg_class s JOIN pg_sequence q ON q.seqrelid = s.oid
    JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE q.seqincrement > 0)
)::text"""


class Refused(Exception):
    """It is not done; the text says why, in one line, and what to do. Nothing was changed by this step."""


def mark_of(kind, live, **told):
    """The comment of a database of ours."""
    return json.dumps({"by": MARK, "is": kind, "of": live, **told}, sort_keys=True)


class Restores:
    """What restores do with one server.

    Args:
        reach: how the database in use is reached, as in :data:`postgres.spec.DATABASE`.
        timeout_seconds: for one statement.
    """

    def __init__(self, reach, timeout_seconds):
        self.live = reach["name"]
        self._reach, self._timeout_seconds = reach, timeout_seconds
        if self.live in (MAINTENANCE, "template0", "template1"):
            raise Refused(f"{one_line(self.live)} is a database of the server's own, and is not exchanged")

    def client(self, name=MAINTENANCE, read_only=False):
        """A session in another database of the server."""
        return Client(dict(self._reach, name=name), self._timeout_seconds, read_only=read_only)

    def state(self, client, *names):
        """The databases of the server with their comments, and the sessions in some of them."""
        return client.query(_STATE, {"names": list(names)})

    def belongings(self):
        """What belongs to the database in use itself, as in :func:`backups.belongings.nothing`; None where there is none."""
        with self.client() as client:
            found = client.query(_BELONGINGS, {"of": self.live})
        if found is None:
            return None
        for one in found["settings"]:
            value = one.pop("value")
            one["values"] = [value]
            if one["name"] in _LISTS:
                one["values"] = [a.replace('""', '"') or b for a, b in _LIST_PART.findall(value)]
        return found

    def create(self, kind, like, **told):
        """Make an empty database like the one in use, and mark it as ours.

        Args:
            kind: ``new`` or ``drill``.
            like: what is known of the one that was in use, where there is none any more.

        Raises:
            Refused: there is one already: another restore is under way, or left it behind. Or nobody says whose it was.
            DatabaseError: the server refused.
        """
        name = name_for(kind, self.live)
        mark = mark_of(kind, self.live, state="made", began_seconds=time.time(), **told)
        with self.client() as client:
            if name in self.state(client, name)["databases"]:
                raise Refused(
                    f"{name} is there already: another restore of {one_line(self.live)} is under way, or left it behind; run restore"
                )
            found = client.query(_CREATE, {"name": name, "of": self.live, "mark": mark, "like": like})
            if not found["is_live"] and not like["owner"]:
                raise Refused(
                    f"{one_line(self.live)} is not there, and neither its backup nor what was kept of it says whose it was;"
                    " give its backup an owner in system_backups"
                )
            try:
                client.execute(found["create"])
            except DatabaseError as error:
                if "already exists" in str(error):
                    raise Refused(f"another restore of {one_line(self.live)} has just begun; wait for it") from None
                raise
            client.execute(found["comment"])
        return name

    def mark(self, name, state):
        """Say how far a restore has come, where the next run reads it."""
        with self.client() as client:
            told = self._ours(client, name)
            told = {key: value for key, value in told.items() if key not in ("by", "is", "of")}
            mark = mark_of("new", self.live, **dict(told, state=state))
            client.execute(client.query(_COMMENT, {"name": name, "mark": mark})["set"])

    def _ours(self, client, name, *kinds):
        """What the comment of one of our databases says.

        Raises:
            Refused: it is not there, or not ours, or another kind.
        """
        databases = self.state(client, name)["databases"]
        if name not in databases:
            raise Refused(f"there is no database {one_line(name)}")
        told = marked(databases[name])
        # Killed between making it and marking it. Only a name of ours may be taken for that.
        if (
            told is None
            and databases[name] is None
            and name in (name_for("new", self.live), name_for("drill", self.live))
        ):
            told = {"is": "new", "of": self.live, "state": "made"}
        if told is None or told.get("of") != self.live or (kinds and told.get("is") not in kinds):
            raise Refused(
                f"database {one_line(name)} was not made by a restore of {one_line(self.live)}, and is left alone"
            )
        return told

    def drop(self, name):
        """Drop a database that a restore has made, and never one that was in use; whether it was there.

        Raises:
            Refused: it is another one, or somebody uses it.
        """
        with self.client() as client:
            found = self.state(client, name)
            if name not in found["databases"]:
                return False
            self._ours(client, name, *_DROPPED)
            if name == self.live:
                raise Refused(f"{one_line(name)} is in use")
            if found["sessions"]:
                raise Refused(f"{one_line(name)} is used by {_who(found['sessions'])}; wait until it is not")
            client.execute(client.query(_DROP, {"name": name})["drop"])
        return True

    def dress(self, name, like):
        """Give a restored database what belongs to the one in use and is not restored: who may connect, settings, the limit of connections.

        Args:
            name: of the restored one.
            like: what is known of the one that was in use, where there is none any more.
        """
        found = self.belongings() or like
        for one in found["rights"]:
            # They stand in a statement as they are, and may be from a file.
            if set(one["privileges"]) - set(PRIVILEGES):
                raise Refused(f"unknown privileges on {one_line(self.live)}: {one_line(', '.join(one['privileges']))}")
        with self.client() as client:
            self._ours(client, name, "new")
            asked = {key: found[key] for key in ("rights", "connection_limit", "settings")}
            for step in client.query(_DRESS, dict(asked, name=name))["steps"]:
                try:
                    client.execute(step["statement"])
                except DatabaseError as error:
                    raise Refused(
                        f"{name} does not get {one_line(step['what'])}, which {one_line(self.live)} had: {error};"
                        " restore with a role that may give it, such as a superuser"
                    ) from None

    def content(self, name):
        """What is in a database, with the number of rows of each table."""
        with self.client(name, read_only=True) as client:
            # A policy that hides rows from this role is an error, and no smaller count.
            client.execute("SET row_security = off")
            found = client.query(_CONTENT)
            for table in found["tables"].values():
                # A partitioned table has no rows of its own.
                statement = table.pop("count")
                table["rows"] = None if table["kind"] == "p" else client.query(statement)["count"]
            unset = [one["name"] for one in found.pop("sequences") if not client.query(one["ask"])["ok"]]
        return dict(found, unset_sequences=unset)

    def shape(self, name):
        """The same of a database without counting; None where there is no such database."""
        try:
            with self.client(name, read_only=True) as client:
                return client.query(_CONTENT)
        except DatabaseError as error:
            if error.kind == "no_database":
                return None
            raise

    def swap(self, comes, at_seconds):
        """The restored database takes the name of the one in use, which is kept; in one transaction.

        Args:
            comes: the restored one.
            at_seconds: now.

        Returns:
            The name under which the former one is kept, or None where there was none, and who was ended for it.

        Raises:
            Refused: somebody is in the way who is not ended.
        """
        with self.client() as client:
            told = self._ours(client, comes, "new")
            databases = self.state(client)["databases"]
            away = name_for("old", self.live, at_seconds) if self.live in databases else None
            kept = {key: told.get(key) for key in ("identity", "backup", "file")}
            kept.update(state="swapped", began_seconds=at_seconds)
            # That of an earlier restore says nothing of this one.
            comment = None if marked(databases.get(self.live)) else databases.get(self.live)
            mark = mark_of("old", self.live, comment=comment, **kept)
            # Where there was none any more, the new one itself says where it is from.
            alone = mark_of("restored", self.live, **kept)
            return away, self._exchange(client, comes, away, comment, mark, alone)

    def swap_back(self, old, at_seconds):
        """The former database takes its name again; the restored one is kept as well, as ``failed``.

        Raises:
            Refused: there is no such database, or somebody is in the way who is not ended.
        """
        with self.client() as client:
            told = self._ours(client, old, "old")
            away = name_for("failed", self.live, at_seconds) if self.live in self.state(client)["databases"] else None
            mark = mark_of("failed", self.live, state="swapped_back", began_seconds=at_seconds)
            return away, self._exchange(client, old, away, told.get("comment"), mark)

    def _exchange(self, client, comes, away, live_comment, away_comment, alone_comment=""):
        asked = {
            "live": self.live,
            "comes": comes,
            "away": away or "",
            "live_comment": live_comment,
            "away_comment": away_comment,
            "alone_comment": alone_comment,
        }
        found = client.query(_SWAP, asked)
        statement = "; ".join(["BEGIN", *(found["steps"] if away else found["come"]), "COMMIT"])
        ended = self._end_sessions(client, comes)
        for left in reversed(range(_TRIES)):
            try:
                ended += self._renamed(client, comes, statement)
                return ended
            except DatabaseError as error:
                if "being accessed by other users" not in str(error) or not left:
                    raise
        return ended

    def _renamed(self, client, comes, statement):
        """Rename, and end meanwhile who came in before it began; who was ended.

        From its beginning on the renaming keeps out everybody who connects, and for some seconds it waits for those who are in. An application
        that connects again at once would come back between the end of its sessions and a renaming that begins after it.
        """
        from concurrent.futures import ThreadPoolExecutor

        ended, refused = [], None
        # A session by itself: what fails in a transaction leaves it unusable.
        with self.client() as own, ThreadPoolExecutor(1) as pool:
            renaming = pool.submit(own.execute, statement)
            while not renaming.done():
                try:
                    if not refused:
                        ended += self._end_sessions(client, comes)
                except (Refused, DatabaseError) as error:
                    # It may end well all the same.
                    refused = error
                time.sleep(_LOOKS_SECONDS)
            try:
                renaming.result()
            except DatabaseError:
                if refused:
                    raise refused from None
                raise
        return ended

    def _end_sessions(self, client, comes):
        """End what is still connected to either; the applications were stopped before."""
        sessions = self.state(client, self.live, comes)["sessions"]
        clients = [one for one in sessions if one["backend_type"] in ("client backend", "parallel worker")]
        kept = [one for one in clients if one["is_super"]] + [
            one for one in sessions if one["backend_type"] == "walsender"
        ]
        if kept:
            raise Refused(
                f"{one_line(self.live)} is used by {_who(kept)}, who are not ended from here; end them, and restore again"
            )
        client.query(_END, {"sessions": [{"pid": one["pid"]} for one in clients]})
        return [_who([one]) for one in clients]


def _who(sessions):
    names = sorted(
        {f"{one_line(one['usename'])} ({one_line(one['application_name'] or one['backend_type'])})" for one in sessions}
    )
    return ", ".join(names[:5])


def compared(tables, new, live, expected_missing=()):
    """What is wrong with a restored database, and what is only worth to know. Pure.

    Args:
        tables: those of the backup, by name, as :class:`backups.sql.Dump` tells them.
        new: its :meth:`Restores.content`.
        live: the :meth:`Restores.shape` of the database in use, or None where there is none.
        expected_missing: what a person gave up, or lets be otherwise, by the names that :func:`compared` gives it.

    Returns:
        ``(wrong, notes, names)``, a line each; ``names``, of what is wrong, what a person may let be so.
    """
    wrong, notes, names = [], [], []

    def differs(name, line):
        if name in expected_missing:
            notes.append(line)
        else:
            wrong.append(line)
            names.append(name)

    for name, table in sorted(tables.items()):
        if not table["is_made"]:
            # That of an extension, which makes it by itself.
            continue
        if name not in new["tables"]:
            wrong.append(f"{name} is in the backup, and was not restored")
        elif table["rows"] is not None and new["tables"][name]["rows"] not in (None, table["rows"]):
            wrong.append(f"{name} has {new['tables'][name]['rows']} rows, and the backup {table['rows']}")
        owner = table.get("owner")
        if live is None and owner and name in new["tables"] and new["tables"][name]["owner"] != owner:
            wrong.append(f"{name} belongs to {new['tables'][name]['owner']}, and to {owner} in the backup")
    wrong += [f"index {one} is not valid" for one in new["invalid_indexes"]]
    wrong += [f"sequence {one} was not set: the next id is there already" for one in new["unset_sequences"]]
    if live is None:
        return wrong, notes, names
    wrong += [f"extension {one} is missing" for one in live["extensions"] if one not in new["extensions"]]
    for name, table in sorted(live["tables"].items()):
        if name not in new["tables"]:
            differs(name, f"{name} is in the database in use, and not in the backup")
            continue
        if name in tables and tables[name]["has_data"] is False:
            differs(name, f"the backup has no rows of {name}")
        lost = [one for one in table["columns"] if one not in new["tables"][name]["columns"]]
        for column in lost:
            differs(f"{name}.{column}", f"{name}.{column} is in the database in use, and not in the backup")
        _rights(differs, name, table, new["tables"][name])
    for name, schema in sorted(live["schemas"].items()):
        if name in new["schemas"]:
            _rights(differs, f"schema {name}", schema, new["schemas"][name])
        else:
            differs(f"schema {name}", f"schema {name} is in the database in use, and not in the backup")
    # What is gone with a table, a schema or a column was told with that.
    gone = [name for name in live["tables"] if name not in new["tables"]]
    for one in live["others"]:
        if one not in new["others"] and not any(one.endswith(f" of {name}") for name in gone):
            differs(one, f"{one} is in the database in use, and not in the backup")
    return wrong, notes, names


def _rights(differs, name, live, new):
    if live["owner"] != new["owner"]:
        differs(f"owner of {name}", f"{name} belongs to {new['owner']}, and to {live['owner']} in the database in use")
    if _given(live) != _given(new):
        differs(f"privileges on {name}", f"the privileges on {name} differ from those in the database in use")


def _given(one):
    """To whom something was given besides the owner."""
    return sorted(item for item in one["acl"] or () if not item.startswith(f"{one['owner']}="))
