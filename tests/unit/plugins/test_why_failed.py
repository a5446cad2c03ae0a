# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a task failed, also where it was a loop, of which Ansible itself says only that some of it failed."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.plugins.filter.why_failed import why_failed


def item(name: object, message: object = "refused", failed: bool = True, **more: object) -> dict[str, object]:
    return {"failed": failed, "msg": message, "ansible_loop_var": "one", "one": name, **more}


def loop(*items: dict[str, object]) -> dict[str, object]:
    return {"failed": True, "msg": "One or more items failed", "results": list(items)}


@pytest.mark.parametrize(
    ("result", "why"),
    [
        ({"failed": True, "msg": "refused"}, "refused"),
        ({"failed": True}, "no message"),
        ({"failed": True, "msg": None}, "no message"),
        ({}, "no message"),
        (loop(item("api"), item("worker", failed=False)), "api: refused"),
        (loop(item("api"), item("worker", "gone")), "api: refused; worker: gone"),
        (loop(item({"database": "shop"}, _ansible_item_label="shop")), "shop: refused"),
        (loop(item({"database": "shop"})), "refused"),
        (loop(*(item(n) for n in range(5))), "0: refused; 1: refused; 2: refused; and 2 more"),
        (loop(item("api", failed=False)), "One or more items failed"),
        # A module may return something of its own under that name.
        ({"failed": True, "msg": "refused", "results": 7}, "refused"),
        ({"failed": True, "msg": "refused", "results": ["failed"]}, "refused"),
    ],
)
def test_the_reason_and_where_it_is_from(result, why):
    assert why_failed(result) == why
