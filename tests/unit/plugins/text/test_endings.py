# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a program ended, in the messages of others."""

from __future__ import annotations

import time

import pytest

from ansible_collections.oncall.runbooks.plugins.filter.crashes import crash_loops, end_of_life
from ansible_collections.oncall.runbooks.plugins.module_utils.text.endings import lacks, reason_of_end, shortage

PORTS = [
    ("2026/01/01 00:00:00 listen tcp :8080: bind: address already in use", 8080),
    ("panic: listen tcp 0.0.0.0:8080: bind: address already in use", 8080),
    ("System.IO.IOException: Failed to bind to address http://0.0.0.0:5000: address already in use.", 5000),
    ('Error: Os { code: 98, kind: AddrInUse, message: "Address already in use" }', None),
    ("Error: listen EADDRINUSE: address already in use :::41489", 41489),
    ("OSError: [Errno 98] error while attempting to bind on address ('127.0.0.1', 8000): address already in use", 8000),
    (
        "ERROR:    [Errno 98] error while attempting to bind on address ('127.0.0.1', 8000): address already in use",
        8000,
    ),
    ("[2026-01-01 00:00:00 +0000] [7] [ERROR] Connection in use: ('0.0.0.0', 8000)", 8000),
    ("2026/01/01 00:00:00 [emerg] 1#1: bind() to 0.0.0.0:80 failed (98: Address already in use)", 80),
    ("Web server failed to start. Port 8080 was already in use.", 8080),
    ("Caused by: java.net.BindException: Address already in use", None),
    ('binder.rb:334:in `x\': Address already in use - bind(2) for "127.0.0.1" port 3206 (Errno::EADDRINUSE)', 3206),
    ("Failed to listen on 127.0.0.1:8000 (reason: Address already in use)", 8000),
    (
        "00:00:00.566 [error] ranch_tcp:listen([{port,8088},{ip,{127,0,0,1}}]) for reason eaddrinuse (address already in use)",
        8088,
    ),
    (
        "1:M 01 Jan 2026 00:00:00.000 # Could not create server TCP listening socket *:6379: bind: Address already in use",
        6379,
    ),
    ("Bind for 0.0.0.0:8080 failed: port is already allocated", 8080),
    ("Port 5000 is in use by another program. Either identify and stop that program, or start with another.", 5000),
    ("Error: That port is already in use.", None),
    ("main.go:12: address already in use", None),
]
NO_PORTS = [
    "INFO trying again: address already in use",
    '{"level":"info","msg":"listen tcp :8080: bind: address already in use, trying :8081"}',
    "ERROR user name already in use",
    "2026/01/01 [emerg] 1#1: bind() to unix:/run/web.sock failed (98: Address already in use)",
    "ERROR connect to 10.0.0.1:5432: cannot assign requested address",
    "ERROR pool: all connections in use",
]
VARIABLES = [
    ("environ.compat.ImproperlyConfigured: Set the FROM_EMAIL environment variable", ["FROM_EMAIL"]),
    (
        "pydantic_core.ValidationError: 1 validation error for S\nDATABASE_URL\n  Field required [type=missing, input_value={}]",
        ["DATABASE_URL"],
    ),
    (
        "2 validation errors for Settings\ndatabase_url\nField required [type=missing, x]\nredis_url\nField required [type=missing, x]",
        ["DATABASE_URL", "REDIS_URL"],
    ),
    ("DATABASE_URL\n  field required (type=value_error.missing)", []),
    ("Could not resolve placeholder 'DATABASE_URL' in value \"${DATABASE_URL}\"", ["DATABASE_URL"]),
    ("Could not resolve placeholder 'app.db-url' in value", ["APP_DBURL"]),
    ('config.rb:3:in `fetch\': key not found: "DATABASE_URL" (KeyError)', ["DATABASE_URL"]),
    (
        "\x1b[37m================================\x1b[0m\n \x1b[33mInvalid\x1b[0m environment variables:\n    \x1b[34mPORT\x1b[0m: Invalid port"
        ' input: "x"\n \x1b[33mMissing\x1b[0m environment variables:\n    \x1b[34mAPI_KEY\x1b[0m: undefined\n    \x1b[34mDATABASE_URL\x1b[0m: db\n'
        "\x1b[37m================================\x1b[0m",
        ["API_KEY", "DATABASE_URL"],
    ),
    (
        'ZodError: [\n  {\n    "code": "invalid_type",\n    "received": "undefined",\n    "path": [\n      "DATABASE_URL"\n    ],\n'
        '    "message": "Required"\n  }\n]',
        ["DATABASE_URL"],
    ),
    ("✖ Invalid input: expected string, received undefined\n  → at DATABASE_URL", ["DATABASE_URL"]),
    (
        "❌ Invalid environment variables: { DATABASE_URL: [ 'Required' ], API_KEY: [ 'Required' ] }",
        ["DATABASE_URL", "API_KEY"],
    ),
    ("Error: Missing required environment variables: DB_URL, API_KEY", ["DB_URL", "API_KEY"]),
    (
        "MissingEnvVarsError: The following variables were defined in .env.example but are not present in the environment:\n"
        "  DATABASE_URL, API_KEY\nMake sure to add them",
        ["DATABASE_URL", "API_KEY"],
    ),
    ('EnvVarError: env-var: "DATABASE_URL" is a required variable, but it was not set', ["DATABASE_URL"]),
    ("required key DATABASE_URL missing value", ["DATABASE_URL"]),
    ('env: required environment variable "DATABASE_URL" is not set', ["DATABASE_URL"]),
    (
        "decouple.UndefinedValueError: DATABASE_URL not found. Declare it as envvar or define a default value.",
        ["DATABASE_URL"],
    ),
    ('environs.exceptions.EnvNotSetError: Environment variable "DATABASE_URL" not set', ["DATABASE_URL"]),
    ("** (RuntimeError) environment variable DATABASE_URL is missing.", ["DATABASE_URL"]),
    ("  File \"a.py\", line 1\n    os.environ['PORT']\nKeyError: 'PORT'", ["PORT"]),
    ("KeyError: 'DATABASE_URL'", ["DATABASE_URL"]),
    ("bash: DB_URL: unbound variable", ["DB_URL"]),
    ("sh: 1: DB_URL: parameter not set or null", ["DB_URL"]),
    ("bash: DB_URL: must be set", ["DB_URL"]),
    ("error while interpolating services.api.image: required variable APP_TAG is missing a value: x", ["APP_TAG"]),
]
NO_VARIABLES = [
    "KeyError: 'EUR'",
    "1 validation error for Order\ncustomer_id\n  Field required [type=missing, input_value={}]",
    "INFO DATABASE_URL is not set, taking the default",
    'time="x" level=warning msg="The \\"APP_TAG\\" variable is not set. Defaulting to a blank string."',
    "ERROR: column NAME_X of relation shop does not exist",
]
MIGRATIONS = [
    "Error: P3009",
    "migrate found failed migrations in the target database, new migrations will not be applied.",
    "Migrations are pending. To resolve this issue, run: bin/rails db:migrate RAILS_ENV=production",
    "ActiveRecord::PendingMigrationError: x",
    "ERROR [alembic.util.messaging] Can't locate revision identified by 'fe7656c21eaa'",
    "org.flywaydb.core.api.exception.FlywayValidateException: Validate failed: Migrations have failed validation",
    "[2026-01-01 17:36:09] SEVERE [liquibase.integration] Could not acquire change log lock.  Currently locked by a (10.0.0.1)",
    "django.db.migrations.exceptions.InconsistentMigrationHistory: Migration a.2 is applied before its dependency b.1",
    "error: Dirty database version 20230309085743. Fix and force version.",
    "Error: The migration directory is corrupt, the following files are missing: 1.js",
    "goose run: error: found 2 missing migrations before current version 5",
]
NO_MIGRATIONS = [
    "\x1b[32mINFO\x1b[0m migration failed once, retried, all well",
    "no migrations are pending",
    "Migrations: 3 applied, 0 failed",
    "INFO waiting for changelog lock: migration errors: none",
    "migration finished without errors",
]


