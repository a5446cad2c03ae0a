# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter endpoints_of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: endpoints_of
short_description: The metrics endpoints of a service, each replica by name
version_added: "0.2.0"
author: "oncall.runbooks maintainers (@oncall-runbooks)"
description:
  - Reads what O(_input) says of a service, a URL, or a dictionary or a list of the URLs of its replicas, and names each.
positional: service, required
options:
  _input:
    description: C(system_endpoints) of an inventory.
    type: dict
    required: true
  service:
    description: The service. Without it, those of all services.
    type: str
    default: ""
  required:
    description: Whether it is an error where O(_input) does not have the service.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Every replica of the service web, as {'web-1':'http://10.0.0.1:8080/metrics','web-2':'http://10.0.0.2:8080/metrics'}
  ansible.builtin.debug:
    msg: "{{ {'web': ['http://10.0.0.1:8080/metrics', 'http://10.0.0.2:8080/metrics']} | oncall.runbooks.endpoints_of('web') }}"
"""

RETURN = r"""
_value:
  description: >-
    A URL by name. The only endpoint of a service has the service's name. The replicas of a dictionary keep their names; those of a
    list are the service's name and their number.
  type: dict
"""


def endpoints_of(said: Any, service: str = "", required: bool = False) -> dict[str, str]:
    """The endpoints; see above."""
    if not isinstance(said, Mapping):
        raise AnsibleFilterError("system_endpoints has to be a dictionary of services, each with the URL of its metrics")
    if not service:
        found: dict[str, str] = {}
        for name, urls in said.items():
            for replica, url in _named(name, urls).items():
                if replica in found:
                    raise AnsibleFilterError(f"system_endpoints has two endpoints {replica}: give each replica a name of its own")
                found[replica] = url
        return found
    if not said.get(service):
        if required:
            raise AnsibleFilterError(
                f"system_endpoints has no {service}: give the URL of its metrics, or say with system_roles: {{api: NAME}} "
                "which service it is that users ask"
            )
        return {}
    return _named(service, said[service])


def _named(service: str, urls: Any) -> dict[str, str]:
    if isinstance(urls, Mapping):
        named = {str(replica): url for replica, url in urls.items()}
    elif isinstance(urls, (list, tuple)):
        named = {f"{service}-{number}": url for number, url in enumerate(urls, 1)}
    else:
        named = {service: urls}
    if not named or not all(isinstance(url, str) for url in named.values()):
        raise AnsibleFilterError(
            f"system_endpoints.{service} has to be a URL, or a dictionary or a list of the URLs of its replicas"
        )
    return named


class FilterModule:
    """Ansible's way to find filters."""

    def filters(self) -> dict[str, Any]:
        """The filters of this file, by name."""
        return {"endpoints_of": endpoints_of}
