#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command that operates a service."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_command
short_description: Run a command that operates a service
version_added: "0.1.0"
author: "oncall.runbooks maintainers (@oncall-runbooks)"
description:
  - Runs a program with its arguments, without a shell, for at most O(timeout_seconds), and fails with one line
    that names the program but not its arguments.
  - The role P(oncall.runbooks.service#role) runs the commands of the inventory with it.
extends_documentation_fragment:
  - oncall.runbooks.service.attributes
attributes:
  check_mode:
    support: full
    details: The program is not run; the task is reported as changed.
  diff_mode:
    support: none
options:
  argv:
    description: The program, then one item for each argument.
    type: list
    elements: str
    required: true
  placeholders:
    description:
      - What to put in the place of C({name}) and the like, inside single items of O(argv). It is not split, and
        not searched for placeholders again.
      - Like every argument it can be read in the list of processes while the program runs, and in the output of
        C(ansible-playbook -vvv).
    type: dict
    default: {}
  beside_python:
    description:
      - Look for a program without a path in the folder of the Python that runs this module first, where a virtual
        environment keeps its programs, and then on the PATH.
    type: bool
    default: false
  timeout_seconds:
    description: After this time in seconds the program and what it started are killed.
    type: float
    default: 60
"""

EXAMPLES = r"""
- name: Have the platform run three of them
  oncall.runbooks.service_command:
    argv: [platform, scale, "web={replicas}"]
    placeholders:
      replicas: 3
    timeout_seconds: 120
"""

RETURN = r"""
last_line:
  description: The last line that the program printed on its standard output.
  returned: success
  type: str
  sample: "api: updated process group"
"""

import os
import sys
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.run_command import failure, last_line, run
from ..module_utils.services.command import with_placeholders

ARGUMENT_SPEC = {
    "argv": {"type": "list", "elements": "str", "required": True},
    "placeholders": {"type": "dict", "default": {}},
    "beside_python": {"type": "bool", "default": False},
    "timeout_seconds": {"type": "float", "default": 60},
}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    if not params["argv"]:
        module.fail_json(msg="argv is empty: name a program")
    if params["timeout_seconds"] <= 0:
        module.fail_json(msg="timeout_seconds must be above 0")
    if module.check_mode:
        module.exit_json(changed=True, last_line="")
    argv = with_placeholders(params["argv"], params["placeholders"])
    if params["beside_python"]:
        argv[0] = _beside_python(argv[0])
    ended = run(argv, params["timeout_seconds"])
    if ended["error"] or ended["exit_code"] != 0:
        module.fail_json(msg=failure(argv, ended, params["timeout_seconds"]))
    module.exit_json(changed=True, last_line=last_line(ended["stdout"]))


def _beside_python(program):
    candidate = Path(sys.executable).parent / program
    return str(candidate) if "/" not in program and os.access(str(candidate), os.X_OK) else program


if __name__ == "__main__":
    main()
