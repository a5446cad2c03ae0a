# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's PostgreSQL: made once, configured at every start, looked into as the superuser."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .layout import (
    MAX_CONNECTIONS,
    RESERVED,
    SUPERUSER_RESERVED,
    LabError,
    Layout,
    as_unprivileged,
    write_private,
)

if TYPE_CHECKING:
    import psycopg

# A busy machine takes its time; a hanging server is reported.
ENDED_SECONDS = 30

# One statement per paragraph: that is how single-user mode reads its input.
ROLES = """\
CREATE ROLE app LOGIN PASSWORD '{app}';

CREATE ROLE oncall LOGIN PASSWORD '{oncall}';

GRANT pg_monitor, pg_signal_backend TO oncall;

DO $$ BEGIN
  -- PostgreSQL 16 and later.
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'pg_use_reserved_connections') THEN
    GRANT pg_use_reserved_connections TO oncall;
  END IF;
END $$;

GRANT ALTER SYSTEM ON PARAMETER max_connections TO oncall;

CREATE DATABASE {database} OWNER app;
"""

# What the API keeps of the payment provider's events.
PAYMENTS = """\
CREATE TABLE payment_events (id text PRIMARY KEY, type text NOT NULL, processed_at timestamptz NOT NULL DEFAULT now());

CREATE TABLE payments (payment_id text PRIMARY KEY, amount bigint NOT NULL, currency text NOT NULL);

"""

SCHEMA = """\
SET SESSION AUTHORIZATION app;

CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL, country text NOT NULL);

CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES customers,
  status text NOT NULL, total_cents integer NOT NULL, ordered_at timestamptz NOT NULL);

CREATE TABLE jobs (id integer PRIMARY KEY, kind text NOT NULL, ran_at timestamptz);

CREATE TABLE proposals (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, status text NOT NULL DEFAULT 'pending',
  created_at timestamptz NOT NULL DEFAULT now(), changed_at timestamptz NOT NULL DEFAULT now());

CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL, status text NOT NULL DEFAULT 'pending',
  created_at timestamptz NOT NULL DEFAULT now(), began_at timestamptz, ended_at timestamptz, error text, proposal bigint);

CREATE INDEX events_open ON events (created_at) WHERE status IN ('pending', 'running');

CREATE TABLE event_queue (paused boolean NOT NULL);

INSERT INTO event_queue VALUES (false);

GRANT SELECT, UPDATE (status, ended_at, error) ON events TO oncall;

GRANT SELECT ON event_queue, proposals TO oncall;

GRANT SELECT ON jobs TO oncall;

CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz NOT NULL);

GRANT SELECT ON schema_migrations TO oncall;

"""
SCHEMA += PAYMENTS
SCHEMA += """\
GRANT SELECT ON payment_events, payments TO oncall;

INSERT INTO customers SELECT n, 'Customer ' || n, (ARRAY['DE','FR','PT','SE'])[n % 4 + 1]
  FROM generate_series(1, 500) n;

INSERT INTO orders SELECT n, n % 500 + 1, (ARRAY['open','paid','shipped'])[n % 3 + 1], n * 37 % 20000,
  timestamptz '2026-01-01' + n * interval '1 hour' FROM generate_series(1, 6000) n;

INSERT INTO jobs SELECT n, 'digest' FROM generate_series(1, 50) n;

CREATE FUNCTION public.row_delay() RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
  BEGIN
    PERFORM pg_sleep(coalesce(nullif(current_setting('lab.row_delay_seconds', true), ''), '0')::float8);
    RETURN 0;
  END $$;

CREATE MATERIALIZED VIEW daily_sales AS SELECT day, orders, total_cents + public.row_delay() AS total_cents
  FROM (SELECT ordered_at::date AS day, count(*) AS orders, sum(total_cents) AS total_cents
        FROM orders GROUP BY 1) AS days;

ANALYZE;
"""

# Of both kinds of lab.
SETTINGS = f"""\
max_connections = {MAX_CONNECTIONS}
superuser_reserved_connections = {SUPERUSER_RESERVED}
shared_buffers = 32MB
fsync = off
synchronous_commit = off
full_page_writes = off
max_wal_size = 128MB
max_parallel_workers_per_gather = 0
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %a '
log_checkpoints = off
"""


