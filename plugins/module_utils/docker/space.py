# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Docker keeps on disk: logs of containers, dangling images, the build cache, volumes."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ..deadline import DeadlineExceeded, all_within
from ..text.one_line import one_line
from .engine import Engine, EngineError

LISTED = 10


def look(docker_host, image_hours, deadline):
    """What the engine keeps, without what is in use.

    Args:
        docker_host: where it listens, or empty for the usual place.
        image_hours: younger images may belong to a build that goes on.
        deadline: when to stop.

    Returns:
        ``available`` with ``root`` (its folder), ``logs`` (json-file logs, the largest first), ``logs_unknown`` (a line for each
        that cannot be seen), ``images`` (dangling and used by no container), ``build_cache`` and ``volumes`` (each ``available``
        or not by itself: their sizes take long); or ``available: false``, ``reason`` and ``absent``: whether there is no engine
        here at all.
    """
    try:
        engine = Engine(docker_host, deadline)
    except EngineError as error:
        return {"available": False, "absent": False, "reason": str(error)}
    try:
        root = engine.get("/info").get("DockerRootDir") or "/var/lib/docker"
        containers, images = engine.get("/containers/json", all=1), engine.get("/images/json")
        if not (isinstance(containers, list) and isinstance(images, list)):
            raise TypeError("no lists of containers and images")
        # Asked for at once: one after the other, a hundred containers would take the whole time.
        paths = ["/containers/" + one["Id"] + "/json" for one in containers] + ["/system/df"]
        left = deadline.remaining_seconds()
        *inspected, usage = all_within(left, [lambda path=path: engine.get(path) for path in paths])
        kept = dict(
            _logs(inspected), images=dangling(images, containers, time.time() - 3600 * image_hours), **_usage(usage)
        )
    except (EngineError, DeadlineExceeded) as error:
        absent = not any(Path(path).exists() for path in (engine.socket_path, "/var/lib/docker"))
        return {"available": False, "absent": absent, "reason": one_line(error)}
    except (AttributeError, KeyError, TypeError) as error:
        reason = f"what listens at {engine.socket_path} does not answer as a Docker Engine does ({one_line(error)})"
        return {"available": False, "absent": False, "reason": reason}
    return dict(kept, available=True, absent=False, root=root)


def _logs(inspected):
    logs, unknown = [], []
    for one in inspected:
        # A container that was removed meanwhile has no log any more.
        if isinstance(one, EngineError) and one.status == 404:
            continue
        if isinstance(one, Exception):
            unknown.append(one_line(one))
        elif log_of(one):
            try:
                status = os.lstat(one["LogPath"])
            except FileNotFoundError:
                continue
            except OSError as error:
                unknown.append(f"the log of container {one['Name'].lstrip('/')}: {error.strerror}")
                continue
            logs.append(dict(log_of(one), bytes=status.st_blocks * 512, device=status.st_dev, inode=status.st_ino))
    return {"logs": sorted(logs, key=lambda log: -log["bytes"]), "logs_unknown": unknown}


def log_of(container):
    """Container, name and path of a log that may be cut, from what the engine says of a container. Pure.

    None for other drivers: theirs are no lines of text, or not here.
    """
    driver = ((container.get("HostConfig") or {}).get("LogConfig") or {}).get("Type")
    if driver != "json-file" or not container.get("LogPath"):
        return None
    return {"container": container["Id"], "name": container["Name"].lstrip("/"), "path": container["LogPath"]}


def dangling(images, containers, before_seconds):
    """The images without any name, made before then, that no container uses, running or not. Pure.

    An image that was pulled by its digest has a name: prune would take it, and a deployment would miss it.
    """
    used = {container["ImageID"] for container in containers}
    return [
        {"id": one["Id"], "bytes": one["Size"], "created_seconds": one["Created"]}
        for one in images
        if not named(one) and one["Id"] not in used and one["Created"] < before_seconds
    ]


def named(image):
    """Whether an image has a tag or a digest, by the engine's answer. Pure."""
    names = [*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())]
    return any(not name.startswith("<none>") for name in names)


def _usage(usage):
    if isinstance(usage, Exception):
        unknown = {"available": False, "reason": one_line(usage)}
        return {"build_cache": unknown, "volumes": unknown}
    cache = [one for one in usage.get("BuildCache") or () if not one.get("InUse")]
    volumes = [
        {"name": one["Name"], "bytes": (one.get("UsageData") or {}).get("Size", -1)}
        for one in usage.get("Volumes") or ()
    ]
    return {
        "build_cache": {"available": True, "bytes": sum(one.get("Size") or 0 for one in cache)},
        "volumes": {"available": True, "largest": sorted(volumes, key=lambda one: -one["bytes"])[:LISTED]},
    }
