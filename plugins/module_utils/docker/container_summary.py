# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service as a whole, from the containers it runs in. No I/O."""

from __future__ import annotations

from ..services.group import compared_of_all, numbers_of_all, variables_of_all
from ..text.log_lines import group_error_lines
from ..text.masking import masked_lines
from .container_state import worst

_MEMORY_KEYS = (
    "memory_limit_bytes",
    "memory_swap_limit_bytes",
    "memory_used_bytes",
    "memory_ratio",
    "memory_kept_ratio",
    "rss_bytes",
    "memory_slope_bytes_per_second",
    "growth",
    "seconds_to_limit",
    "oom_kills",
    "top_processes",
)
_CPU_KEYS = ("cpu_seconds", "cpu_limit_cores", "cpu_cores", "cpu_ratio")


def summary(containers, logs, log_lines, log_tail_lines):
    """What a service does that has at least one container.

    State, health, exit and restarts are those of the container that is worst off, memory that of the one nearest its
    limit, processor time that of the busiest, errors those of all logs.

    Args:
        containers: each as a dict.
        logs: by the id of a container, a dict ``text`` and ``reason``; the text is None where it could not be read.
        log_lines: how many of the last lines to search for errors.
        log_tail_lines: how many of them to return.
    """
    own = [dict(one, **_log(logs[one["container_id"]], log_lines, log_tail_lines)) for one in containers]
    shown = worst(own)
    fullest = max(own, key=lambda one: (one["memory_ratio"] or 0, one["memory_used_bytes"] or 0))
    busiest = max(own, key=lambda one: (one["cpu_ratio"] or 0, one["cpu_seconds"] or 0))
    found = dict(
        shown,
        **{key: fullest[key] for key in _MEMORY_KEYS},
        containers=own,
        weakest=shown["container"] if len(own) > 1 else None,
        replicas=len(own),
        replicas_running=sum(one["state"] == "running" for one in own),
        variables=variables_of_all(own),
        numbers=numbers_of_all(own),
        compared=compared_of_all(own),
        oom_killed=any(one["oom_killed"] for one in own) or shown["oom_killed"],
    )
    found.update({key: busiest[key] for key in _CPU_KEYS})
    fullest = max(own, key=lambda one: (one["shared_memory_used_bytes"] or 0) / (one["shared_memory_bytes"] or 1))
    found.update({key: fullest[key] for key in ("shared_memory_bytes", "shared_memory_used_bytes")})
    texts = [logs[one["container_id"]]["text"] for one in own]
    read = [text for text in texts if text is not None]
    if read and log_lines > 0:
        found["log_tail_errors"] = _errors(read, log_lines)
        found.pop("log_reason", None)
    return found


def _log(log, log_lines, log_tail_lines):
    text = log["text"]
    found = {
        "log_tail_errors": None if text is None or log_lines < 1 else _errors([text], log_lines),
        "log_tail": None if text is None or log_tail_lines < 1 else masked_lines(text.splitlines()[-log_tail_lines:]),
    }
    if found["log_tail_errors"] is None:
        found["log_reason"] = log["reason"] or "log_lines is 0"
    return found


def _errors(texts, lines):
    ends = ["\n".join(text.splitlines()[-lines:]) for text in texts]
    return group_error_lines("\n".join(ends), lines * len(ends))
