# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that end by themselves, again and again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from lab.compose.target import Fault, Target
from lab.layout import LabError
from lab.rights import WITHOUT_API, right

RESTARTS = 3
SEGMENTATION_FAULT = "import os, signal; os.kill(-1, signal.SIGSEGV)"
LAST_MIGRATION = "0002_order_notes"


def _crash(target: Target) -> None:
    """The API dies of a segmentation fault until its engine has started it often enough for a loop."""
    while (count := target.container("api")["RestartCount"]) < RESTARTS:
        target.wait(lambda: target.container("api")["State"]["Running"], what="the API")
        # Everything in the container but its init, which then ends as well, and may end this with it.
        with suppress(LabError):
            target.run_in("api", "python3", "-c", SEGMENTATION_FAULT)
        target.wait(partial(_restarted_more_than, target, count), what="the API's restart")


def _restarted_more_than(target: Target, count: int) -> bool:
    return target.container("api")["RestartCount"] > count


def _crashed(target: Target) -> tuple[bool, str]:
    api = target.container("api")
    return api["RestartCount"] >= RESTARTS, f"api was restarted {api['RestartCount']} times"


def _restart(target: Target) -> None:
    # Only that sets the engine's count back.
    target.docker("restart", "--time", "5", target.container("api")["Id"])


def _crash_without_redis(target: Target) -> None:
    target.docker("stop", "--time", "5", target.container("redis")["Id"])
    _crash(target)


def _loops_saying(words: str) -> Callable[[Target], tuple[bool, str]]:
    def there(target: Target) -> tuple[bool, str]:
        count = target.container("api")["RestartCount"]
        log = target.log("api", 50)
        return count >= RESTARTS and words in log, f"api was restarted {count} times, and its log says {log[-300:]!r}"

    return there


def _without_variable(target: Target) -> None:
    target.set_environment("api", PROVIDER_URL=None)
    target.recreate("api")


def _failing_migration(target: Target) -> None:
    # As if somebody had added the column by hand.
    target.sql("DELETE FROM schema_migrations WHERE version = %s", LAST_MIGRATION)
    _restart(target)


def _migration_as_before(target: Target) -> None:
    target.sql("INSERT INTO schema_migrations VALUES (%s, now()) ON CONFLICT DO NOTHING", LAST_MIGRATION)
    # With a new log: another fault's reason is looked for in it next.
    target.recreate("api")


def _killed_at_start(target: Target) -> None:
    target.set_environment("api", LAB_START_FAULTS="memory?mb_per_second=1200")
    target.recreate("api")


def _short_of_memory(target: Target) -> None:
    # More than its limit of 512 MB, and less than the larger one that a runbook gives it.
    target.set_environment("api", LAB_START_FAULTS="memory?mb_per_second=1200&until_mb=600")
    target.recreate("api")


def _killed(target: Target) -> tuple[bool, str]:
    api = target.container("api")
    ended = api["RestartCount"] >= RESTARTS and "137" in target.docker(
        "events", "--since", "120s", "--until", "0s", "--filter", f"container={api['Id']}", "--filter", "event=die",
        "--format", "{{.Actor.Attributes.exitCode}}",
    )  # fmt: skip
    return ended, f"api was restarted {api['RestartCount']} times"


FAULTS = {
    "crash_unexplained": Fault(
        "the API died of a segmentation fault three times; a clean restart helps",
        _crash,
        _crashed,
        _restart,
        rights={
            "crash_loop": right("unexplained", "clean_restart", also="restarted_lately"),
            "api_down": right(also="crash_loop starting", healthy=True),
        },
    ),
    "crash_dependency": Fault(
        "the API crashes, and Redis, which it needs, is stopped",
        _crash_without_redis,
        _crashed,
        _restart,
        rights={
            "crash_loop": right("dependency_down", says="redis"),
            "cache": right("stopped_by_person redis_down", "restart_redis"),
            "api_down": right(also="crash_loop starting", healthy=True),
        },
    ),
    "crash_missing_variable": Fault(
        "the API ends at its start: PROVIDER_URL is not set",
        _without_variable,
        _loops_saying("missing required environment variable PROVIDER_URL"),
        rights={
            **WITHOUT_API,
            "crash_loop": right("missing_variable", says="PROVIDER_URL"),
            "api_down": right("crash_loop"),
        },
    ),
    "crash_migration": Fault(
        "the API ends at its start: a migration finds its column there already",
        _failing_migration,
        _loops_saying("migration failed"),
        _migration_as_before,
        rights={**WITHOUT_API, "crash_loop": right("migration_failed"), "api_down": right("crash_loop")},
    ),
    "crash_out_of_memory": Fault(
        "the API takes more memory than its limit at every start, and the kernel kills it",
        _killed_at_start,
        _killed,
        rights={
            **WITHOUT_API,
            "crash_loop": right("out_of_memory"),
            "resource_usage": right("killed_for_memory", "raise_memory_limit"),
            "api_down": right("out_of_memory crash_loop"),
        },
    ),
    "crash_short_of_memory": Fault(
        "the API needs 600 MB and may have 512, so that the kernel kills it after every start",
        _short_of_memory,
        _killed,
        rights={
            **WITHOUT_API,
            "crash_loop": right("out_of_memory"),
            "resource_usage": right("killed_for_memory", "raise_memory_limit"),
            "api_down": right("out_of_memory crash_loop"),
        },
    ),
}
