# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shown of a statement."""

from __future__ import annotations

import time

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.postgres.redaction import redacted

SHOWN = [
    ("/* don't */ SELECT * FROM t WHERE mail = 'jane.doe@example.com'", "SELECT * FROM t WHERE mail = '?'"),
    ("SELECT 1 -- don't\nFROM t WHERE mail = 'jane.doe@example.com'", "SELECT 1 FROM t WHERE mail = '?'"),
    ("SELECT 1 --don't\r FROM t WHERE mail = 'jane'", "SELECT 1 FROM t WHERE mail = '?'"),
    ("/* a /* b's */ c's */ SELECT 'jane'", "SELECT '?'"),
    ("/*/*/ jane's */*/ SELECT 'jane'", "SELECT '?'"),
    ("/* jane@example.com */ SELECT 1", "SELECT 1"),
    ("SELECT 1 /* cut off, 'jane", "SELECT 1 [...]"),
    ("SELECT 1 -- cut off, jane", "SELECT 1"),
    ("SELECT '/*', 'jane', '*/'", "SELECT '?', '?', '?'"),
    ("SELECT '--', 'jane'", "SELECT '?', '?'"),
    ("SELECT \"it's\", 'jane'", "SELECT \"it's\", '?'"),
    ('SELECT "a""b\'s", \'jane\'', 'SELECT "a""b\'s", \'?\''),
    ('SELECT "cut off jane', "SELECT [...]"),
    ("SELECT '\"', 'jane', '\"'", "SELECT '?', '?', '?'"),
    ("SELECT E'it\\'s', 'jane'", "SELECT '?', '?'"),
    ("SELECT e'a'\n'b\\'jane', 'x'", "SELECT '?', '?'"),
    ("SELECT E'a\\\\', 'jane'", "SELECT '?', '?'"),
    ("SELECT nameE'x', 'jane'", "SELECT nameE'?', '?'"),
    ("SELECT 1e'it\\'s jane'", "SELECT 1'?'"),
    ("SELECT U&'\\0441', N'jane', x'1F', B'1'", "SELECT U&'?', N'?', x'?', B'?'"),
    ("SELECT $$jane's$$, $a$ $b$ jane $a$, 'x'", "SELECT '?', '?', '?'"),
    ("SELECT $a$ jane, cut off $b$", "SELECT '?'"),
    ("SELECT $ä$ jane's $ä$, 'x'", "SELECT '?', '?'"),
    ("SELECT a$b$, 'jane', c$b$ FROM t WHERE id = $1", "SELECT a$b$, '?', c$b$ FROM t WHERE id = $1"),
    ("SELECT $1, '$$', 'jane', '$$'", "SELECT $1, '?', '?', '?'"),
    ("SELECT a - -1, b/2 * 3", "SELECT a - -1, b/2 * 3"),
    ("SELECT größe, 'jane'", "SELECT größe, '?'"),
    # Two readings, of which one does not end.
    ("SELECT 'C:\\', 'jane'", "SELECT '?', '?'"),
    ("SELECT 'it\\'s jane', 'x'", "SELECT [...]"),
    ("SELECT a, 'it\\''s jane'", "SELECT a, '?'"),
    ("SELECT 'C:\\' || 'D:\\', 'jane", "SELECT [...]"),
    ("'" * 99, "'?'"),
    ("", ""),
    (None, ""),
]


@pytest.mark.parametrize(("query", "shown"), SHOWN, ids=[str(query) for query, _shown in SHOWN])
def test_shown(query, shown):
    assert redacted(query, 200) == shown


@pytest.mark.parametrize("opened", ["'", "E'", "$$", "/*", '"', "--", "\\'", "'\\"])
def test_a_long_statement_is_read_in_time(opened):
    began = time.process_time()
    for text in (opened * 200_000, opened + "x " * 200_000, ("a " + opened) * 200_000):
        assert len(redacted(text, 80)) <= 80
    assert time.process_time() - began < 4
