# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers, drivers, docker and poolers say where a database cannot be asked, and what to do about it."""

from __future__ import annotations

from ..text.first_match import first_match

# What servers and drivers say at connect, where no SQLSTATE reaches the client.
_KINDS = (
    # A pooler says so before it asks a server.
    ("pooler_refuses_options", r"unsupported startup parameter|doesn.t support (command-line options|the option)"),
    (
        "pooler_full",
        r"no more connections allowed|max_client_conn|max_db_client_connections|max_user_client_connections|max_db_connections"
        r"|max client connections reached|max clients (are limited|reached)|emaxconn|maxclientsinsessionmode"
        r"|too many (tcp|client) connections|odyssey: .*too many",
    ),
    (
        "pooler_waits",
        r"query_wait_timeout|could not get connection from the pool|timed-out waiting to acquire database connection"
        r"|unable to check ?out (process|connection) from the pool|connection pool timeout",
    ),
    (
        "pooler_without_server",
        r"server_login_retry|server login has been failing|pgbouncer cannot connect to server|client_login_timeout \(server down\)"
        r"|all backend nodes are down|pgpool is not accepting any new connections|allserversdown"
        r"|failed to get remote server connection|server conn crashed",
    ),
    (
        "pooler_no_database",
        r"no such database|no pool configured for database|tenant or user not found|odyssey: .*route for .* is not found",
    ),
    # The limit of the role that asks; other roles have their own. It has the SQLSTATE of a full server.
    ("role_limit", r"too many connections for role"),
    ("database_limit", r"too many connections for database"),
    ("too_many_connections", r"too many clients|remaining connection slots|too many connections|53300"),
    (
        "starting_up",
        r"starting up|shutting down|in recovery mode|not (yet )?accepting connections|57P03",
    ),
    (
        "credentials",
        r"authentication failed|no password supplied|no pg_hba\.conf entry|pg_hba\.conf rejects|not permitted to log in"
        r"|28P01|28000",
    ),
    ("no_database", r"(database|role) \".*\" does not exist|3D000"),
    ("not_allowed", r"permission denied|must be superuser|not currently accepting connections|42501"),
    # Of /dev/shm, which is small in a container. It has the SQLSTATE of a full disk.
    (
        "no_shared_memory",
        r"(?s)(?=.*(?:no space left on device|53100)).*(?:shared memory segment|/postgresql\.\d+\b)",
    ),
    ("disk_full", r"no space left on device|53100"),
    ("statement_timeout", r"statement timeout|lock timeout|canceling statement|57014|55P03"),
    ("timeout", r"timeout expired|connection timed out"),
    # What forwards a port, as the engine does for containers, takes the connection and closes it where nothing listens.
    (
        "refused",
        r"connection refused|no such file or directory|no route to host|network is unreachable|could not connect"
        r"|failed: server closed the connection unexpectedly|failed: [^\n]*connection reset by peer",
    ),
    ("name_resolution", r"could not translate host name|name or service not known"),
    (
        "no_engine",
        r"cannot connect to the docker daemon|no such container|container \S+ is (not running|paused|restarting)",
    ),
)

ADVICE = {
    "too_many_connections": "every connection slot is taken; give the diagnosing role a reserved one "
    "(GRANT pg_use_reserved_connections, PostgreSQL 16+)",
    "role_limit": "the role's own CONNECTION LIMIT is used up, which says nothing about the server's slots; "
    "raise it (ALTER ROLE ... CONNECTION LIMIT)",
    "database_limit": "the database's own CONNECTION LIMIT is used up, which says nothing about the server's slots; "
    "see who has them, or raise it (ALTER DATABASE ... CONNECTION LIMIT)",
    "pooler_refuses_options": "{pooler} answers, and not PostgreSQL itself; it takes no startup options: see ignore_startup_parameters "
    "of PgBouncer, or let system_database name the server itself",
    "pooler_full": "{pooler} answers, and not PostgreSQL itself: it has as many clients as it may have (max_client_conn of PgBouncer); "
    "more connections for the server would change nothing",
    "pooler_waits": "{pooler} answers, and not PostgreSQL itself: all its server connections are taken (pool_size of PgBouncer), or the "
    "server gives it none in time; SHOW POOLS says which",
    "pooler_without_server": "{pooler} answers, and gets no connection to PostgreSQL: its log says why (the server is down, the password "
    "that it uses, pg_hba.conf, a limit)",
    "pooler_no_database": "{pooler} answers, and knows no such database: see its section [databases], or system_database.name",
    "starting_up": "wait for it to come up",
    "credentials": "check system_database.user and its password",
    "no_database": "check system_database.name and .user",
    "not_allowed": "grant the role pg_monitor (to see) and pg_signal_backend (to act); for queues, "
    "USAGE on their schema and SELECT on what is read",
    "no_shared_memory": "its shared memory (/dev/shm) has no room, whatever room its disk has: shm_size in the Compose file, or "
    "docker run --shm-size; an engine gives a container 64 MB",
    "disk_full": "its disk is full (runbook disk_full)",
    "statement_timeout": "the server answers, and has too much to do to answer this in time",
    "timeout": "the server is there but does not answer in time",
    "refused": "nothing listens there: is the database running (runbook db_down)?",
    "name_resolution": "check system_database.host",
    "no_engine": "check the Docker engine and system_database.container",
    "no_driver": "install psycopg2 or psycopg for that Python, or use transport docker",
    "other": "see the message",
}

_POOLERS = (
    (
        "PgBouncer",
        r"pgbouncer|max_client_conn|query_wait_timeout|server_login_retry|unsupported startup parameter|no such database"
        r"|client_login_timeout|server conn crashed|no more connections allowed",
    ),
    ("Pgpool", r"pgpool|all backend nodes are down"),
    ("Odyssey", r"odyssey"),
    ("PgCat", r"pgcat|no pool configured for database|allserversdown|could not get connection from the pool"),
    ("RDS Proxy", r"rds proxy|timed-out waiting to acquire database connection"),
    (
        "Supavisor",
        r"supavisor|emaxconn|maxclientsinsessionmode|max client connections reached|max clients|tenant or user not found"
        r"|check ?out (process|connection) from the pool",
    ),
)


def kind_of(message):
    """The kind of trouble that a message reports: a key of :data:`ADVICE`."""
    return first_match(_KINDS, message) or "other"


def pooler_of(message):
    """The pooler whose words these are, or ``a pooler``."""
    return first_match(_POOLERS, message) or "a pooler"
