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


def test_no_text_is_searched_for_long():
    began = time.monotonic()
    assert excess(b'["' + b'\\"' * 8_000_000 + b'"]', 3, 3) == "a text in it is too long"
    assert time.monotonic() - began < 0.1
