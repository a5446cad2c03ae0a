#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a service's log, kept as evidence."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_log
short_description: Save the end of a service's log before it is restarted
version_added: "0.1.0"
author: "oncall.runbooks maintainers (@oncall-runbooks)"
description:
  - Saves the last lines of the log of a service in a new file on the managed host, readable for its owner only.
    Passwords in URLs and values that follow a word such as C(password=) are replaced.
  - A log that cannot be read, or cannot be saved, is no failure, so that nothing is left broken for want of evidence.
    RV(saved) is false then, and RV(reason) says why.
extends_documentation_fragment:
  - oncall.runbooks.service.attributes
attributes:
  check_mode:
    support: full
    details: It reads the log, and saves nothing.
  diff_mode:
    support: none
options:
  name:
    description: The name of the service in the inventory. The file is called by it and by the time.
    type: str
    required: true
  service:
    description: The service, as in C(system_services); see O(oncall.runbooks.service_info#module:services).
    type: dict
    required: true
  directory:
    description: The folder to save in. It is made where it is not there.
    type: path
    required: true
  lines:
    description: How many of the last lines of each of its logs.
    type: int
    default: 2000
  max_bytes:
    description: The most of them in bytes, for each log.
    type: int
    default: 1048576
  keep_files:
    description: How many files of this service are kept in the folder, the new one included. The oldest are removed.
    type: int
    default: 20
  timeout_seconds:
    description: The time in seconds to read the log.
    type: float
    default: 10
"""

EXAMPLES = r"""
- name: Keep what the API said before it is restarted
  oncall.runbooks.service_log:
    name: api
    service: "{{ system_services.api }}"
    directory: /var/lib/oncall/evidence
"""

RETURN = r"""
saved:
  description: Whether the log was saved. In check mode, whether it would be.
  returned: always
  type: bool
reason:
  description: Why it was not, in one line.
  returned: when saved is false
  type: str
path:
  description: The file.
  returned: when saved is true
  type: str
  sample: /var/lib/oncall/evidence/api-20260101T000000.000000Z.log
lines:
  description: How many lines there are in it.
  returned: when saved is true
  type: int
  sample: 2000
bytes:
  description: Its size.
  returned: when saved is true
  type: int
  sample: 81920
"""

import contextlib
import re
from datetime import datetime, timezone
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.file_in_one_step import put
from ..module_utils.services.states import read_log
from ..module_utils.text.masking import mask_lines
from ..module_utils.text.one_line import one_line

ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "service": {"type": "dict", "required": True},
    "directory": {"type": "path", "required": True},
    "lines": {"type": "int", "default": 2000},
    "max_bytes": {"type": "int", "default": 1048576},
    "keep_files": {"type": "int", "default": 20},
    "timeout_seconds": {"type": "float", "default": 10},
}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    for option in ("lines", "max_bytes", "keep_files", "timeout_seconds"):
        if params[option] <= 0:
            module.fail_json(msg=f"{option} must be above 0")
    try:
        logs, reason = read_log(
            params["name"], params["service"], params["lines"], params["max_bytes"], params["timeout_seconds"]
        )
    except ValueError as error:
        module.fail_json(msg=str(error))
    if not logs:
        module.exit_json(changed=False, saved=False, reason=reason)
    text = "".join(f"==> {one_line(name)} <==\n{_masked(text)}" for name, text in logs)
    content = text.encode("utf-8", "replace")
    now = datetime.now(timezone.utc)
    prefix = re.sub(r"[^A-Za-z0-9_.-]", "_", params["name"]).lstrip(".-") + "-"
    path = Path(params["directory"], f"{prefix}{now:%Y%m%dT%H%M%S.%f}Z.log")
    if not module.check_mode:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            put(path, content)
            _remove_oldest(path.parent, prefix, params["keep_files"])
        except OSError as error:
            reason = one_line(f"cannot save the log in {params['directory']}: {error.strerror or error}")
            module.exit_json(changed=False, saved=False, reason=reason)
    module.exit_json(changed=True, saved=True, path=str(path), lines=text.count("\n") - len(logs), bytes=len(content))


def _masked(text):
    return "".join(line + "\n" for line in mask_lines(text.splitlines()))


def _remove_oldest(folder, prefix, keep):
    name = re.compile(re.escape(prefix) + r"\d{8}T\d{6}\.\d{6}Z\.log\Z")
    # The time in the name sorts them.
    own = sorted(path for path in folder.iterdir() if name.match(path.name) and not path.is_symlink())
    for path in own[:-keep]:
        with contextlib.suppress(FileNotFoundError):  # another run was quicker
            path.unlink()


if __name__ == "__main__":
    main()
