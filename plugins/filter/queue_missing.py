# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter queue_missing."""

from __future__ import annotations

from ..plugin_utils.verbs import QUEUE, missing_for

DOCUMENTATION = r"""
name: queue_missing
short_description: Say why a queue cannot do something
version_added: "0.2.0"
author: "oncall.runbooks maintainers (@oncall-runbooks)"
description:
  - Looks up in the C(verbs.yml) of an engine what it can do, and what the inventory must say about the queue.
  - Nothing is tried, and nothing is asked on the managed host.
positional: queue_name, verb, engines_directory
options:
  _input:
    description: The queues of the system, C(system_queues).
    type: dict
    required: true
  queue_name:
    description: The key of the queue.
    type: str
    required: true
  verb:
    description: What it is to do.
    type: str
    required: true
  engines_directory:
    description: The folder that holds one folder for each engine.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Is there a way to have the failed jobs of a queue run again
  ansible.builtin.debug:
    msg: "{{ system_queues | oncall.runbooks.queue_missing('mail', 'retry', role_path ~ '/engines') }}"
"""

RETURN = r"""
_value:
  description: An empty string where nothing is missing, otherwise one line that says what is.
  type: str
"""


def queue_missing(queues, queue_name, verb, engines_directory):
    """See ``missing_for``."""
    return missing_for(QUEUE, engines_directory, queues, queue_name, verb)


class FilterModule:
    """Ansible's way to find filters."""

    def filters(self):
        """The filters of this file, by name."""
        return {"queue_missing": queue_missing}
