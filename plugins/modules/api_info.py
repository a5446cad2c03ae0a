#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what HTTP APIs of applications say, in fields that the inventory names."""

from __future__ import annotations

DOCUMENTATION = r"""
module: api_info
version_added: 0.2.0
short_description: Read what HTTP APIs of applications say, in fields that the inventory names
description:
  - Asks all APIs at once, and returns of each exactly the fields that JMESPath expressions find in its answer. Nothing else of an
    answer is returned, recorded or shown.
  - The managed host fetches, and the controller evaluates, with the Python library C(jmespath). Where the controller does not have
    it, nothing is fetched and RV(reason) says so.
  - An expression that is none fails before anything is fetched, and is told with its place, down to the column.
  - At most 5 MB of an answer are read. A redirect to another host is not followed. Of a list, 500 things are read.
  - Texts become one line of at most 300 characters in which what looks like a password is masked. They are data; no template in
    them is ever evaluated.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.api
"""

EXAMPLES = r"""
- name: See how the connectors get on
  oncall.runbooks.api_info:
    apis:
      crm:
        url: https://api.example.com/internal/connectors
        auth: {bearer: "{{ vault_api_token }}"}
        list: connectors[?enabled]
        fields: {name: name, last_success: sync.last_success_at, failures: sync.consecutive_failures}
        types: {last_success: time, failures: int}
      connect:
        url: http://connect.example.com:8083/connectors?expand=status
        # An object: its entries are the things.
        list: "@"
        fields: {name: key, state: value.status.connector.state, tasks: "value.status.tasks[].state"}
  register: seen

- name: Name those that fail
  ansible.builtin.debug:
    msg: "{{ seen.apis.crm.things | selectattr('failures', 'gt', 3) | map(attribute='name') }}"
"""

RETURN = r"""
available: {description: Whether at least one API could be read., returned: always, type: bool}
reason: {description: "Why none could, in one line.", returned: when available is false, type: str}
complete: {description: Whether every field of every thing of every API was read., returned: always, type: bool}
unknown: {description: Names of the APIs that could not be read., returned: always, type: list, elements: str}
limits:
  description: "What was not read and why, besides RV(reason), each with the name of its API."
  returned: always
  type: list
  elements: str
apis:
  description: Each API by its name.
  returned: always
  type: dict
  contains:
    available: {description: Whether it could be read., type: bool}
    reason: {description: "Why it could not, in one line.", type: str, returned: when available is false}
    error:
      description: >-
        What kept it from being read: C(dns), C(refused), C(unreachable), C(timeout), C(tls), C(reset), C(redirect), C(too_large),
        C(protocol), C(bad_status), C(html) or C(bad_json).
      type: str
      returned: when available is false
    status: {description: "The status of its answer, or null where there was none.", type: int}
    milliseconds: {description: Milliseconds until its whole answer was there or until it was given up., type: float}
    retry_after_seconds:
      description: Seconds that the server asks to wait (C(Retry-After)).
      type: float
      returned: where it says so
    things:
      description: >-
        A dictionary for each thing, or one for the document where there is no C(list), with exactly the fields named. A field
        that is not there, or not of its type, is null. A field can be a list of single values, of at most 50.
      type: list
      elements: dict
    total: {description: "How many things the answer has. More than 500 are not read. Null where it could not be read.", type: int}
    complete: {description: Whether all things were read and all fields that are there are of their type., type: bool}
    limits: {description: "What was not read, and why.", type: list, elements: str}
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import api


def main():
    """Run the module."""
    run(api)


if __name__ == "__main__":
    main()
