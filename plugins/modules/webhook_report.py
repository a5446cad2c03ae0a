#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what the payment provider says and what the database has into a report for finance."""

from __future__ import annotations

DOCUMENTATION = r"""
module: webhook_report
version_added: 0.2.0
short_description: Write a report on the events of a payment provider for finance
description:
  - Looks as M(oncall.runbooks.webhook_info) does, and writes each event that needs a look, and each that was replayed, with its amounts at
    the provider and in the database, and with what was done, into a CSV and a Markdown file on the managed host, which only its owner can read.
  - Amounts are whole numbers in the minor unit of their currency. A cell that a spreadsheet would take for a formula begins with an apostrophe.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.webhook
attributes:
  check_mode:
    description: Looks, and writes nothing.
    support: full
  diff_mode:
    description: It is a new file each time.
    support: none
options:
  directory:
    description: Folder to write in. It is made where it is not there.
    type: path
    required: true
  state_directory:
    description: Folder with the journals, C(system_state_directory), which know what was replayed.
    type: path
    required: true
requirements:
  - psycopg2 or psycopg for C(transport=psycopg); the docker command for C(transport=docker)
"""

EXAMPLES = r"""
- name: What finance asks for
  oncall.runbooks.webhook_report:
    webhook: "{{ system_payment_webhook }}"
    database: "{{ system_database }}"
    directory: "{{ system_state_directory }}/evidence"
    state_directory: "{{ system_state_directory }}"
  register: written
"""

RETURN = r"""
csv: {description: The file., type: str, returned: success and when not in check mode}
markdown: {description: The other file., type: str, returned: success and when not in check mode}
rows: {description: How many events are in it., type: int, returned: success}
counts: {description: How many of all events that were looked at are in each state., type: dict, returned: success}
limits: {description: "What was not seen and why, a line each.", type: list, elements: str, returned: success}
"""

from datetime import datetime, timezone
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.file_in_one_step import put
from ..module_utils.observers import webhook as observer
from ..module_utils.replay.journal import JournalError, Journals
from ..module_utils.text.one_line import one_line
from ..module_utils.trusted_path import make_folder
from ..module_utils.webhooks.look import looked
from ..module_utils.webhooks.replay import JOURNALS, done_of
from ..module_utils.webhooks.report import as_csv, as_markdown, rows_of

ARGUMENT_SPEC = dict(
    observer.SPEC,
    directory={"type": "path", "required": True},
    state_directory={"type": "path", "required": True},
)


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    try:
        seen, events = looked(params)
        with Journals(params["state_directory"], JOURNALS, 0, write=False) as journals:
            done = done_of(journals.all())
    except (ValueError, JournalError) as error:
        module.fail_json(msg=str(error))
    found = seen["events"]
    if not found["available"]:
        module.fail_json(msg=f"no report is written, because the events were not seen: {found['reason']}")
    rows = rows_of([row for row in events if row["id"] in done or row["state"] not in ("ok", "delivered")], done)
    result = {"rows": len(rows), "counts": found["counts"], "limits": seen["limits"]}
    if module.check_mode:
        module.exit_json(changed=True, **result)
    now = datetime.now(timezone.utc)
    about = {
        **{key: found[key] for key in ("counts", "seen", "compared", "since_seconds", "kept_seconds")},
        "made": f"{now:%Y-%m-%d %H:%M UTC}",
        "url": seen["endpoint"].get("url", ""),
        "limits": seen["limits"],
    }
    stem = Path(params["directory"], f"payments-{now:%Y%m%dT%H%M%S.%f}Z")
    try:
        make_folder(str(stem.parent))
        # A spreadsheet takes text for another encoding without the mark.
        put(f"{stem}.csv", as_csv(rows).encode("utf-8-sig"))
        put(f"{stem}.md", as_markdown(rows, about).encode())
    except OSError as error:
        module.fail_json(
            msg=one_line(f"the report cannot be written in {params['directory']}: {error.strerror or error}")
        )
    module.exit_json(changed=True, csv=f"{stem}.csv", markdown=f"{stem}.md", **result)


if __name__ == "__main__":
    main()
