# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container, and the service of the inventory, that a process which holds a port belongs to."""

from __future__ import annotations

from ..host.process_identity import environment_of
from .sockets import are_in_the_way

# They listen on the host in the place of a container that publishes the port.
PROXIES = ("docker-proxy", "dockerd", "rootlesskit", "rootlessport")


class Containers:
    """The containers of this host, asked for at the first process that needs them.

    Args:
        deadline: a ``Deadline``.
    """

    def __init__(self, deadline):
        self._deadline = deadline
        self._known = None
        self._trouble = ""

    def of(self, process, container_id, port, addresses):
        """The container of a process.

        Args:
            process: of ``read_process``.
            container_id: of its cgroup, or None.
            port: the port it holds, by which the container behind a proxy is found.
            addresses: those it holds it on; two containers can publish one port on two addresses.

        Returns:
            A pair: None, or a dict ``id``, ``name`` and ``labels``; and why it could not be told, or "".
        """
        is_proxy = process["program"] in PROXIES
        if not container_id and not is_proxy:
            return None, ""
        known = self._all()
        if self._trouble:
            return None, f"which stands for a container that cannot be named: {self._trouble}"
        if container_id:
            for one in known:
                if one["id"] == container_id:
                    return one, ""
            return None, f"which runs in the container {container_id[:12]}, unknown to the Docker Engine"
        # None is what a container that is gone has left behind.
        return behind_proxy(known, port, addresses), ""

    def _all(self):
        if self._known is None:
            from ..docker.engine import Engine, EngineError

            try:
                answer = Engine("", self._deadline).get("/containers/json")
                self._known = [parse_container(one) for one in answer]
            except (EngineError, KeyError, IndexError, TypeError, AttributeError) as error:
                self._known, self._trouble = [], str(error)
        return self._known


def parse_container(one):
    """One in the engine's list.

    Returns:
        ``id``, ``name``, ``labels``, ``published`` (TCP ports of the host) and ``published_on`` (address and port of each).
    """
    bound = [p for p in one["Ports"] if p.get("PublicPort") and p.get("Type") == "tcp"]
    return {
        "id": one["Id"],
        "name": one["Names"][0].lstrip("/"),
        "labels": one.get("Labels") or {},
        "published": sorted({p["PublicPort"] for p in bound}),
        "published_on": sorted(
            [address, port] for address, port in {(p.get("IP") or "", p["PublicPort"]) for p in bound}
        ),
    }


def behind_proxy(containers, port, addresses):
    """The one of ``containers`` in whose place a proxy listens on a port of some addresses, or None."""
    for same in (lambda own, other: own == other, are_in_the_way):
        for one in containers:
            published = [address for address, number in one["published_on"] if number == port]
            if any(same(held, address) for held in addresses for address in published):
                return one
    return None


def service_of(process, unit, container, services):
    """The service of the inventory that a process was started as, whether or not its manager still knows it.

    Args:
        process: of ``read_process``.
        unit: its systemd unit, or None.
        container: of :meth:`Containers.of`.
        services: ``system_services``.

    Returns:
        A pair: its key, or None; and why it could not be told, or "".
    """
    trouble = ""
    for key, service in services.items():
        manager = service.get("manager") if isinstance(service, dict) else None
        if container:
            is_it = (manager == "docker" and service.get("name") in (container["name"], container["id"])) or (
                manager == "compose" and is_of_compose_service(container["labels"], key, service)
            )
        elif manager == "systemd":
            is_it = unit is not None and unit_name(service.get("name")) == unit
        elif manager == "supervisor":
            environment = environment_of(process["pid"])
            if environment is None:
                trouble = "whose environment cannot be read, to tell whether it is a service's own: run with become"
            is_it = bool(environment) and is_of_program(environment, service)
        else:
            is_it = False
        if is_it:
            return str(key), ""
    return None, trouble


def unit_name(name):
    """The full name of a service's unit."""
    name = str(name)
    return name if name.endswith(".service") else f"{name}.service"


def is_of_compose_service(labels, key, service):
    """Whether a container with these labels is one that Compose runs for a service of the inventory."""
    from ..docker import compose_project

    label = compose_project.LABEL
    # `docker compose run` makes one-off containers of a service, which are not the service.
    if labels.get(label + "service") != str(service.get("name") or key) or labels.get(label + "oneoff") == "True":
        return False
    try:
        project = compose_project.project_of(service, [labels], compose_project.files_of(service))
    except compose_project.ProjectError:
        return False
    return labels.get(label + "project") == project


def is_of_program(environment, service):
    """Whether a process with this environment was started by a service's supervisord as that program."""
    from ..supervisor.server import SupervisorError, server_from_config

    group, name = environment.get("SUPERVISOR_GROUP_NAME", ""), environment.get("SUPERVISOR_PROCESS_NAME", "")
    if str(service.get("name")) not in ((name,) if group == name else (f"{group}:{name}",)):
        return False
    try:
        url = server_from_config(str(service.get("config")))["url"]
    except SupervisorError:
        return False
    return _server(url) == _server(environment.get("SUPERVISOR_SERVER_URL", ""))


def _server(url):
    # supervisord tells its programs http://localhost where its configuration has another name for this host.
    return url if url.startswith("unix:") else url.rpartition(":")[2].rstrip("/")
