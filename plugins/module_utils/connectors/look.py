# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at all connectors of an inventory, each source beside the others."""

from __future__ import annotations

import time

from ..deadline import Deadline, all_within
from ..run_command import last_line, run
from ..told import failed, told
from . import api as api_source
from .answer import told as told_of
from .error_classes import class_of, table_of
from .log import errors_of
from .sources import source
from .spec import described


def observe(params):
    """Observe connectors.

    Args:
        params: as in :data:`observers.sync_state.SPEC`.

    Returns:
        A dict ``sources``: for every name in the inventory what is documented in the module ``sync_state_info``. Of an API,
        ``looks`` instead of ``connectors``, and of dead letters ``dead_letters_document``, which the controller reads.

    Raises:
        ValueError: connectors are described in a way that cannot be used.
    """
    if not params["timeout_seconds"] > 0 or params["window_seconds"] < 0 or params["log_lines"] < 0:
        raise ValueError("timeout_seconds must be above 0, window_seconds and log_lines not below 0")
    table = table_of(params["error_classes"])
    entries = {str(name): described(name, one, params) for name, one in params["connectors"].items()}
    seconds = params["timeout_seconds"] + params["window_seconds"] + 0.5
    calls = [lambda one=one: told(_observe, one, params, table) for one in entries.values()]
    answers = all_within(seconds, calls)
    found = {}
    for (name, entry), answer in zip(entries.items(), answers):
        answer = failed(answer, f"connectors {name}") if isinstance(answer, Exception) else answer
        found[name] = dict(answer, source=entry["source"])
    return {"sources": found}


def _observe(entry, params, table):
    """What is told of one source, with its log, the tests of its upstreams and its dead letters beside it."""
    deadline = Deadline(params["timeout_seconds"] + params["window_seconds"])
    beside = [lambda: told(_connectors, entry, params, table, deadline)]
    beside += [lambda argv=argv: told(_test, argv, params, table) for argv in entry["tests"].values()]
    log = [lambda: told(errors_of, entry["log"], params["log_lines"], table)] if entry["log"] else []
    dead = [lambda: told(_dead_letters, entry, params)] if entry["dead_letters"] else []
    answers = all_within(deadline.remaining_seconds() + 0.3, [*beside, *log, *dead])
    answers = [failed(one) if isinstance(one, Exception) else one for one in answers]
    found, rest = answers[0], answers[1:]
    tests = dict(zip(entry["tests"], rest))
    if tests:
        found["tests"] = {str(name): one for name, one in tests.items()}
    if log:
        found["log"] = rest[len(tests)]
    if dead:
        found["dead_letters_fetched"] = rest[-1]
    return found


def _connectors(entry, params, table, deadline):
    module = source(entry["source"])
    times = 2 if module.LOOKS == 2 and params["window_seconds"] else 1
    seconds = params["timeout_seconds"] / times
    looks = [module.look(entry, seconds, deadline)]
    if times == 2:
        began = time.monotonic()
        time.sleep(params["window_seconds"])
        looks.append(module.look(entry, seconds, deadline))
        looks[0]["ago_seconds"] = time.monotonic() - began
    if entry["source"] == "api":
        return {"available": True, "looks": looks}
    return {"available": True, **told_of(entry, looks, table, time.time())}


def _test(argv, params, table):
    """Whether an upstream answers, as a command of the inventory says by its exit code."""
    ended = run(argv, params["timeout_seconds"])
    if ended["error"] and ended["error"] != "timeout":
        return {"available": False, "reason": f"the test cannot be run: {ended['error']}", "error": "not_run"}
    if ended["exit_code"] == 0:
        return {"available": True, "ok": True}
    text = last_line(ended["stderr"]) or last_line(ended["stdout"])
    text = "timed out" if ended["error"] else text or f"exit code {ended['exit_code']}"
    return {"available": True, "ok": False, "error_class": class_of(text, table), "said": text}


def _dead_letters(entry, params):
    answer = api_source.asked(
        f"{entry['place']}.dead_letters", api_source.request(entry["dead_letters"]), params["timeout_seconds"]
    )
    return {"available": True, "document": answer["document"]}