def initialise(layout: Layout) -> None:
    """Make the cluster, its roles and its data. A cluster that was begun and not finished is made anew."""
    if layout.data.exists():
        return
    partial = layout.base / "data.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    layout.give_away(partial)
    passwords = layout.secrets()
    password_file = layout.postgres_sockets / "password"
    write_private(password_file, passwords["postgres"])
    layout.give_away(password_file)
    try:
        _run(layout, ["initdb", "-D", str(partial), "-U", "postgres", "-E", "UTF8", "--no-locale",
                      "--no-sync", "-A", "scram-sha-256", f"--pwfile={password_file}"])  # fmt: skip
    finally:
        password_file.unlink()
    single = ["postgres", "--single", "-j", "-F", "-D", str(partial), "-c", "exit_on_error=on"]
    _run(layout, [*single, "postgres"], ROLES.format(database=layout.shape.database, **passwords))
    _run(layout, [*single, layout.shape.database], SCHEMA + layout.shape.tables)
    partial.rename(layout.data)


def _run(layout: Layout, argv: list[str], text: str = "") -> None:
    program = f"{layout.record()['postgres']}/{argv[0]}"
    done = subprocess.run(
        [program, *argv[1:]], input=text, capture_output=True, text=True, cwd=layout.base, timeout=120,
        check=False, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}, **as_unprivileged(),
    )  # fmt: skip
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise LabError(f"{argv[0]} ends with {done.returncode}: {lines[-1]}; run: python -m lab down --purge")


def configure(layout: Layout) -> None:
    """Write postgresql.conf; ALTER SYSTEM's own file, and so what a runbook changed, stays."""
    path = layout.data / "postgresql.conf"
    path.write_text(f"""\
{SETTINGS}
listen_addresses = '127.0.0.1'
port = {layout.ports["database"]}
unix_socket_directories = '{layout.postgres_sockets}'
cluster_name = '{layout.cluster}'
reserved_connections = {RESERVED}
wal_level = minimal
max_wal_senders = 0
max_worker_processes = 2
""")
    layout.give_away(path)
    # Only after everything that belongs to this lab was ended: what these files name does not run any more.
    for stale in (layout.data / "postmaster.pid", *layout.postgres_sockets.glob(".s.PGSQL.*")):
        stale.unlink(missing_ok=True)


@contextmanager
def connect(layout: Layout, role: str = "postgres", seconds: int = 30) -> Iterator[psycopg.Connection[Any]]:
    """A short-lived session of the lab's own, in autocommit; LabError when there is none to be had within ``seconds``."""
    import psycopg

    port = layout.ports["database"]
    end = time.monotonic() + seconds
    while True:
        try:
            connection = psycopg.connect(
                host="127.0.0.1", port=port, dbname=layout.shape.database, user=role, password=layout.secrets()[role],
                connect_timeout=seconds, autocommit=True, application_name="lab", options="-c statement_timeout=30000",
            )  # fmt: skip
            break
        except psycopg.Error as error:
            reason = str(error).strip().splitlines()[0]
            # Clients that are refused have a slot of their own for a moment, also one of those that are reserved.
            if "connection slots are reserved" not in reason or time.monotonic() > end:
                raise LabError(f"the database does not take a session on port {port}: {reason}") from None
            time.sleep(0.1)
    try:
        with connection:
            yield connection
    except psycopg.Error as error:
        raise LabError(f"the database on port {port} ended a session: {' '.join(str(error).split())}") from None


def reset_max_connections(layout: Layout) -> bool:
    """Take an ALTER SYSTEM of max_connections back; True when the server must be restarted for it."""
    with connect(layout) as connection:
        overridden = connection.execute(
            "SELECT 1 FROM pg_file_settings WHERE name = 'max_connections' AND sourcefile LIKE '%auto.conf'"
        ).fetchone()
        if overridden:
            connection.execute("ALTER SYSTEM RESET max_connections")
        row = connection.execute("SELECT current_setting('max_connections')::int").fetchone()
    return row is not None and row[0] != MAX_CONNECTIONS


def end_sessions(layout: Layout, where: str) -> None:
    """Terminate the client sessions that match a condition of ours over pg_stat_activity, and wait until they are gone.

    Until then each still has its slot of the server. So has a session that is about to begin, whose user is not known yet.
    """
    others = "pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    end = time.monotonic() + ENDED_SECONDS
    with connect(layout) as connection:
        # Not as a condition: those have no order, and it would end whom another one leaves out.
        ended = connection.execute(f"SELECT pid, pg_terminate_backend(pid) FROM {others} AND ({where})").fetchall()
        pids = [pid for pid, _ in ended]
        while connection.execute(f"SELECT 1 FROM {others} AND (pid = ANY(%s) OR usename IS NULL)", [pids]).fetchall():
            if time.monotonic() > end:
                raise LabError(f"sessions are still there {ENDED_SECONDS} s after they were ended: {where}")
            time.sleep(0.05)
