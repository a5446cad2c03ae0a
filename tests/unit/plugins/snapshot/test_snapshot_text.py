# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a log may be kept: no secret of any kind, nothing that is no text, and no half of a line."""

from __future__ import annotations

import os
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.oncall.runbooks.plugins.module_utils.snapshot.statements import without_literals
from ansible_collections.oncall.runbooks.plugins.module_utils.snapshot.text import (
    LINE_CHARACTERS,
    kept,
    masked_environment,
)
from ansible_collections.oncall.runbooks.plugins.module_utils.text.masking import MASK
from ansible_collections.oncall.runbooks.tests.support.planted_secrets import PLANTED, TEXT, left_in


def text_of(data: bytes | str, **options: bool) -> str:
    return str(kept(data.encode() if isinstance(data, str) else data, **options)["text"])


def test_there_are_secrets_of_thirty_kinds_and_all_are_found_where_nothing_is_masked():
    assert len({one.kind for one in PLANTED}) == len(PLANTED) >= 30
    assert left_in(TEXT) == [one.kind for one in PLANTED]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda one: one.kind)
def test_a_secret_is_not_kept(planted):
    text = text_of(planted.text + "\n")
    assert [one for one in planted.secrets if one in text] == []
    assert MASK in text or "'?'" in text


def test_all_of_them_in_one_log_and_what_is_between_stays():
    text = text_of(TEXT)
    assert left_in(text) == []
    assert [f"INFO {number} before" for number in range(len(PLANTED)) if f"INFO {number} before" not in text] == []


@pytest.mark.parametrize("before", ["\x00", "\x01", "\x85", "\u2028", "\r", "\x1b[1m", "\x0b", "\u202e"])
def test_no_control_character_hides_a_secret_from_the_rules(before):
    assert "planted4711value" not in text_of(f"password={before}planted4711value and more of the line that is text\n")


def test_a_log_that_is_cut_within_a_key_keeps_none_of_it():
    (key,) = (one for one in PLANTED if one.kind == "private key")
    lines = key.text.split("\n")
    # The first line is cut anywhere, and the beginning of the key is not there at all.
    text = text_of("\n".join(["x", *lines[2:], "2026-11-30 goes on"]) + "\n", is_end=True)
    assert [one for one in key.secrets if one in text] == []
    assert "goes on" in text


def test_of_a_line_that_is_cut_nothing_is_kept():
    assert text_of("ord=planted4711value\nwhole\n", is_end=True) == "whole\n"
    assert text_of("whole\npassw", is_cut=True) == "whole\n"
    assert text_of("one line that is longer than all that is read", is_end=True) == ""
    assert text_of("", is_end=True) == ""


def test_terminal_sequences_are_gone_and_html_is_text_as_it_is():
    assert text_of("\x1b[31;1mred\x1b[0m <script>alert(1)</script>\n") == "red <script>alert(1)</script>\n"
    assert text_of("a\rb\x07c\td\n") == "a b c\td\n"
    assert text_of("ends in one\r\nand the next\r\n") == "ends in one\nand the next\n"


def test_binary_is_told_and_not_kept():
    noise = random.Random(4711).randbytes(50_000)
    told = kept(b"before\n" + noise + b"\nafter\n")
    assert told["text"].startswith("before\n") and told["text"].endswith("after\n")
    assert told["binary_lines"] > 10
    assert all(sign == "\n" or sign >= " " or sign == "\t" for sign in told["text"])
    told = kept(b"\0" * 300_000)
    assert told == {"text": "[300000 bytes that are no text]\n", "binary_lines": 1}


def test_utf_16_is_no_text_as_the_rules_would_find_no_secret_in_it():
    told = kept("level=info password=planted4711value\nnext\n".encode("utf-16-le"))
    assert told["binary_lines"] >= 2
    assert "l\0a\0n" not in told["text"] and "p l a n" not in told["text"]


def test_a_long_line_is_read_to_its_end_before_it_is_cut():
    text = text_of("x" * (LINE_CHARACTERS - 20) + " password=planted4711value " + "y" * 5000 + "\n")
    assert "planted" not in text
    assert text.startswith("x" * 100) and "more characters]" in text
    assert len(text) < LINE_CHARACTERS + 50


@given(st.binary(max_size=3000), st.booleans())
def test_anything_gives_lines_of_text(data, is_end):
    text = text_of(data, is_end=is_end)
    assert text == "" or text.endswith("\n")
    text.encode()
    assert all(sign in "\n\t" or sign >= " " for sign in text)


@pytest.mark.parametrize(
    "line",
    [
        "x'",
        "INSERT INTO ",
        "statement: ",
        "params: ",
        ' [["',
        "UPDATE ",
        "execute ",
        "[",
        "[generated in ",
        "password=",
    ],
)
def test_time_grows_with_the_length_and_not_faster(line):
    # A rule that tries again at every place would take minutes for these.
    began = time.process_time()
    kept((line * (100_000 // len(line))).encode())
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("GET /statement: fine", "GET /statement: fine"),
        ("the user's INSERT is done", "the user's INSERT is done"),
        ("LOG:  statement: SELECT 1", "LOG:  statement: SELECT 1"),
        ("INSERT INTO t VALUES ('a', $q$b$q$)", "INSERT INTO t VALUES ('?', '?')"),
        ("it took 5 ms: UPDATE t SET x = 'a' WHERE y = 3", "it took 5 ms: UPDATE t SET x = '?' WHERE y = 3"),
        ("SELECT count(*) FROM orders WHERE state = 'open'", "SELECT count(*) FROM orders WHERE state = 'open'"),
    ],
)
def test_statements(line, shown):
    assert without_literals([line]) == [shown]


def test_a_statement_of_several_lines_is_one_and_the_next_line_is_its_own():
    lines = ["LOG:  statement: INSERT INTO t", "\tVALUES ('first", "\tsecond')", "LOG:  done"]
    assert without_literals(lines) == ["LOG:  statement: INSERT INTO t VALUES ('?')", "LOG:  done"]


def test_environment():
    shown = masked_environment(
        {
            "DATABASE_URL": "postgres://shop:planted4711value@db.example/shop",
            "DB_PASSWORD": "planted4711value",
            "DB_PASSWORD_FILE": "/run/secrets/db",
            "FOO": "planted4711valueofakindnobodyknows",
            "PORT": "8080",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "KEY": "-----BEGIN PRIVATE KEY-----\nplanted4711value\n-----END PRIVATE KEY-----",
            "a\nb": "x",
            "API_TOKEN=": "planted4711value",
            "EMPTY": "",
        }
    )
    assert "planted" not in str(shown)
    assert shown["PORT"] == "8080" and shown["EMPTY"] == "" and shown["DB_PASSWORD_FILE"] == "/run/secrets/db"
    assert shown["PATH"].startswith("/usr/local/sbin")
    assert shown["DATABASE_URL"] == f"postgres://{MASK}@db.example/shop"
    assert shown["DB_PASSWORD"] == shown["FOO"] == MASK
    assert shown["a b"] == MASK, "of a name that had to be changed nothing says what it means"


def test_values_of_this_process_are_read_without_trouble():
    assert set(masked_environment(dict(os.environ))) == set(os.environ)
