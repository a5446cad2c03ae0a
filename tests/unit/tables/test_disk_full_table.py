"""What was measured -> what must be concluded, for every cause of the runbook disk_full."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.tables import causes_that_are, steps_that_act

GIB = 1024**3
SYSTEM = {
    "system_services": {
        "api": {"manager": "docker", "name": "lab-api"},
        "database": {"manager": "docker", "name": "lab-db"},
    },
    "system_database": {"name": "labpics", "service": "database"},
    "disk_full_backups": [{"path": "/backup", "patterns": ["*.dump"], "older_than_days": 14, "keep": 3}],
}
SERVICES = {
    "available": True,
    "services": {
        "api": {"available": True, "pid": 100, "log_tail_errors": []},
        "database": {
            "available": True,
            "pid": 200,
            "log_tail_errors": [{"count": 3, "line": "x", "last": "archive command failed with exit code 1"}],
        },
    },
}
CLUSTER = "7300000000000000001"


def filesystem(mount: str = "/", used: float = 0.5, inodes: float = 0.1, read_only: bool = False) -> dict[str, Any]:
    """A filesystem of 100 GiB and a million inodes."""
    full = [name for name, ratio in (("bytes", used), ("inodes", inodes)) if ratio >= 0.85]
    return {
        "mount": mount,
        "used_ratio": used,
        "inodes_used_ratio": inodes,
        "full": full,
        "excess_bytes": int((used - 0.8) * 100 * GIB) if "bytes" in full else 0,
        "excess_inodes": int((inodes - 0.8) * 1_000_000) if "inodes" in full else 0,
        "unexpected_read_only": read_only,
    }


def file(path: str, size: float, mount: str = "/") -> dict[str, Any]:
    return {
        "path": path,
        "device": 1,
        "inode": hash(path) % 10**6,
        "modified": "1763687654000000000",
        "bytes": int(size * GIB),
        "mount": mount,
    }


def log(name: str, size: float, mount: str = "/") -> dict[str, Any]:
    path = f"/var/lib/docker/containers/{name}/{name}-json.log"
    return {"container": f"id-{name}", "name": name, **file(path, size, mount)}


def held(path: str, size: float, pid: int, *ancestors: int, mount: str = "/") -> dict[str, Any]:
    return {**file(path, size, mount), "pid": pid, "program": "node", "ancestors": list(ancestors)}


def files(*rows: dict[str, Any], complete: bool = True) -> dict[str, Any]:
    return {
        "available": True,
        "complete": complete,
        "count": len(rows),
        "bytes": sum(row["bytes"] for row in rows),
        "files": list(rows),
    }


def docker(**changes: Any) -> dict[str, Any]:
    return {
        "available": True,
        "absent": False,
        "root": "/var/lib/docker",
        "mount": "/",
        "logs": [],
        "logs_unknown": [],
        "images": [],
        "build_cache": {"available": True, "bytes": 0},
        "volumes": {"available": True, "largest": []},
        **changes,
    }


NO_DOCKER = {"available": False, "absent": True, "reason": "nothing listens there"}
HANGS = {"available": False, "absent": False, "reason": "the Docker Engine gave no complete answer within 10 s"}
LARGEST = {"mount": "/", "complete": True, "denied": 0}
LARGEST["bytes"] = LARGEST["entries"] = [{"path": "/srv/data", "bytes": 60 * GIB, "entries": 900_000}]


def disks(*filesystems: dict[str, Any], complete: bool = True, **use: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "available": True,
        "complete": complete,
        "filesystems": list(filesystems),
        "not_looked_at": [] if complete else [{"mount": "/nfs", "reason": "no answer"}],
        "limits": [] if complete else ["/nfs could not be looked at: no answer"],
    }
    if any(one["full"] for one in filesystems):
        found["use"] = {
            "largest": [LARGEST],
            "deleted_open": {"available": True, "complete": True, "files": []},
            "postgres": {"available": True, "complete": True, "servers": []},
            "docker": docker(),
            "journal": {"available": True, "folders": []},
            "rotated_logs": files(),
            "backups": files(),
            **use,
        }
    return found


def wal(**changes: Any) -> dict[str, Any]:
    archiver = {"failing": False, "failed_count": 0, "last_failed_wal": None, "last_archived_wal": None}
    settings = {"archive_mode": "off", "max_wal_size": "1GB", "wal_keep_size": "0", "max_slot_wal_keep_size": "-1"}
    archiver.update(changes.pop("archiver", {}))
    settings.update(changes.pop("settings", {}))
    return {
        "available": True,
        "system_identifier": CLUSTER,
        "slots": [],
        "archiver": archiver,
        "settings": settings,
        "limits": [],
        **changes,
    }


def slot(active: bool = False, size: float = 9) -> dict[str, Any]:
    return {"name": "old_standby", "active": active, "restart_lsn": "0/3000028", "retained_bytes": int(size * GIB)}


def postgres(size: float = 9, identifier: str = CLUSTER) -> dict[str, Any]:
    server = {
        "pid": 200,
        "data_directory": "/data",
        "system_identifier": identifier,
        "bytes": int(size * GIB),
        "mount": "/",
    }
    return {"available": True, "complete": True, "servers": [server]}


NO_DATABASE = {"available": False, "reason": "PostgreSQL labpics at db: connection refused", "error": "refused"}
FULL = filesystem(used=0.93)
INODES = filesystem(inodes=0.97)
CACHE = docker(build_cache={"available": True, "bytes": 20 * GIB})
IMAGES = [{"id": f"sha256:{n}", "bytes": 10 * GIB, "created_seconds": 1, "mount": "/"} for n in range(2)]
JOURNAL = {"available": True, "folders": [{"path": "/var/log/journal", "bytes": 20 * GIB, "mount": "/"}]}

MEASURED_CONCLUDED = {
    # name: (disks, wal, problems, available remedies)
    "room enough": (disks(filesystem()), wal(), [], []),
    "just below": (disks(filesystem(used=0.8499, inodes=0.8499)), wal(), [], []),
    "room enough, and a slot that nobody uses": (disks(filesystem()), wal(slots=[slot()]), [], []),
    "room enough, the database is down": (disks(filesystem()), NO_DATABASE, [], []),
    "read-only after an error": (disks(filesystem(read_only=True)), wal(), ["read_only_filesystem"], []),
    "build cache": (disks(FULL, docker=CACHE), wal(), ["build_cache"], ["prune_build_cache"]),
    "images": (disks(FULL, docker=docker(images=IMAGES)), wal(), ["dangling_images"], ["remove_dangling_images"]),
    "rotated logs": (
        disks(FULL, rotated_logs=files(file("/var/log/a.1", 20))),
        wal(),
        ["rotated_logs"],
        ["delete_rotated_logs"],
    ),
    "journal": (disks(FULL, journal=JOURNAL), wal(), ["journal"], ["vacuum_journal"]),
    "a small journal": (
        disks(FULL, journal={"available": True, "folders": [{"path": "/j", "bytes": 10, "mount": "/"}]}),
        wal(),
        ["growth"],
        [],
    ),
    "container logs": (
        disks(FULL, docker=docker(logs=[log("web", 20), log("api", 0.01)])),
        wal(),
        ["container_logs"],
        ["truncate_container_logs"],
    ),
    "container logs on another filesystem": (
        disks(filesystem("/", 0.5), filesystem("/srv", 0.93), docker=docker(logs=[log("web", 20)])),
        wal(),
        ["growth"],
        [],
    ),
    "container logs help, and are not enough": (
        disks(FULL, docker=docker(logs=[log("web", 2)])),
        wal(),
        ["container_logs", "growth"],
        ["truncate_container_logs"],
    ),
    "expired backups": (
        disks(FULL, backups=files(file("/backup/1.dump", 20))),
        wal(),
        ["expired_backups"],
        ["delete_expired_backups"],
    ),
    "backups stay where logs are enough": (
        disks(FULL, backups=files(file("/backup/1.dump", 20)), docker=docker(logs=[log("web", 20)])),
        wal(),
        ["container_logs", "expired_backups"],
        ["truncate_container_logs"],
    ),
    "a service holds deleted files": (
        disks(FULL, deleted_open={"complete": True, "files": [held("/var/log/api.log", 20, 120, 110, 100)]}),
        wal(),
        ["deleted_open_files"],
        ["restart_holder"],
    ),
    "a stranger holds deleted files": (
        disks(FULL, deleted_open={"complete": True, "files": [held("/tmp/x", 20, 555, 554)]}),
        wal(),
        ["deleted_open_files"],
        [],
    ),
    "small deleted files": (
        disks(FULL, deleted_open={"complete": True, "files": [held("/tmp/x", 0.01, 120, 100)]}),
        wal(),
        ["growth"],
        [],
    ),
    "no restart where logs are enough": (
        disks(
            FULL,
            deleted_open={"complete": True, "files": [held("/var/log/api.log", 20, 100)]},
            docker=docker(logs=[log("web", 20)]),
        ),
        wal(),
        ["container_logs", "deleted_open_files"],
        ["truncate_container_logs"],
    ),
    "a stuck slot": (
        disks(FULL, postgres=postgres(20)),
        wal(slots=[slot()]),
        ["stuck_replication_slot"],
        ["drop_replication_slot"],
    ),
    "a slot stays as long as something harmless helps": (
        disks(FULL, postgres=postgres(20), docker=docker(logs=[log("web", 2)])),
        wal(slots=[slot()]),
        ["container_logs", "stuck_replication_slot"],
        ["truncate_container_logs"],
    ),
    "a slot in use": (disks(FULL, postgres=postgres(20)), wal(slots=[slot(active=True)]), ["wal_growth"], []),
    "a slot that keeps little": (disks(FULL, postgres=postgres(20)), wal(slots=[slot(size=0.1)]), ["wal_growth"], []),
    "a stuck slot of another server": (
        disks(FULL, postgres=postgres(20, identifier="1")),
        wal(slots=[slot()]),
        ["wal_growth", "growth"],
        [],
    ),
    "a stuck slot, its log is elsewhere": (disks(FULL), wal(slots=[slot()]), ["growth"], []),
    "the archiver fails": (
        disks(FULL, postgres=postgres(20)),
        wal(
            archiver={"failing": True, "failed_count": 7, "last_failed_wal": "00000001"},
            settings={"archive_mode": "on"},
        ),
        ["archiver_failing"],
        [],
    ),
    "archiving was turned off since": (
        disks(FULL, postgres=postgres(20)),
        wal(archiver={"failing": True, "failed_count": 7, "last_failed_wal": "00000001"}),
        ["wal_growth"],
        [],
    ),
    "data grows": (disks(FULL), wal(), ["growth"], []),
    "data grows, no Docker here": (disks(FULL, docker=NO_DOCKER), wal(), ["growth"], []),
    "inodes": (disks(INODES), wal(), ["inodes"], []),
    "what frees no inode does not help": (
        disks(INODES, docker=docker(logs=[log("web", 20)], images=IMAGES), journal=JOURNAL),
        wal(),
        ["inodes"],
        [],
    ),
    "rotated logs free inodes": (
        disks(INODES, rotated_logs=files(file("/var/log/a.1", 0.1))),
        wal(),
        ["rotated_logs", "inodes"],
        ["delete_rotated_logs"],
    ),
}


def concluded(diagnose, measured: dict[str, Any], database: dict[str, Any], **variables: Any) -> dict[str, Any]:
    observed = {"filesystem": measured, "postgres_wal": database, "service": SERVICES}
    return diagnose("disk_full", observed, **{**SYSTEM, **variables})


@pytest.mark.parametrize("measured", MEASURED_CONCLUDED.values(), ids=MEASURED_CONCLUDED)
def test_measured_concluded(diagnose, measured):
    found, database, expected, acted = measured
    result = concluded(diagnose, found, database)
    assert causes_that_are(result, "problem") == expected
    assert steps_that_act(result) == acted
    assert result["status"] == ("problem" if expected else "healthy")
    assert "not available:" not in str(result["findings"])


MISSING = {
    # name: (disks, wal, problems, unknown causes among)
    "no filesystem can be seen": (
        {"available": False, "reason": "/proc/self/mountinfo cannot be read"},
        wal(),
        [],
        {"growth", "container_logs", "read_only_filesystem"},
    ),
    "one of them hangs": (disks(filesystem(), complete=False), wal(), [], {"growth", "container_logs", "inodes"}),
    "Docker hangs on a full one": (
        disks(FULL, docker=HANGS),
        wal(),
        ["growth"],
        {"container_logs", "build_cache", "dangling_images"},
    ),
    "no other user's processes": (
        disks(FULL, deleted_open={"complete": False, "files": []}, postgres={"complete": False, "servers": []}),
        wal(),
        ["growth"],
        {"deleted_open_files", "stuck_replication_slot", "archiver_failing"},
    ),
    "the database does not answer": (
        disks(FULL, postgres=postgres(20)),
        NO_DATABASE,
        ["growth"],
        {"stuck_replication_slot", "archiver_failing", "wal_growth"},
    ),
    "Docker hangs, and backups have expired": (
        disks(FULL, docker=HANGS, backups=files(file("/backup/1.dump", 20))),
        wal(),
        ["expired_backups"],
        {"container_logs"},
    ),
    "a folder of logs cannot be read": (
        disks(FULL, rotated_logs=files(complete=False)),
        wal(),
        ["growth"],
        {"rotated_logs"},
    ),
}


@pytest.mark.parametrize("measured", MISSING.values(), ids=MISSING)
def test_what_could_not_be_measured_is_unknown_and_starts_nothing(diagnose, measured):
    found, database, expected, unknown = measured
    result = concluded(diagnose, found, database)
    assert causes_that_are(result, "problem") == expected
    assert unknown <= set(causes_that_are(result, "unknown"))
    assert result["status"] == ("problem" if expected else "unknown")
    assert steps_that_act(result) == []


def test_without_a_database_nothing_of_it_is_asked(diagnose):
    observed = {"filesystem": disks(FULL, docker=docker(logs=[log("web", 20)])), "service": SERVICES}
    result = diagnose("disk_full", observed, system_services=SYSTEM["system_services"])
    assert causes_that_are(result, "problem") == ["container_logs"]
    assert steps_that_act(result) == ["truncate_container_logs"]


def test_the_plan_names_exactly_what_it_touches_and_nothing_that_grows(diagnose):
    def plan(size: float) -> dict[str, Any]:
        return concluded(diagnose, disks(FULL, docker=docker(logs=[log("web", size), log("api", 13)])), wal())["plan"]

    (step,) = plan(20)["steps"]
    assert [target["name"] for target in step["targets"]] == ["api", "web"]
    assert all(set(target) == {"path", "container", "name", "device", "inode"} for target in step["targets"])
    assert plan(20)["hash"] == plan(30)["hash"]


@pytest.mark.parametrize(("pid", "risk"), [(100, "medium"), (200, "high")])
def test_a_database_is_not_restarted_without_a_person(diagnose, pid, risk):
    found = disks(FULL, deleted_open={"complete": True, "files": [held("/x", 20, pid)]})
    (step,) = concluded(diagnose, found, wal())["plan"]["steps"]
    assert step["risk"] == risk


def test_only_the_service_that_holds_most_is_restarted(diagnose):
    rows = [held("/x", 5, 100), held("/y", 10, 200), held("/z", 30, 555)]
    (step,) = concluded(diagnose, disks(FULL, deleted_open={"complete": True, "files": rows}), wal())["plan"]["steps"]
    assert [(target["service"], target["path"]) for target in step["targets"]] == [("database", "/y")]


def test_a_folder_that_was_not_seen_in_time_is_said_to_be_that(diagnose):
    nothing = {"mount": "/", "complete": False, "denied": 0, "bytes": [], "entries": []}
    result = concluded(diagnose, disks(FULL, largest=[nothing]), wal())
    (finding,) = [one for one in result["findings"] if one["status"] == "problem"]
    assert "Largest: a folder that was not seen in time" in finding["summary"]
    assert "Data grows in a folder that was not seen in time: move it" in str(finding["advice"])


def test_a_slot_is_dropped_by_a_person_and_its_command_is_named(diagnose):
    result = concluded(diagnose, disks(FULL, postgres=postgres(20)), wal(slots=[slot()]))
    (finding,) = [one for one in result["findings"] if one["status"] == "problem"]
    assert "SELECT pg_drop_replication_slot('old_standby');" in str(finding["advice"])
    (step,) = result["plan"]["steps"]
    assert step["targets"] == [{"name": "old_standby", "restart_lsn": "0/3000028"}]
    assert step["risk"] == "high"


def test_the_archiver_s_own_words_are_passed_on(diagnose):
    archiver = {"failing": True, "failed_count": 7, "last_failed_wal": "000000010000000000000003"}
    found = wal(archiver=archiver, settings={"archive_mode": "on"})
    result = concluded(diagnose, disks(FULL, postgres=postgres(20)), found)
    (finding,) = [one for one in result["findings"] if one["status"] == "problem"]
    assert "000000010000000000000003" in finding["summary"]
    assert "archive command failed with exit code 1" in finding["advice"][0]


@pytest.mark.parametrize(
    ("database", "server", "reason"),
    [
        (wal(), postgres(20), "no slot and no archiver keeps it"),
        (
            wal(settings={"archive_mode": "on"}),
            postgres(20),
            "hangs if the log is far beyond what it archived last (nothing)",
        ),
        (wal(slots=[slot(active=True)]), postgres(20), "the replication slot old_standby is in use, and its reader is"),
        (wal(slots=[slot(active=True)]), postgres(20, identifier="1"), "nobody was asked why"),
        (wal(slots=[slot(active=True, size=0.1)]), postgres(20), "no slot and no archiver keeps it"),
    ],
)
def test_nobody_is_cleared_who_keeps_the_log(diagnose, database, server, reason):
    result = concluded(diagnose, disks(FULL, postgres=server), database)
    (finding,) = [one for one in result["findings"] if one["cause"] == "wal_growth"]
    assert reason in finding["summary"]


def test_what_fills_it_is_named(diagnose):
    result = concluded(diagnose, disks(FULL), wal())
    assert "/ is 93% full" in result["msg"]
    assert "/srv/data" in result["msg"]


def test_text_from_outside_is_never_a_template(diagnose):
    evil = "{{ lookup('pipe', 'id') }} {0} {path}"
    result = concluded(diagnose, disks(FULL, docker=docker(logs=[log(evil, 20)])), wal())
    (finding,) = [one for one in result["findings"] if one["status"] == "problem"]
    assert evil in finding["summary"]


def container(used: int | None = 0, *errors: str, **changes: Any) -> dict[str, Any]:
    """A container with the shared memory that an engine gives."""
    size = None if used is None else 64 * 1024 * 1024
    told = [{"count": 1, "line": "x", "last": error} for error in errors]
    return {
        "available": True, "manager": "compose", "pid": 300, "log_tail_errors": told, "shared_memory_bytes": size,
        "shared_memory_used_bytes": None if used is None else used * 1024 * 1024, **changes,
    }  # fmt: skip


SAYS = (
    'ERROR:  could not resize shared memory segment "/PostgreSQL.1276397638" to 4194304 bytes: No space left on device'
)
IN_CONTAINERS = {
    # name: (the containers, problems, whether all was looked at)
    "room": ({"db": container(1)}, [], True),
    "full": ({"db": container(64), "web": container()}, ["shared_memory"], True),
    "nearly full": ({"db": container(54)}, [], True),
    "statements find no room": ({"db": container(1, SAYS)}, ["shared_memory"], True),
    "statements find no room, and it cannot be seen": ({"db": container(None, SAYS)}, ["shared_memory"], False),
    "its disk has no room, as it says": ({"db": container(1, "ENOSPC: no space left on device, write")}, [], True),
    "it cannot be seen": ({"db": container(1), "web": container(None)}, [], False),
    "a container cannot be seen": (
        {"db": {"available": False, "manager": "compose", "reason": "no engine"}, "w": container()},
        [],
        False,
    ),
}


@pytest.mark.parametrize("measured", IN_CONTAINERS)
def test_shared_memory_of_containers(diagnose, measured):
    services, problems, seen = IN_CONTAINERS[measured]
    observed = {"available": True, "services": services}
    result = diagnose(
        "disk_full", {"filesystem": disks(filesystem()), "postgres_wal": wal(), "service": observed}, **SYSTEM
    )
    assert causes_that_are(result, "problem") == problems, result["msg"]
    assert not result["plan"]["steps"] and result["status"] == ("problem" if problems else "healthy")
    line = "whether filesystems that only a container has, such as its /dev/shm, have room"
    assert (line not in result["not_looked_at"]) is seen


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_measured_concluded[room enough]"
WRONG_CAUSE_ROW = "test_measured_concluded[data grows]"
NO_TELEMETRY_ROW = "test_what_could_not_be_measured_is_unknown_and_starts_nothing[no filesystem can be seen]"