@pytest.mark.parametrize(("line", "port"), PORTS)
def test_a_port_that_is_taken(line, port):
    found = reason_of_end(["starting", line, "bye"])
    assert (found["port_line"], found["port"]) == (line, port)


@pytest.mark.parametrize("line", NO_PORTS)
def test_no_port(line):
    assert reason_of_end([line])["port_line"] == ""


def test_the_hint_of_postgresql_names_the_port():
    lines = [
        '2026-01-01 00:00:00.000 UTC [7] LOG:  could not bind IPv4 address "127.0.0.1": Address already in use',
        "2026-01-01 00:00:00.000 UTC [7] HINT:  Is another postmaster already running on port 5432? If not, wait a few seconds and retry.",
        "2026-01-01 00:00:00.000 UTC [7] FATAL:  could not create any TCP/IP sockets",
    ]
    assert reason_of_end(lines)["port"] == 5432


@pytest.mark.parametrize(("text", "names"), VARIABLES)
def test_variables_that_are_missing(text, names):
    found = reason_of_end(text.split("\n"))
    assert found["variables"] == names
    assert found["variable"] == (names[0] if names else "")


@pytest.mark.parametrize("text", NO_VARIABLES)
def test_no_variable(text):
    assert reason_of_end(text.split("\n"))["variables"] == []


