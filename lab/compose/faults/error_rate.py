# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that are errors, while every part of the stack is up."""

from __future__ import annotations

from lab.compose.target import Fault, Target
from lab.rights import right


def _route_fails(target: Target) -> tuple[bool, str]:
    (broken, _body), (sound, _other) = target.api("/stats"), target.api("/orders")
    return (broken, sound) == (500, 200), f"/stats answers {broken}, /orders {sound}"


def _every_route_fails(target: Target) -> tuple[bool, str]:
    statuses = [target.api(route)[0] for route in ("/stats", "/orders")]
    return statuses == [500, 500], f"/stats and /orders answer {statuses}"


FAULTS = {
    "route_errors": Fault(
        "the code of /stats fails, and of no other route",
        lambda target: target.begin("errors?route=/stats"),
        _route_fails,
        rights={"error_rate": right("route_failing", says="/stats"), "api_down": right("errors")},
    ),
    "errors_everywhere": Fault(
        "the code of every route fails",
        lambda target: target.begin("errors?route=*"),
        _every_route_fails,
        rights={
            "error_rate": right("errors_unexplained"),
            "api_down": right("errors"),
            "crash_loop": right(also="does_not_answer", healthy=True),
            "rollback": right("service_not_healthy bad_deployment", also="deployed"),
        },
    ),
}
