# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The level of a line, in the formats of others."""

# ruff: noqa: RUF001  (words of other alphabets)

from __future__ import annotations

import time

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.text.levels import level_of
from ansible_collections.oncall.runbooks.plugins.module_utils.text.log_lines import group_error_lines, is_error_line
from ansible_collections.oncall.runbooks.plugins.module_utils.text.masking import masked_lines
from ansible_collections.oncall.runbooks.plugins.module_utils.text.one_line import without_sequences

LEVELS = [
    # colours
    ("\x1b[31mERROR\x1b[0m app/db.go:12 pool exhausted", "error"),
    ("[\x1b[31merror\x1b[39m]: cannot connect", "error"),
    ("\x1b[31merror\x1b[39m: hi", "error"),
    ("\x1b[32minfo\x1b[39m: error none", "info"),
    ("\x1b[36mtime=\x1b[0m2026-01-01T00:00:00Z \x1b[36mlevel=\x1b[0merror msg=x", "error"),
    ("^[[31mERROR^[[0m app: x", "error"),
    ("#033[31mERROR#033[0m app: x", "error"),
    ("\x1b[32mINFO\x1b[0m migration failed once, retried, all well", "info"),
    ("2026-01-01T00:00:00Z \x1b[2m\x1b[32m INFO\x1b[0m app: error: none", "info"),
    # JSON
    ('{"@t":"2026-01-01T00:00:00Z","@mt":"x","@l":"Error"}', "error"),
    ('{"@t":"2026-01-01T00:00:00Z","@mt":"Error: none"}', "info"),
    ('{"t":{"$date":"2026-01-01"},"s":"E","c":"STORAGE","id":1,"msg":"x"}', "error"),
    ('{"t":{"$date":"2026-01-01"},"s":"I","c":"NETWORK","id":1,"msg":"error"}', "info"),
    ('{"log.level":"error","message":"x"}', "error"),
    ('{"log":{"level":"error"},"message":"x"}', "error"),
    ('{"version":"1.1","short_message":"x","level":3}', "error"),
    ('{"version":"1.1","short_message":"error","level":6}', "info"),
    ('{"name":"b","level":60,"msg":"y"}', "fatal"),
    ('{"level":40,"msg":"error"}', "warning"),
    ('{"severity":"ALERT","message":"x"}', "fatal"),
    ('{"severity":500,"message":"x"}', "error"),
    ('{"LogLevel":"Critical","Category":"Shop","Message":"x"}', "fatal"),
    ('{"time":"x","level":"ERROR+4","msg":"x"}', "error"),
    ('{"message":"x","level":400,"level_name":"ERROR"}', "error"),
    ('{"severityNumber":17,"body":"x"}', "error"),
    ('{"log":"2026-01-01 ERROR x\\n","stream":"stderr"}', "error"),
    ('{"log":"2026-01-01 INFO error: none\\n","stream":"stderr"}', "info"),
    ('{"level":"warn","msg":"ERROR budget is low"}', "warning"),
    ('{"level":"error","msg":"cut of', "error"),
    # logfmt, Go
    ('time=2026-01-01T00:00:00Z level=ERROR msg="x"', "error"),
    ('level=info msg="set level=error"', "info"),
    ('t=2026-01-01 lvl=eror msg="x"', "error"),
    ('msg="ERROR budget" level=warning', "warning"),
    ("ERRO[0000] failed to start", "error"),
    ("FATA[0012] x", "fatal"),
    ("2026/01/01 00:00:00 ERROR x k=v", "error"),
    ("2026-01-01T00:00:00.000Z\terror\tads\tx", "error"),
    # zerolog, Serilog, .NET
    ("2026-01-01T00:00:00Z ERR Provider error, retrying ...", "error"),
    ("3:04PM FTL x", "fatal"),
    ("[12:00:00 FTL] Host terminated", "fatal"),
    ("[12:00:00 INF] error: none", "info"),
    ("INF last error: none", "info"),
    ("fail: Shop.Orders[0]", "error"),
    ("crit: Microsoft.AspNetCore.Server.Kestrel[0]", "fatal"),
    ("info: Microsoft.Hosting.Lifetime[14]", "info"),
    ("<3>Shop.Orders[0] x", "error"),
    ("<6>Shop.Orders[0] error: none", "info"),
    # Java
    ("2026-01-01 00:00:00,123 [main] ERROR com.acme.Shop - x", "error"),
    ("2026-01-01T00:00:00.000Z  INFO 1 --- [main] o.s.b.A : no errors", "info"),
    ("01-Jan-2026 00:00:00.000 SEVERE [main] org.apache.catalina.core x", "error"),
    ("SEVERE: x", "error"),
    ("[2026-01-01T00:00:00,000][ERROR][o.e.b.Bootstrap] [node] x", "error"),
    ("2026-01-01 00:00:00.0000|ERROR|Shop|x", "error"),
    # Python
    ("ERROR:root:x", "error"),
    ("INFO:     error: none", "info"),
    ("2026-01-01 00:00:00.000 | ERROR    | app:run:1 - x", "error"),
    ("2026-01-01 00:00:00 [error    ] x   key=value", "error"),
    ("[2026-01-01 00:00:00 +0000] [7] [ERROR] Connection in use: ('0.0.0.0', 8000)", "error"),
    ("[2026-01-01 00:00:00,000: ERROR/MainProcess] x", "error"),
    ("/app/x.py:3: DeprecationWarning: errors ahead", "warning"),
    ("[E 260101 00:00:00 web:2246] x", "error"),
    # Rust, Node
    ("[2026-01-01T00:00:00Z ERROR my_app] x", "error"),
    ("npm ERR! code ELIFECYCLE", "error"),
    ("npm error code 3", "error"),
    ("npm warn deprecated error@1", "warning"),
    ("[Nest] 123  - 01/01/2026, 12:00:00 AM   ERROR [ExceptionHandler] x", "error"),
    ("[2/25/2026] [6:54:08 PM] [Global   ] › ✖  error     The migration directory is corrupt", "error"),
    # servers
    ("E0102 03:04:05.678 1 x.go:138] x", "error"),
    ("E0102 03:04:05.678901       1 x.go:138] x", "error"),
    ("W0102 03:04:05.678901       1 x.go:138] error", "warning"),
    ("1:M 01 Jan 2026 00:00:00.000 # Can't save in background: fork: Cannot allocate memory", "error"),
    ("1:M 01 Jan 2026 00:00:00.000 # WARNING: The TCP backlog setting cannot be enforced", "warning"),
    ("1:M 01 Jan 2026 00:00:00.000 # Redis is now ready to exit, bye bye...", "warning"),
    ("1:M 01 Jan 2026 00:00:00.000 * Background saving error", "notice"),
    ("2026/01/01 00:00:00 [emerg] 1#1: bind() to 0.0.0.0:80 failed", "fatal"),
    ("2026/01/01 00:00:00 [notice] 1#1: error log reopened", "notice"),
    ("[Thu Jan 01 00:00:00.000 2026] [core:error] [pid 1] x", "error"),
    ("[Thu Jan 01 00:00:00.000 2026] [mpm_event:notice] [pid 1] error", "notice"),
    ("2026-01-01 00:00:00.000 UTC [71] LOG:  ERROR is a word", "info"),
    ("2026-01-01 00:00:00.000 CET [71] FEHLER:  Relation »x« existiert nicht", "error"),
    ("2026-01-01 00:00:00.000 CET [71] ERREUR:  x", "error"),
    ("2026-01-01 00:00:00.000 MSK [71] ВАЖНО:  x", "fatal"),
    ("2026-01-01 00:00:00.000 MSK [71] СООБЩЕНИЕ:  ERROR", "info"),
    ("2026-01-01 00:00:00.000 JST [71] 错误:  x", "error"),
    ("2026-01-01 00:00:00.000 UTC [71] 42P01 BŁĄD:  x", "error"),
    ("2026-01-01T00:00:00.000000Z 0 [ERROR] [MY-010262] [Server] x", "error"),
    ("2026-01-01T00:00:00.000000Z 0 [Note] error log is on", "info"),
    ("[ALERT]    (1) : Starting frontend x", "fatal"),
    ("2026.01.01 00:00:00.000 [ 1 ] {} <Error> Application: x", "error"),
    ("2026-01-01 00:00:00.000+00:00 [error] <0.1.0> x", "error"),
    ("2026-01-01 00:00:00,000 INFO exited: api (exit status 1; not expected)", "info"),
    ("2026-01-01 00:00:00,000 CRIT x", "fatal"),
    # Ruby, PHP, Erlang
    ("E, [2026-01-01T00:00:00.000000 #1] ERROR -- : x", "error"),
    ("I, [2026-01-01T00:00:00.000000 #1]  INFO -- : ERROR", "info"),
    ("[2026-01-01 00:00:00] production.ERROR: x", "error"),
    ("PHP Fatal error:  Uncaught Error: x", "error"),
    ("PHP Warning:  error", "warning"),
    ("00:00:00.000 [error] GenServer terminating", "error"),
    ("=ERROR REPORT==== 4-Jul-2026::07:00:08 ===", "error"),
    ("=INFO REPORT==== 4-Jul-2026::07:00:08 ===", "info"),
    # what others put before it
    ("api-1  | 2026-01-01 ERROR x", "error"),
    ("api-1  | INFO error: none", "info"),
    ("2026-01-01T00:00:00.000Z stderr F ERROR x", "error"),
    ("Jan  1 00:00:00 host api[71]: INFO error: none", "info"),
]
NO_LEVEL = [
    "GET /x?type=ERROR 200",
    "Task finished with state ERROR",
    "no ERROR found",
    "STATUS_ERROR_COUNT=0",
    "the info page is up",
    "TERROR",
    '{"msg":"fine"}',
    '{"s":"Error of a field"}',
    '{"level":3,"msg":"x"}',
    '{"level":null}',
    "[]",
    "{broken}",
    "2026-01-01 00:00:00.000 UTC [71] 42P01 ANWEISUNG:  SELECT 1",
    "DETAIL:  Key (level)=(1) is there",
]
ERRORS_IN_WORDS = [
    "Unhandled exception. System.InvalidOperationException: x",
    "thread 'main' panicked at src/main.rs:5:40:",
    "thread 'main' (4711) panicked at src/main.rs:5:40:",
    "2026/01/01 00:00:00 listen tcp :8080: bind: address already in use",
    "Error response from daemon: x",
    "** (RuntimeError) environment variable DATABASE_URL is missing.",
    "environ.compat.ImproperlyConfigured: Set the DATABASE_URL environment variable",
    "binder.rb:334:in `initialize': x (Errno::EADDRINUSE)",
]


