#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what status pages say of the component that matters."""

from __future__ import annotations

DOCUMENTATION = r"""
module: status_page_info
version_added: 0.2.0
short_description: Tell what status pages say of the component that matters
description:
  - Asks the status pages of others, all at once, for one component each, and gives its status in one vocabulary. What a page says
    of itself as a whole does not count.
  - A page that cannot be read, is stale, sends elsewhere or does not have the component makes the status C(unknown), with the reason.
    Never C(operational).
  - The managed host fetches, and the controller reads. C(kind=jmespath) needs the Python library C(jmespath) there.
  - Names of incidents are data of one line and limited length; no template in them is ever evaluated.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.status_page
"""

EXAMPLES = r"""
- name: Is it the mail provider
  oncall.runbooks.status_page_info:
    pages:
      mail: {url: "https://status.mail.example", kind: statuspage, component: Mail / API}
      payments: {url: "https://status.payments.example", kind: better_stack, component: Webhooks}
      crm:
        url: https://crm.example/health/public.json
        kind: jmespath
        status: services[?id=='sync'].state | [0]
        words: {green: operational, yellow: degraded, red: major_outage}
        updated_at: generated
  register: told

- name: Say what is open
  ansible.builtin.debug:
    msg: "{{ told.pages.mail.status }}: {{ told.pages.mail.incidents | map(attribute='name') | join(', ') }}"
"""

RETURN = r"""
available: {description: Whether the status of at least one component is known., returned: always, type: bool}
reason: {description: "Why none is, in one line.", returned: when available is false, type: str}
complete: {description: Whether the status of every component and its open incidents are known., returned: always, type: bool}
unknown: {description: Names of the pages whose component has an unknown status., returned: always, type: list, elements: str}
limits:
  description: "What is not known and why, besides RV(reason), each with the name of its page."
  returned: always
  type: list
  elements: str
pages:
  description: Each page by its name.
  returned: always
  type: dict
  contains:
    available: {description: Whether the status of the component is known., type: bool}
    reason: {description: "Why it is not, in one line.", type: str, returned: when available is false}
    status:
      description: >-
        C(operational), C(degraded), C(partial_outage), C(major_outage), C(maintenance), or C(unknown) where RV(pages.available) is
        false.
      type: str
    component: {description: "The component, as the page calls it where it was found.", type: str}
    url: {description: "The page, without user, password and query.", type: str}
    incidents:
      description: Open incidents and maintenances that name the component, at most 20.
      type: list
      elements: dict
      contains:
        name: {description: "Its title, at most 200 characters.", type: str}
        status: {description: "How far it is, in the page's own word, such as C(investigating).", type: str}
        impact: {description: "In the page's own word, such as C(minor); C(maintenance) of a maintenance.", type: str}
        url: {description: "Where to read on, or empty.", type: str}
        started_at: {description: "Since when, in seconds since 1970, or null.", type: float}
        updated_at: {description: "When it was written on, in seconds since 1970, or null.", type: float}
    incidents_elsewhere:
      description: How many other incidents and maintenances are open on the page. Null where that is not seen.
      type: int
    age_seconds:
      description: >-
        Seconds since the page was written, as it says itself, or null where it does not. For C(statuspage) since anything on it
        changed last, for C(better_stack) since the end of the last day that the history of the component tells of.
      type: float
    milliseconds: {description: Milliseconds until its whole answer was there or until it was given up., type: float}
    complete: {description: Whether status and open incidents are known., type: bool}
    limits: {description: "What is not, and why.", type: list, elements: str}
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import status_page


def main():
    """Run the module."""
    run(status_page)


if __name__ == "__main__":
    main()
