# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One way to ask PostgreSQL, two transports: a driver, or psql inside a container.

Every statement takes one parameter, a JSON document, and gives one back. Values therefore never become part of
a statement's text, whichever transport carries them.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time

from ..deadline import DeadlineExceeded, within
from ..text.one_line import without_secrets

APPLICATION_NAME = "oncall.runbooks"

# Before it is asked once more where every connection is taken.
_PAUSES_SECONDS = (0.2, 0.3)
# Where a statement takes its JSON parameter.
PARAMETERS = "{parameters}"

# What servers and drivers say at connect, where no SQLSTATE reaches the client.
_KINDS = (
    # What stands between says so before a server is asked.
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
    # Of the one that asks; others have a limit of their own. It has the SQLSTATE of a full server.
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
    ("no_database", r"(database|role) \"[^\"]*\" does not exist|3D000"),
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

_ADVICE = {
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
    "not_allowed": "grant the role pg_monitor (to see) and pg_signal_backend (to act)",
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


class DatabaseError(Exception):
    """The database could not be asked.

    Attributes:
        kind: ``too_many_connections``, ``role_limit`` (only the asking role has none left),
            ``database_limit`` (only this database has none left), ``starting_up``, ``credentials``, ``no_database``, ``not_allowed``,
            ``disk_full``, ``no_shared_memory``, ``statement_timeout`` (it answers), ``timeout`` (it does not), ``refused``, ``name_resolution``,
            ``no_engine``, ``no_driver`` or ``other``.
    """

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def kind_of(message):
    """The kind of trouble a server's or driver's message tells of."""
    for kind, pattern in _KINDS:
        if re.search(pattern, message, re.IGNORECASE):
            return kind
    return "other"


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


def pooler_of(message):
    """The pooler whose words these are, or ``a pooler``."""
    for name, pattern in _POOLERS:
        if re.search(pattern, message, re.IGNORECASE):
            return name
    return "a pooler"


def where(database):
    """What was asked, for messages: no user, no password."""
    if database["transport"] == "docker":
        return f"PostgreSQL {database['name']} in container {database['container']}"
    place = database.get("host") or "local socket"
    port = f":{database['port']}" if database.get("port") else ""
    return f"PostgreSQL {database['name']} at {place}{port}"


def _take_any_byte(driver, connection):
    """Read text as bytes where it need not be what the database's encoding says.

    One in SQL_ASCII holds whatever bytes its clients sent: psycopg gives them as such, psycopg2 fails on the first letter that
    is not ASCII. And names of roles and databases are shared by databases of all encodings.
    """
    if driver.__name__ == "psycopg2" and connection.get_parameter_status("client_encoding") in ("SQL_ASCII", "UTF8"):
        from psycopg2.extensions import BYTES, register_type

        register_type(BYTES, connection)


class Client:
    """A database that can be asked.

    Args:
        database: as in :data:`postgres.spec.DATABASE`.
        timeout_seconds: for one question with everything it needs: connecting, waiting, the answer.
        read_only: open the session read-only.
    """

    def __init__(self, database, timeout_seconds=5.0, read_only=True):
        self._database = database
        self._timeout_seconds = float(timeout_seconds)
        milliseconds = max(100, int(self._timeout_seconds * 900))
        # lock_timeout: to wait behind the very lock that is looked for helps nobody.
        self._options = f"-c statement_timeout={milliseconds} -c lock_timeout={min(1000, milliseconds)}"
        self._local_settings = (
            f"SET LOCAL statement_timeout = {milliseconds}; SET LOCAL lock_timeout = {min(1000, milliseconds)}"
        )
        if read_only:
            self._options += " -c default_transaction_read_only=on"
            self._local_settings += "; SET TRANSACTION READ ONLY"
        self._connection = None
        # What stands between, once something has shown that one does.
        self.pooler = ""

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        if self._connection is not None:
            self._connection.close()

    def query(self, statement, parameters=None):
        """Run a statement that returns one row of one JSON column, and return that as plain data.

        Args:
            statement: SQL with :data:`PARAMETERS` at most once, where the JSON parameter goes; no other ``%``
                or ``:name`` that a driver could take for a placeholder.
            parameters: plain data.

        Raises:
            DatabaseError: with one line that says what was asked, what came back and what to do.
        """
        text = self._run(statement, json.dumps(parameters if parameters is not None else {}))
        if isinstance(text, bytes):
            text = text.decode(errors="replace")
        try:
            # A driver has read a column of the type json already, such as that of EXPLAIN.
            return text if isinstance(text, (dict, list)) else json.loads(text)
        except (TypeError, ValueError):
            raise self._error("other", "the answer is not the JSON document asked for") from None

    def session_pid(self):
        """The process id that was given at connect, or 0. Behind a pooler it is not that of the server's session."""
        if self._connection is None:
            return 0
        info = getattr(self._connection, "info", None)
        return getattr(info, "backend_pid", 0) or 0

    def console(self, name, statement):
        """The rows of a statement of a pooler's console, a database that understands little else, as dictionaries."""
        if self._database["transport"] == "docker":
            raise self._error("other", "the console of a pooler is not asked through a container")
        return within(self._timeout_seconds, self._console, name, statement)

    def _console(self, name, statement):
        try:
            import psycopg2 as driver
        except ImportError:
            import psycopg as driver
        arguments = dict(self._connect_arguments(), dbname=name)
        del arguments["options"]
        try:
            connection = driver.connect(**arguments)
            try:
                connection.autocommit = True
                cursor = connection.cursor()
                cursor.execute(statement)
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row)) for row in cursor.fetchall()]
            finally:
                connection.close()
        except driver.Error as error:
            raise self._error(kind_of(str(error)), str(error)) from None

    def execute(self, statement):
        """Run a statement without parameters and without an answer, outside a transaction block."""
        self._run(statement, None)

    def _run(self, statement, parameters):
        run = self._run_docker if self._database["transport"] == "docker" else self._run_psycopg
        try:
            return within(self._timeout_seconds, self._insisting, run, statement, parameters)
        except DeadlineExceeded as error:
            # The thread left behind holds the connection's lock: to close it here would wait for the server after all.
            self._connection = None
            raise self._error("timeout", str(error)) from None

    def _insisting(self, run, statement, parameters):
        # In a storm of clients even those that are about to be refused hold the reserved connections for a moment.
        for pause_seconds in _PAUSES_SECONDS:
            try:
                return run(statement, parameters)
            except DatabaseError as error:
                if error.kind != "too_many_connections":
                    raise
            time.sleep(pause_seconds)
        return run(statement, parameters)

    def _error(self, kind, message):
        from ..text.masking import masked

        text = masked(without_secrets(str(message), self._database.get("password")))
        advice = _ADVICE[kind].replace("{pooler}", pooler_of(text))
        return DatabaseError(kind, f"{where(self._database)}: {text}; {advice}")

    def _run_psycopg(self, statement, parameters):
        try:
            import psycopg2 as driver
        except ImportError:
            try:
                import psycopg as driver
            except ImportError:
                raise self._error("no_driver", "no PostgreSQL driver for this Python") from None
        try:
            if self._connection is None:
                self._connection = self._connected(driver)
                self._connection.autocommit = True
                _take_any_byte(driver, self._connection)
            with self._connection.cursor() as cursor:
                if parameters is None:
                    cursor.execute(statement)
                    return None
                if not self.pooler:
                    return self._row(cursor, statement, parameters)
                # A pooler gives the server's session to somebody else after the transaction: nothing is set for longer.
                cursor.execute("BEGIN")
                try:
                    cursor.execute(self._local_settings)
                    row = self._row(cursor, statement, parameters)
                except driver.Error:
                    cursor.execute("ROLLBACK")
                    raise
                cursor.execute("COMMIT")
                return row
        except UnicodeError as error:
            raise self._error("other", f"an answer in another encoding than the database's: {error}") from None
        except driver.Error as error:
            code = getattr(error, "pgcode", None) or getattr(error, "sqlstate", None)
            raise self._error(kind_of(f"{code} {error}"), str(error)) from None

    def _row(self, cursor, statement, parameters):
        cursor.execute(statement.replace(PARAMETERS, "%s"), (parameters,) if PARAMETERS in statement else None)
        row = cursor.fetchone()
        return row[0] if row else None

    def _connected(self, driver):
        arguments = self._connect_arguments()
        try:
            return driver.connect(**arguments)
        except driver.Error as error:
            if kind_of(str(error)) != "pooler_refuses_options":
                raise
            self.pooler = pooler_of(str(error))
        del arguments["options"]
        return driver.connect(**arguments)

    def _connect_arguments(self):
        database = self._database
        arguments = {
            "dbname": database["name"],
            "application_name": APPLICATION_NAME,
            "connect_timeout": max(2, int(self._timeout_seconds)),
            "options": self._options,
        }
        for key in ("host", "port", "user", "password", "sslmode", "sslrootcert"):
            if database.get(key):
                arguments[key] = database[key]
        return arguments

    def _run_docker(self, statement, parameters):
        database = self._database
        environment = dict(os.environ, PGOPTIONS=self._options, PGAPPNAME=APPLICATION_NAME)
        environment["PGCONNECT_TIMEOUT"] = str(max(2, int(self._timeout_seconds)))
        argv = ["docker", "exec", "-i", "-e", "PGOPTIONS", "-e", "PGAPPNAME", "-e", "PGCONNECT_TIMEOUT"]
        if database.get("password"):
            # Named only: docker takes the value from its environment, so that it is in no argument list.
            environment["PGPASSWORD"] = database["password"]
            argv += ["-e", "PGPASSWORD"]
        argv += [database["container"], "psql", "-X", "-q", "-A", "-t", "-w"]
        argv += ["-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-d", database["name"]]
        for flag, key in (("-U", "user"), ("-h", "host"), ("-p", "port")):
            if database.get(key):
                argv += [flag, str(database[key])]
        if parameters is not None:
            argv += ["-v", f"parameters={parameters}"]
        argv += ["-f", "-"]
        script = statement.replace(PARAMETERS, ":'parameters'") + ";\n"
        try:
            # Observers run in the controller as well, where there is no module and so no run_command.
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise self._error("no_engine", f"docker: {error.strerror}") from None
        try:
            output, errors = process.communicate(script.encode(), timeout=self._timeout_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise self._error("timeout", f"no answer within {self._timeout_seconds:g} s") from None
        if process.returncode != 0:
            message = errors.decode(errors="replace")
            raise self._error(kind_of(message), message)
        return output.decode(errors="replace").strip()