@pytest.mark.parametrize(("line", "level"), LEVELS)
def test_level(line, level):
    assert level_of(line) == level
    assert is_error_line(line) == (level in ("error", "fatal"))


@pytest.mark.parametrize("line", NO_LEVEL)
def test_what_has_no_level_and_says_nothing_is_none(line):
    assert level_of(line) is None
    assert not is_error_line(line)


@pytest.mark.parametrize("line", ERRORS_IN_WORDS)
def test_an_error_in_words(line):
    assert is_error_line(line)


def test_sequences():
    assert without_sequences("\x1b]0;title\x07a\x1b[1;31mb\x1b[0mc^[[0md") == "abcd"


def test_the_end_of_a_log_has_no_colours():
    assert masked_lines(["\x1b[32mINFO\x1b[0m migration failed once"]) == ["INFO migration failed once"]


def test_the_message_of_a_panic_is_on_the_next_line():
    text = "thread 'main' panicked at src/main.rs:5:40:\ncannot open the pool\nnote: run with `RUST_BACKTRACE=1`\n"
    assert [one["last"] for one in group_error_lines(text, 10)] == [
        "thread 'main' panicked at src/main.rs:5:40: cannot open the pool"
    ]


def test_a_traceback_ends_with_its_error_whatever_it_is_called():
    text = 'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n    boom()\nshop.errors.Boom: no stock\n'
    assert [one["last"] for one in group_error_lines(text, 10)] == ["shop.errors.Boom: no stock"]


HOSTILE = [
    *(
        '"',
        '\\"',
        "[",
        "{",
        '{"a":',
        "\x1b[",
        "\x1b]",
        "^[",
        "#033[",
        "level=",
        '"level":',
        "ERROR",
        " ERROR",
        "a.",
        "A::",
    ),
    *(
        "[a:",
        "| ",
        "<",
        "-",
        "a ",
        "00:00:00 ",
        "FEHLER ",
        "_",
        "\t",
        "é",
        ": ",
        "00000",
        "(",
        "'",
        "npm ",
        "0:M ",
        "|error",
    ),
]


@pytest.mark.parametrize("part", HOSTILE)
def test_the_time_grows_with_the_length_and_no_faster(part):
    line = (part * (1_000_000 // len(part)))[:1_000_000]
    began = time.process_time()
    is_error_line(line)
    assert time.process_time() - began < 2


def test_thousands_of_lines_take_little():
    text = "2026-01-01 00:00:00,123 INFO app.db: a connection was taken from the pool\n" * 5000
    began = time.process_time()
    group_error_lines(text, 5000)
    assert time.process_time() - began < 2
