# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments that should not have been."""

from __future__ import annotations

from collections.abc import Callable

from lab.compose.target import Fault, Target
from lab.release import Release
from lab.rights import right


def release(target: Target) -> Release:
    return Release(target.project.folder)


def _deploy(subject: str, faults: str) -> Callable[[Target], object]:
    def make(target: Target) -> None:
        release(target).commit(subject, faults)
        release(target).deploy()

    return make


def _last(path: str, status: int) -> Callable[[Target], tuple[bool, str]]:
    def there(target: Target) -> tuple[bool, str]:
        seen, _body = target.api(path)
        subject = release(target).git("log", "-1", "--format=%s").strip()
        return seen == status, f"{path} answers {seen} with '{subject}'"

    return there


FAULTS = {
    "bad_deployment": Fault(
        "the last deployment broke the route /orders",
        _deploy("Show the discount of an order", "errors?route=/orders"),
        _last("/orders", 500),
        lambda target: release(target).begin(),
        rights={
            "error_rate": right("deployment_suspected recent_deployment", also="route_failing"),
            "api_down": right("errors", also="starting"),
            # Its services are healthy, and nobody has said where to go back to; with that said it is asked for.
            "rollback": right(remedies="roll_back", also="deployed rollback_requested bad_deployment", healthy=True),
        },
    ),
    "unhealthy_deployment": Fault(
        "the last deployment is not healthy",
        _deploy("Check more in the health route", "health?status=503"),
        _last("/health", 503),
        lambda target: release(target).begin(),
        rights={
            "rollback": right("bad_deployment", "roll_back", also="deployed"),
            # A restart would run the same release again.
            "api_down": right("hangs errors part_hangs health_check_fails", also="starting"),
            "crash_loop": right(also="does_not_answer", healthy=True),
        },
    ),
}
