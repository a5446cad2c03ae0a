# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One way to ask PostgreSQL, two transports: a driver, or psql inside a container.

Every statement takes one parameter, a JSON document, and gives one back. Values therefore never become part of
a statement's text, whichever transport carries them.
"""

from __future__ import annotations

import hashlib
import json
import os
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


class DatabaseError(Exception):
    """The database could not be asked.

    Attributes:
        kind: ``too_many_connections``, ``role_limit`` (only the asking role has none left),
            ``database_limit`` (only this database has none left), ``starting_up``, ``credentials``, ``no_database``, ``not_allowed``,
            ``disk_full``, ``no_shared_memory``, ``statement_timeout`` (it answers), ``timeout`` (it does not), ``refused``, ``name_resolution``,
            ``no_engine``, ``no_driver`` or ``other``. Where a pooler answers and not the server: ``pooler_refuses_options``,
            ``pooler_full``, ``pooler_waits``, ``pooler_without_server`` or ``pooler_no_database``.
    """

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def where(database):
    """What was asked, for messages: no user, no password."""
    if database["transport"] == "docker":
        return f"PostgreSQL {database['name']} in container {database['container']}"
    place = database.get("host") or "local socket"
    port = f":{database['port']}" if database.get("port") else ""
    return f"PostgreSQL {database['name']} at {place}{port}"


def _lock_number(name):
    """The number by which PostgreSQL knows a lock of this name."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:8], "big", signed=True)


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
        alone: a name. Statements of sessions that have it run one after the other, those of a session that has lost its client too.
    """

    def __init__(self, database, timeout_seconds=5.0, read_only=True, alone=None):
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
        self._lock = "" if alone is None else f"SELECT pg_advisory_xact_lock({_lock_number(alone)})"
        self._connection = None
        # The name of the pooler between here and the server, once something has shown that there is one.
        self.pooler = ""

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        if self._connection is not None:
            self._connection.close()

    def query(self, statement, parameters=None):
        """Run a statement that returns one row of one JSON column, and return that as plain data.

        Args:
            statement: SQL with :data:`PARAMETERS` at most once, where the JSON parameter goes; no ``:name`` that psql
                could take for a variable.
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

    def descriptor(self):
        """The descriptor of the connection of a driver, once something was asked: who has it open keeps the session."""
        return self._connection.fileno()

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
            raise self._error_of(str(error)) from None

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

    def _error_of(self, message, code=""):
        from .troubles import kind_of

        return self._error(kind_of(f"{code} {message}"), message)

    def _error(self, kind, message):
        from ..text.masking import masked
        from .troubles import ADVICE, pooler_of

        text = masked(without_secrets(str(message), self._database.get("password")))
        advice = ADVICE[kind].replace("{pooler}", pooler_of(text))
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
                if not self.pooler and not self._lock:
                    return self._row(cursor, statement, parameters)
                # A pooler gives the server's session to another client after the transaction: nothing is set for longer.
                cursor.execute("BEGIN")
                try:
                    if self.pooler:
                        cursor.execute(self._local_settings)
                    if self._lock:
                        # By itself: what a statement sees, it sees as of its beginning.
                        cursor.execute(self._lock)
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
            raise self._error_of(str(error), code) from None

    def _row(self, cursor, statement, parameters):
        if PARAMETERS in statement:
            cursor.execute(statement.replace("%", "%%").replace(PARAMETERS, "%s"), (parameters,))
        else:
            cursor.execute(statement)
        row = cursor.fetchone()
        return row[0] if row else None

    def _connected(self, driver):
        arguments = self._connect_arguments()
        try:
            return driver.connect(**arguments)
        except driver.Error as error:
            from .troubles import kind_of, pooler_of

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
        argv += ["-f", "-"]
        script = statement.replace(PARAMETERS, ":'parameters'") + ";\n"
        if self._lock:
            script = f"BEGIN;\n{self._lock};\n{script}COMMIT;\n"
        if parameters is not None:
            # What is given, such as a setting of a database, may be secret: everybody on both sides can read an argument list.
            quoted = parameters.replace("\\", "\\\\").replace("'", "''")
            script = f"\\set parameters '{quoted}'\n{script}"
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
            raise self._error_of(message)
        return output.decode(errors="replace").strip()
