# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API that is not there, or not for everybody."""

from __future__ import annotations

from lab.compose.target import Fault, Target
from lab.layout import LabError
from lab.rights import WITHOUT_API, right


def _gone(target: Target) -> tuple[bool, str]:
    try:
        target.container("api")
    except LabError as error:
        return True, str(error)
    return False, "the API's container is still there"


def _stopped(target: Target) -> tuple[bool, str]:
    state = target.container("api")["State"]["Status"]
    return state == "exited", f"api is {state}"


def _fails(target: Target) -> tuple[bool, str]:
    status, other = target.api("/orders")[0], target.api("/stats")[0]
    return (status, other) == (500, 200), f"/orders answers {status}, /stats {other}"


FAULTS = {
    "api_removed": Fault(
        "the container of the API is gone",
        lambda target: target.docker("rm", "--force", target.container("api")["Id"]),
        _gone,
        rights={**WITHOUT_API, "api_down": right("not_running", "start_service")},
    ),
    "api_stopped_by_person": Fault(
        "a person stopped the API",
        lambda target: target.docker("stop", "--time", "5", target.container("api")["Id"]),
        _stopped,
        rights={
            **WITHOUT_API,
            "api_down": right("stopped_by_person"),
            "crash_loop": right(also="stopped_by_person", healthy=True),
            "port_conflict": right(also="stopped", healthy=True),
        },
    ),
    "api_one_route": Fault(
        "one route of the API fails with a mistake in its code",
        lambda target: target.begin("errors?route=/orders"),
        _fails,
        rights={"error_rate": right("route_failing", says="/orders"), "api_down": right("errors")},
    ),
}
