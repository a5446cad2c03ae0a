# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which containers belong to a service of a Docker Compose project."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..text.one_line import one_line

LABEL = "com.docker.compose."
FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_FILE_LIMIT_BYTES = 1024 * 1024
_NAME = re.compile(r"^name:[ \t]*[\"']?([a-z0-9][a-z0-9_-]*)[\"']?[ \t]*(?:#.*)?$", re.MULTILINE)
_VARIABLE = re.compile(r"^[ \t]*(?:export[ \t]+)?COMPOSE_PROJECT_NAME[ \t]*=[ \t]*[\"']?([^\s\"'#]+)", re.MULTILINE)


class ProjectError(Exception):
    """The project cannot be found; the text is one line."""


def files_of(service):
    """The paths of a project's files.

    Raises:
        ProjectError: the folder, or a file, is not there.
    """
    folder = Path(str(service["project"]))
    if not folder.is_dir():
        raise ProjectError(f"the folder {folder} of its Compose project does not exist: check project")
    if service.get("files"):
        paths = [folder / str(file) for file in service["files"]]
    else:
        paths = [folder / file for file in FILES if (folder / file).is_file()][:1]
        if not paths:
            raise ProjectError(f"{folder} has no {', '.join(FILES[:-1])} or {FILES[-1]}: check project, or set files")
    for path in paths:
        if not path.is_file():
            raise ProjectError(f"the Compose file {path} does not exist: check files")
    return paths


def derived_name(folder, environment, compose_file):
    """The name that Compose gives a project nobody named on its command line.

    Args:
        folder: the path of the project's folder.
        environment: the text of its ``.env``.
        compose_file: the text of its Compose file. Only a ``name:`` without variables is understood.
    """
    match = _VARIABLE.search(environment) or _NAME.search(compose_file)
    if match:
        return match.group(1)
    return re.sub(r"[^-_a-z0-9]", "", Path(folder).name.lower()).lstrip("_-")


def project_of(service, labels, paths):
    """The name of the project a service belongs to.

    The name in the inventory, else that of the containers which Compose started from this folder, else what Compose
    would derive.

    Args:
        service: what the inventory says.
        labels: the labels of all containers of Compose, a list of dicts.
        paths: what :func:`files_of` returned.

    Raises:
        ProjectError: several projects were started from the folder.
    """
    if service.get("project_name"):
        return str(service["project_name"])
    folder = os.path.realpath(str(service["project"]))
    derived = derived_name(folder, _text(Path(folder, ".env")), _text(paths[0]))
    started = {
        label.get(LABEL + "project", "")
        for label in labels
        if os.path.realpath(label.get(LABEL + "project.working_dir") or "/") == folder
    }
    if not started or derived in started:
        return derived
    if len(started) > 1:
        raise ProjectError(f"several projects run from {folder}: {', '.join(sorted(started))}: set project_name")
    return started.pop()


def dependencies(labels):
    """``(service, condition)`` of what a container's service needs, from its labels; None where they do not say."""
    text = labels.get(LABEL + "depends_on")
    if text is None:
        return None
    parts = [part.split(":") for part in text.split(",") if part]
    return [(part[0], part[1] if len(part) > 1 else "service_started") for part in parts]


def command(service, docker_host, project_name, *arguments):
    """The argument list of a ``docker compose`` for this project."""
    argv = ["docker", "--host", docker_host, "compose", "--project-directory", str(service["project"])]
    argv += ["--project-name", project_name]
    for file in service.get("files") or []:
        argv += ["--file", str(Path(str(service["project"]), str(file)))]
    return [*argv, *arguments]


def why_absent(name, project_name, ended):
    """Why a service has no container, from the end of ``docker compose config --services``.

    Args:
        name: the service.
        project_name: of its project.
        ended: what ``run_command.run`` returned.

    Returns:
        Whether the file can be read and has the service, and one line.
    """
    from difflib import get_close_matches

    if ended["error"] or ended["exit_code"] != 0:
        from ..run_command import failure

        return False, f"has no container, and its Compose file cannot be read: {failure(['docker'], ended, 0)}"
    services = sorted(line.strip() for line in ended["stdout"].splitlines() if line.strip())
    if name in services:
        return True, f"the project {project_name} has no container of the service {name}"
    near = get_close_matches(name, services, n=5, cutoff=0.4)
    known = near + [other for other in services if other not in near]
    listed = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "") if known else "none"
    return False, one_line(f"the project {project_name} has no service {one_line(name)}; it has: {listed}")


def _text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_FILE_LIMIT_BYTES)
    except OSError:
        return ""
