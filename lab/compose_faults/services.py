# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole services that are gone, hang or say they are not well."""

from __future__ import annotations

from lab.compose_target import Fault, Target
from lab.layout import LabError


def _stopped(service: str) -> Fault:
    def make(target: Target) -> None:
        # The main process dies of SIGKILL, without a word: exit code 137, as after any crash or the kernel's OOM
        # killer, and not the 0 or 143 that `docker stop` by a person leaves. The engine takes its own kill for
        # meant, so that the restart policy leaves the container as it is.
        target.docker("kill", "--signal=KILL", target.container(service)["Id"])

    def there(target: Target) -> tuple[bool, str]:
        state = target.container(service)["State"]
        return state["Status"] == "exited", f"{service} is {state['Status']} with exit code {state['ExitCode']}"

    return Fault(f"the container of {service} was killed and stays down", make, there)


def _database_hangs(target: Target) -> tuple[bool, str]:
    state = target.container("db")["State"]["Status"]
    try:
        target.sql("SELECT 1")
    except LabError as error:
        return state == "paused", f"db is {state}; {error}"
    return False, f"db is {state} and answers"


def _health_fails(target: Target) -> tuple[bool, str]:
    health = target.container("api")["State"]["Health"]["Status"]
    status, _ = target.api("/health")
    return health == "unhealthy" and status == 503, f"api is {health}, /health answers {status}"


def _provider_fails(target: Target) -> tuple[bool, str]:
    status, body = target.api("/rates")
    return status == 502 and target.metric("app_provider_up") == 0, f"/rates answers {status} {body[:100]}"


FAULTS = {
    **{f"{service}_stopped": _stopped(service) for service in ("api", "worker", "db", "redis")},
    "db_paused": Fault(
        "the database's processes are frozen: it takes connections and never answers",
        lambda target: target.docker("pause", target.container("db")["Id"]),
        _database_hangs,
    ),
    "api_unhealthy": Fault(
        "the API's health route answers 503 while its other routes work; a restart helps",
        lambda target: target.begin("health?status=503"),
        _health_fails,
    ),
    "provider_down": Fault(
        "the outside provider answers 503",
        lambda target: target.provider(status=503),
        _provider_fails,
    ),
}
