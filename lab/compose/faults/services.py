# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole services that are gone, hang or say they are not well."""

from __future__ import annotations

from lab.compose.target import Fault, Target
from lab.layout import LabError
from lab.rights import WITHOUT_API, Rights, right

# What is right while a service is down; without its worker the lab has nothing that waits, but for the job of every second.
_WITHOUT: dict[str, Rights] = {
    "api": {**WITHOUT_API, "api_down": right("not_running", "start_service")},
    "worker": {
        "job_scheduler": right("scheduler_down", "restart_scheduler"),
        "worker_queue": right(remedies="restart_workers", also="no_worker", healthy=True),
        "stalled_workflow": right(remedies="restart_workers", also="no_worker", healthy=True),
        "sync_lag": right(remedies="restart_sync", also="scheduler_dead", healthy=True),
    },
    "db": {
        "db_down": right("database_down", "restart_database"),
        # Its names are of a database that refuses one more, and not of one that is gone.
        "db_pool": right(),
        "api_down": right("database_down"),
        "error_rate": right("database_down"),
        "payment_webhook": right("handler_slow"),
    },
    "redis": {"cache": right("redis_down", "restart_redis")},
}


def _stopped(service: str) -> Fault:
    def make(target: Target) -> None:
        container = target.container(service)
        # Its policy would bring it back.
        target.docker("update", "--restart=no", container["Id"])
        # The engine remembers its own kill and stop as a person's; a crash comes from elsewhere. Behind an init the
        # program dies of a segmentation fault, which no `docker stop` leaves behind. As the first process of its
        # container only SIGKILL ends it: exit code 137, as of the kernel's OOM killer.
        crash = "-SEGV $(cat /proc/$1/task/$1/children)" if container["HostConfig"]["Init"] else "-KILL $1"
        target.docker(
            "run", "--rm", "--pid=host", "--network=none", "--user=0", "--entrypoint=/bin/sh", container["Image"],
            "-c", f"kill {crash}", "sh", str(container["State"]["Pid"]),
        )  # fmt: skip

    def there(target: Target) -> tuple[bool, str]:
        state = target.container(service)["State"]
        return state["Status"] == "exited", f"{service} is {state['Status']} with exit code {state['ExitCode']}"

    # It has ended once, which is no loop.
    once = {"crash_loop": right(remedies="clean_restart", also="unexplained restarted_lately", healthy=True)}
    return Fault(
        f"the container of {service} crashed and stays down", make, there, rights={**once, **_WITHOUT[service]}
    )


def _database_hangs(target: Target) -> tuple[bool, str]:
    state = target.container("db")["State"]["Status"]
    try:
        target.sql("SELECT 1", seconds=2)
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
        rights={
            "db_down": right("paused"),
            "db_pool": right(also="way_hangs waiting_unexplained"),
            "api_down": right("database_down"),
            "error_rate": right(also="requests_hang database_down"),
            "payment_webhook": right("handler_slow"),
            "crash_loop": right(also="does_not_answer", healthy=True),
        },
    ),
    "api_unhealthy": Fault(
        "the API's health route answers 503 while its other routes work; a restart helps",
        lambda target: target.begin("health?status=503"),
        _health_fails,
        rights={
            "api_down": right("hangs", "restart_service"),
            "rollback": right("service_not_healthy bad_deployment", also="deployed"),
            "crash_loop": right(also="does_not_answer", healthy=True),
        },
    ),
    "provider_down": Fault(
        "the outside provider answers 503",
        lambda target: target.provider(status=503),
        _provider_fails,
        rights={
            "error_rate": right("provider_failing"),
            "circuit_breaker": right(also="they_are_down", healthy=True),
            **dict.fromkeys(("notification_provider", "payment_webhook"), right(also="provider_down", healthy=True)),
        },
    ),
}
