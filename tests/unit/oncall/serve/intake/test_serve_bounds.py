# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON -> whether it is too much, as it is counted before it is read."""

from __future__ import annotations

import time

import pytest

from oncall.serve.intake.bounds import excess


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (b"[]", ""),
        (b"[1]", ""),
        (b"[1,2,3]", ""),
        (b"[1,2,3,4]", "it has more than 3 parts"),
        (b'{"a":1,"b":2,"c":3}', ""),
        (b'{"a":1,"b":2,"c":3,"d":4}', "it has more than 3 parts"),
        # What is in its parts are not its parts, but values.
        (b"[[1,2,3,4],1]", ""),
        (b"[[1,2,3,4,5,6,7]]", "it has more than 6 values"),
        (b"[[[[[[[]]]]]]]", "it has more than 6 values"),
        (b'[{"a":{"a":{"a":{"a":1}}}}]', ""),
        # Signs in a text are none.
        (b'["[[[[[[[[,,,,,,,,{{{{{{"]', ""),
        (b'["\\",,,,,,,,,,\\\\"]', ""),
        (b'["\\\\",1,2,3]', "it has more than 3 parts"),
        (b'[ "a" , "b" , "c" ]', ""),
        (b'["' + b"x" * 89 + b'"]', ""),
        (b'["' + b"x" * 99 + b'"]', "a text in it is too long"),
        (b'"' + b"x" * 200 + b'"', "a text in it is too long"),
    ],
)  # fmt: skip
def test_how_much_it_would_become(document, says):
    assert excess(document, 3, 6, 100) == excess(bytearray(document), 3, 6, 100) == says


def seconds_of(escapes: int) -> float:
    """The least of the processor's time that a text of so many escapes takes."""
    document = b'["' + b'\\"' * escapes + b'"]'
    spent = []
    for _ in range(3):
        began = time.thread_time()
        assert excess(document, 3, 3) == "a text in it is too long"
        spent.append(time.thread_time() - began)
    return min(spent)


def test_no_text_is_searched_for_long():
    # However long it is: a hundred times as many would take a hundred times as long.
    assert seconds_of(8_000_000) < 20 * seconds_of(80_000)