@pytest.mark.parametrize("line", MIGRATIONS)
def test_a_migration(line):
    assert reason_of_end([line, "bye"])["migration_line"] == line


@pytest.mark.parametrize("line", NO_MIGRATIONS)
def test_no_migration(line):
    assert reason_of_end([line])["migration_line"] == ""


@pytest.mark.parametrize("line", [one for one, _port in PORTS] + MIGRATIONS)
def test_two_runbooks_read_one_line_alike(line):
    seen = {"available": True, "state": "backoff", "log_tail": [line], "log_tail_errors": []}
    (told,) = crash_loops({"web": seen}, {}, 3, 30)["looping"]
    for key, value in end_of_life(seen).items():
        assert told[key] == value


@pytest.mark.parametrize(
    "part",
    [
        "A_",
        "A_B ",
        "environment ",
        "bind: ",
        "migration ",
        "failed ",
        ":1",
        "port ",
        "manifest ",
        "KeyError: '",
        "1:1",
        "a/",
        "=",
        "[",
    ],
)
def test_the_time_grows_with_the_length_and_no_faster(part):
    lines = [(part * 2000)[:2000]] * 200
    began = time.process_time()
    reason_of_end(lines)
    assert time.process_time() - began < 5


# A real PostgreSQL 15 with a /dev/shm of 8 MB: one whose parallel statement found no room, and one that could not start.
STATEMENT = '2026-11-28 15:35:16.734 UTC [28474] ERROR:  could not resize shared memory segment "/PostgreSQL.1276397638" to 4194304 bytes: No space left on device'
START = '2026-11-28 15:35:17.142 UTC [28585] FATAL:  could not resize shared memory segment "/PostgreSQL.4179038948" to 26976 bytes: No space left on device'
DISK = '2026-11-28 15:35:16.734 UTC [29] PANIC:  could not write to file "pg_wal/xlogtemp.29": No space left on device'
EXTEND = '2026-11-28 15:35:16.734 UTC [29] ERROR:  could not extend file "base/5/16384": No space left on device'
SHORT = [
    # the end of a log: in what there was no room, and whether that ended it
    ([STATEMENT, "2026-11-28 15:35:16.748 UTC [28176] LOG:  background worker (PID 28477) exited with exit code 1"], "shared_memory", False),
    ([START, "2026-11-28 15:35:17.143 UTC [28585] LOG:  database system is shut down"], "shared_memory", True),
    ([START, STATEMENT], "shared_memory", True),
    ([DISK, STATEMENT], "disk", True),
    ([STATEMENT, DISK], "disk", True),
    ([EXTEND], "disk", False),
    # In another language its name is the same.
    (['FATAL:  konnte Größe des Segments »/PostgreSQL.417« nicht auf 26976 Bytes ändern: No space left on device'], "shared_memory", True),
    (["mkdir: cannot create directory '/var/lib/postgresql/data': No space left on device"], "disk", True),
    (["OSError: [Errno 28] No space left on device: '/dev/shm/psm_21467_46075'"], "shared_memory", True),
    (["Error: ENOSPC: no space left on device, write"], "disk", True),
    (['{"level":"error","msg":"write /data/x: disk quota exceeded"}'], "disk", True),
    # Nothing ended for these.
    (["2026-01-01 00:00:00 WARNING no space left on device, using memory"], "", False),
    (["INFO checked: no space left on device has not been seen"], "", False),
    ([DISK.replace("PANIC", "LOG")], "", False),
    (["FATAL:  could not map anonymous shared memory: Cannot allocate memory"], "", False),
    (["all is well"], "", False),
    ([], "", False),
    # Of a life before.
    ([DISK.replace("15:35", "13:35"), "2026-11-28 15:35:16.748 UTC [28176] LOG:  database system is ready"], "", False),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "what", "ended"), SHORT)
def test_what_there_was_no_room_in(lines, what, ended):
    found = shortage(lines)
    assert (found["what"], found["ended"]) == (what, ended)
    assert lacks(found["line"]) == what
