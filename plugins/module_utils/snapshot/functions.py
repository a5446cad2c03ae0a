# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The functions of a job engine that has them: what is registered, and whether the application that has them is reached."""

from __future__ import annotations

from ..deadline import Deadline
from ..queues.inngest import functions
from ..queues.spec import described
from ..queues.url import Url, UrlError
from ..text.masking import masked
from .parallel import each

SPEC = {
    "queues": {"type": "dict", "default": {}},
    "timeout_seconds": {"type": "float", "default": 10.0},
}


def look(params):
    """Ask every engine that has functions.

    Args:
        params: as in :data:`SPEC`.

    Returns:
        A dict ``available``, ``reason`` where none could be asked, ``queues`` (by its name, a dict ``apps`` and ``functions``), and
        ``limits``.
    """
    deadline = Deadline(params["timeout_seconds"])
    asked = [
        (name, queue)
        for name, queue in params["queues"].items()
        if isinstance(queue, dict) and queue.get("engine") == "inngest"
    ]
    if not asked:
        reason = "no engine of system_queues has functions that can be listed; of the others, queues.json has the names of the jobs"
        return {"available": False, "reason": reason, "queues": {}, "limits": []}
    found, limits = {}, []
    for (name, _queue), answer in zip(asked, each(asked, lambda one: _asked(*one, deadline), deadline)):
        if isinstance(answer, Exception):
            limits.append(f"the functions of queue {masked(name)} are not known: {masked(answer)}")
        else:
            found[name] = answer
    if not found:
        return {"available": False, "reason": limits.pop(0), "queues": {}, "limits": limits}
    return {"available": True, "queues": found, "limits": limits}


def _asked(name, queue, deadline):
    told = described(name, queue, {})
    with Url(told["reach"], deadline) as store:
        try:
            return functions(store, told)
        except UrlError as error:
            raise ValueError(str(error)) from None
