#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One variable in the file from which a manager takes the environment of a service."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_environment
short_description: Set one environment variable of a service in its configuration file
version_added: "0.1.0"
author: "oncall.runbooks maintainers (@oncall-runbooks)"
description:
  - Sets or removes one variable in the file from which a manager takes the environment of a service, in place.
    Every other line, comment and variable stays as it is.
  - What would be written is first read back by the rules of the manager. If anything but the one variable would
    read differently, the module fails and writes nothing.
  - The file is replaced in one step, with its mode and owner.
  - The value of a variable is never returned, logged or shown in a diff. A running service does not notice the
    change; see the role P(oncall.runbooks.service#role).
extends_documentation_fragment:
  - oncall.runbooks.service.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows the names of variables only.
options:
  path:
    description: The configuration file. Of a link, the file it leads to is changed.
    type: path
    required: true
  format:
    description:
      - The rules of the file. With V(supervisor), the variables are the C(environment) of a section.
      - With V(dotenv), each line is C(NAME=value), as in a C(.env) or an C(env_file) of Docker Compose.
      - With V(systemd), the file is an C(EnvironmentFile) of a unit, which knows no C(export) and no comment behind a value. What is
        written reads the same in every version of systemd.
    type: str
    choices: [supervisor, dotenv, systemd]
    default: supervisor
  section:
    description: The section without brackets, such as V(program:api). Required with O(format=supervisor).
    type: str
  unit:
    description:
      - With O(format=systemd), the unit that reads the file. The module fails where systemd says that the unit would not see the
        variable, because it does not read the file, a later file sets it as well, or C(UnsetEnvironment) takes it out.
    type: str
  name:
    description: The variable. Letters, digits and underscores, not beginning with a digit.
    type: str
    required: true
  value:
    description:
      - What to set, required with O(state=present).
      - It holds no control characters. supervisor knows no escapes, so a value cannot hold both kinds of quotes,
        begin or end with one, or hold a space followed by C(;) or C(#); the module fails on a value that does.
      - In a dotenv file it is written bare or in single quotes, so that nothing in it is replaced. The module fails on
        a value with a single quote or a backslash, which such files write in different ways.
    type: str
  url_parameter:
    description:
      - The variable holds a URL, such as C(postgres://user:password@host/db?connection_limit=5), and only this
        parameter of its query is set or removed. The rest of the URL stays as it is, to the letter.
    type: str
  state:
    description: Whether the variable, or the parameter, is to be there.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Let the pool have 35 connections
  oncall.runbooks.service_environment:
    path: /etc/supervisor/conf.d/api.conf
    section: program:api
    name: PG_POOL_MAX
    value: "35"

- name: The same where the limit is part of the database URL
  oncall.runbooks.service_environment:
    path: /etc/supervisor/conf.d/api.conf
    section: program:api
    name: DATABASE_URL
    url_parameter: connection_limit
    value: "35"

- name: And in a file that Docker Compose reads
  oncall.runbooks.service_environment:
    path: /srv/shop/api.env
    format: dotenv
    name: PG_POOL_MAX
    value: "35"
"""

RETURN = r"""
was_set:
  description: Whether the variable, or the parameter of the URL in it, was there before.
  returned: success
  type: bool
  sample: true
"""

import contextlib
import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.docker import dotenv_environment
from ..module_utils.file_in_one_step import put
from ..module_utils.run_command import run
from ..module_utils.services import systemd_environment
from ..module_utils.supervisor import environment as supervisor_environment
from ..module_utils.text.one_line import one_line
from ..module_utils.text.variable import CannotChange

ARGUMENT_SPEC = {
    "path": {"type": "path", "required": True},
    "format": {"type": "str", "choices": ["supervisor", "dotenv", "systemd"], "default": "supervisor"},
    "section": {"type": "str"},
    "unit": {"type": "str"},
    "name": {"type": "str", "required": True},
    "value": {"type": "str", "no_log": True},
    "url_parameter": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[("format", "supervisor", ("section",))],
        supports_check_mode=True,
    )
    params = module.params
    # required_if takes null for a value, and null would remove the variable.
    if params["state"] == "present" and params["value"] is None:
        module.fail_json(msg="value is missing: with state=present it is required")
    if params["url_parameter"] == "":
        module.fail_json(msg="url_parameter is empty: leave it out to set the whole variable")
    path = os.path.realpath(params["path"])
    try:
        text = Path(path).read_bytes().decode("utf-8", "surrogateescape")
        value = params["value"] if params["state"] == "present" else None
        what = (params["name"], value, params["url_parameter"])
        if params["format"] == "dotenv":
            outcome = dotenv_environment.changed(text, *what)
        elif params["format"] == "systemd":
            outcome = systemd_environment.changed(text, *what)
        else:
            outcome = supervisor_environment.changed(text, params["section"], *what)
        if params["format"] == "systemd" and params["unit"] and value is not None and not params["url_parameter"]:
            _check_unit(path, params)
        is_changed = outcome["text"] != text
        if is_changed and not module.check_mode:
            put(path, outcome["text"].encode("utf-8", "surrogateescape"))
    except CannotChange as error:
        module.fail_json(msg=one_line(f"cannot set {params['name']} in {params['path']}: {error}"))
    except OSError as error:
        reason = error.strerror or error
        module.fail_json(msg=one_line(f"cannot set {params['name']} in {params['path']}: {reason}"))
    result = {"changed": is_changed, "was_set": outcome["was_set"]}
    if module._diff:
        result["diff"] = _diff(params, outcome, is_changed)
    module.exit_json(**result)


def _check_unit(path, params):
    argv = ["systemctl", "show", "--no-pager", "--property=EnvironmentFiles,UnsetEnvironment", "--", params["unit"]]
    ended = run(argv, 10)
    if ended["error"] or ended["exit_code"] != 0:
        return  # the restart that follows says what is wrong with it
    texts = {}
    for line in ended["stdout"].splitlines():
        other = line.partition("=")[2].rpartition(" (")[0]
        with contextlib.suppress(OSError, ValueError):
            texts[other] = Path(other).read_bytes().decode("utf-8", "replace") if other.startswith("/") else ""
    paths = dict.fromkeys([params["path"], path])
    reasons = [
        systemd_environment.why_not_seen(ended["stdout"], each, params["name"], params["value"], texts)
        for each in paths
    ]
    # A unit may name the file or a link to it.
    if all(reasons):
        raise CannotChange(reasons[0])


def _diff(params, outcome, is_changed):
    def listed(names, is_after):
        lines = ["variables" if params["format"] != "supervisor" else f"[{params['section']}] environment"]
        for name in names:
            is_it = is_changed and is_after and name == params["name"] and name in outcome["before"]
            lines.append(f"  {name} (another value)" if is_it else f"  {name}")
        return "\n".join(lines) + "\n"

    return {
        "before_header": params["path"],
        "after_header": params["path"],
        "before": listed(outcome["before"], is_after=False),
        "after": listed(outcome["after"], is_after=True),
    }


if __name__ == "__main__":
    main()
