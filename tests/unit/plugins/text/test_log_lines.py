# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which lines of a log are errors, and how they are grouped."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.text.log_lines import group_error_lines, is_error_line

ERRORS = [
    "2026-01-01 00:00:00,123 ERROR app.db: pool exhausted",
    "2026-01-01 00:00:00.123 UTC [71] FATAL:  sorry, too many clients already",
    "[error] 12#12: *4 connect() failed (111: Connection refused)",
    'time="2026-01-01T00:00:00Z" level=error msg="cannot connect"',
    '{"level":"error","time":1767225600,"msg":"cannot connect"}',
    '{"level":50,"time":1767225600,"msg":"cannot connect"}',
    '{"severity": "CRITICAL", "message": "disk full"}',
    "psycopg.OperationalError: connection failed",
    "java.lang.IllegalStateException: closed",
    'Exception in thread "main" java.lang.NullPointerException',
    "TypeError [ERR_INVALID_ARG_TYPE]: The argument must be a string",
    "KeyError",
    "panic: runtime error: index out of range",
    "Error: connect ECONNREFUSED 127.0.0.1:5432",
    "Out of memory: Killed process 4711 (node)",
    "Segmentation fault (core dumped)",
]
NO_ERRORS = [
    "",
    "   ",
    "2026-01-01 00:00:00 INFO 0 errors, error_rate=0",
    "2026-01-01 00:00:00 WARNING retrying after ERROR",
    'level=info msg="retry after error: refused"',
    '{"level":30,"msg":"error: none"}',
    '{"level":"warn","msg":"ERROR budget is low"}',
    "Traceback (most recent call last):",
    '  File "app.py", line 3, in main',
    "    raise ValueError('ERROR')",
    "\tat Error.captureStackTrace (node:internal)",
    "GET /errors 200",
    "MyErrorHandler registered",
]


@pytest.mark.parametrize("line", ERRORS)
def test_error(line):
    assert is_error_line(line)


@pytest.mark.parametrize("line", NO_ERRORS)
def test_no_error(line):
    assert not is_error_line(line)


def test_lines_that_differ_in_times_numbers_and_identifiers_are_one_group():
    text = (
        "2026-01-01 00:00:00,123 ERROR request 17 failed after 31ms\n"
        "2026-01-01 00:00:01,000 INFO fine\n"
        "ValueError: bad id 3fa85f64-5717-4562-b3fc-2c963f66afa6\n"
        "2026-01-02 10:20:30,456 ERROR request 18 failed after 1.5s\n"
    )
    assert group_error_lines(text, 200) == [
        {
            "count": 2,
            "line": "<time> ERROR request # failed after #",
            "last": "2026-01-02 10:20:30,456 ERROR request 18 failed after 1.5s",
        },
        {
            "count": 1,
            "line": "ValueError: bad id <id>",
            "last": "ValueError: bad id 3fa85f64-5717-4562-b3fc-2c963f66afa6",
        },
    ]


@pytest.mark.parametrize(
    ("line", "last"),
    [
        (
            "ERROR cannot reach postgres://app:s3cret@db/app",
            "ERROR cannot reach postgres://********@db/app",
        ),
        ("ERROR password=s3cret user=app", "ERROR password=******** user=app"),
        ('{"level":"error","api_key":"s3cret"}', '{"level":"error","api_key":********}'),
        ("ERROR Authorization: Bearer s3cret", "ERROR Authorization: ********"),
        ("ERROR \x1b[31mred\x1b[0m", "ERROR red"),
    ],
)
def test_secrets_and_terminal_escapes_do_not_get_through(line, last):
    (group,) = group_error_lines(line, 10)
    assert group["last"] == last
    assert "s3cret" not in group["line"]


@pytest.mark.parametrize(("lines", "count"), [(0, 0), (-1, 0), (1, 1), (2, 2), (10, 3)])
def test_only_the_last_lines_count(lines, count):
    text = "ERROR a\nERROR a\nERROR a\n"
    assert sum(group["count"] for group in group_error_lines(text, lines)) == count


def test_the_most_frequent_come_first_and_the_list_is_short():
    text = "".join(f"ERROR {'x' * number}\n" for number in range(1, 40)) + "ERROR twice\n" * 2
    groups = group_error_lines(text, 1000)
    assert len(groups) == 20
    assert groups[0] == {"count": 2, "line": "ERROR twice", "last": "ERROR twice"}
    assert groups[1]["last"] == "ERROR " + "x" * 39


def test_a_very_long_line_is_cut():
    (group,) = group_error_lines("ERROR " + "word " * 100_000, 10)
    assert len(group["last"]) == 300
