#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a database for a restore, compare it, and have it take the place of the one in use."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_restore
version_added: 0.2.0
short_description: Make a database for a restore, compare it, and have it take the place of the one in use
description:
  - What the runbook P(oncall.runbooks.restore#role) and the role P(oncall.runbooks.drill#role) do besides the restore itself, which is
    C(community.postgresql.postgresql_db).
  - Nothing of the database in use is changed before V(swapped), which is one transaction. A run that is killed before it has changed nothing,
    and one that is killed after it has changed all.
  - The databases that it makes have names of their own and say in their comments what they are. No other one is ever dropped or renamed, but
    the one in use, which is renamed. The one that was in use is never dropped.
  - "V(created): an empty database with the owner, the encoding, the locale and the tablespace of the one in use. Where there is none any more,
    owner, encoding and locale are those that the backup tells, or else those that were V(kept); where nobody tells the owner it fails. Its name is
    always the same, so that of two restores at once one fails."
  - "V(kept): writes into the record of the backup what belongs to the database in use itself: owner, encoding, locale, who may connect, settings and
    the limit of connections. Where there is none, or it cannot be asked, what was written before stays."
  - "V(marked): says in its comment how far the restore has come."
  - "V(compared): counts the rows of every table and compares them with those of the backup; compares tables, columns, owners, privileges, extensions
    and the names of everything else, such as views, indexes, constraints, functions, triggers and policies, with the database in use, or the
    owners of tables with those in the backup where there is none any more; looks for sequences that were not set and indexes that are not valid.
    Fails where anything is wrong."
  - "V(dressed): gives it what belongs to a database and is not in a dump: who may connect, settings of the database and of roles in it, and the
    limit of connections. Where there is none in use any more, all of that is what the backup tells, or else what was V(kept)."
  - "V(swapped): ends what is still connected, but for superusers and what replicates, for which it fails; then the database in use is renamed and
    the restored one takes its name."
  - "V(swapped_back): the same back. The restored one is kept as well."
  - "V(dropped): drops one that a restore or a test restore made and that nobody uses."
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.postgres
attributes:
  check_mode:
    description: Nothing is asked and nothing is changed; the task is reported as changed.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options:
  state:
    description: What to do.
    type: str
    choices: [created, kept, marked, compared, dressed, swapped, swapped_back, dropped]
    required: true
  kind:
    description: Whether it is for a restore (V(new)) or a test restore (V(drill)), for V(created) and V(compared).
    type: str
    choices: [new, drill]
    default: new
  name:
    description: >-
      Of the database of a restore, for V(swapped_back) and V(dropped), as M(oncall.runbooks.backup_info) tells it; by default that of O(kind).
    type: str
  stage:
    description: How far it has come, for V(marked).
    type: str
    choices: [made, restored, stopping]
    default: made
  backup:
    description: What the backup is called in the inventory, for V(created), V(kept), V(compared) and V(dressed).
    type: str
  identity:
    description: Of the file, as M(oncall.runbooks.backup_info) tells it, for V(created), V(compared) and V(dressed).
    type: str
  owner:
    description: Whose the database was, for V(created) where there is none any more. By default the backup tells it.
    type: str
    default: ""
  file:
    description: Its name, for V(created).
    type: str
  accepted:
    description: >-
      What of the database in use may be missing or otherwise, for V(compared), by the names that its message gives, such as C(public.users) for a
      table or its rows, C(public.users.email), C(index public.users_email of public.users), C(owner of public.users) or C(privileges on public.users).
    type: list
    elements: str
    default: []
  against_live:
    description: Whether V(compared) compares with the database in use as well.
    type: bool
    default: true
  state_directory:
    description: The folder that has the record of the backup.
    type: path
    default: /var/lib/oncall
  timeout_seconds:
    description: For one statement, such as the count of one table.
    type: float
    default: 600
requirements:
  - psycopg2 or psycopg for O(database.transport=psycopg); the docker command for O(database.transport=docker)
"""

EXAMPLES = r"""
- name: A database beside the one in use
  oncall.runbooks.postgres_restore:
    state: created
    database: "{{ system_database }}"
    backup: nightly
    identity: "{{ chosen.identity }}"
    file: "{{ chosen.name }}"
"""

RETURN = r"""
name:
  description: The database of the restore. For V(swapped) that under which the former one is kept, for V(swapped_back) that of the restored one.
  type: str
  returned: success, but not in check mode
ended:
  description: Whose sessions were ended, a line each.
  type: list
  elements: str
  returned: for V(swapped) and V(swapped_back)
why:
  description: Why nothing was written, or an empty text.
  type: str
  returned: for V(kept)
notes:
  description: What differs and was accepted, a line each.
  type: list
  elements: str
  returned: for V(compared)
rows:
  description: How many rows all of its tables have.
  type: int
  returned: for V(compared)
tables:
  description: How many tables it has.
  type: int
  returned: for V(compared)
"""

import json
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.backups.belongings import chosen
from ..module_utils.backups.record import read, write
from ..module_utils.postgres.client import DatabaseError
from ..module_utils.postgres.restores import Refused, Restores, compared, name_for
from ..module_utils.postgres.spec import DATABASE
from ..module_utils.text.one_line import one_line

ARGUMENT_SPEC = {
    "state": {
        "type": "str",
        "required": True,
        "choices": ["created", "kept", "marked", "compared", "dressed", "swapped", "swapped_back", "dropped"],
    },
    "database": DATABASE,
    "kind": {"type": "str", "choices": ["new", "drill"], "default": "new"},
    "name": {"type": "str"},
    "stage": {"type": "str", "choices": ["made", "restored", "stopping"], "default": "made"},
    "backup": {"type": "str"},
    "identity": {"type": "str"},
    "owner": {"type": "str", "default": ""},
    "file": {"type": "str"},
    "accepted": {"type": "list", "elements": "str", "default": []},
    "against_live": {"type": "bool", "default": True},
    "state_directory": {"type": "path", "default": "/var/lib/oncall"},
    "timeout_seconds": {"type": "float", "default": 600},
}
REQUIRED_IF = [
    ("state", "created", ("backup", "identity", "file")),
    ("state", "kept", ("backup",)),
    ("state", "compared", ("backup", "identity")),
    ("state", "dressed", ("backup", "identity")),
    ("state", "swapped_back", ("name",)),
]


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, required_if=REQUIRED_IF, supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=True)
    do = {
        "created": _created,
        "kept": _kept,
        "marked": _marked,
        "compared": _compared,
        "dressed": _dressed,
        "swapped": _swapped,
        "swapped_back": _swapped_back,
        "dropped": _dropped,
    }[module.params["state"]]
    try:
        restores = Restores(module.params["database"], module.params["timeout_seconds"])
        found = do(restores, module.params, name_for(module.params["kind"], restores.live))
    except Refused as error:
        module.fail_json(msg=str(error))
    except DatabaseError as error:
        module.fail_json(msg=str(error), error=error.kind)
    except OSError as error:
        module.fail_json(msg=f"the record of backup {one_line(module.params['backup'])}: {error.strerror or error}")
    module.exit_json(**found)


def _created(restores, params, _name):
    told = {key: params[key] for key in ("backup", "identity", "file")}
    return {"changed": True, "name": restores.create(params["kind"], _like(params), **told)}


def _like(params):
    """What is known of the database for when it is not there any more."""
    record, _why = read(params["state_directory"], params["backup"])
    proof = record["proofs"].get(params["identity"]) or {}
    return chosen(proof.get("belongings"), record.get("database"), params["owner"])[0]


def _kept(restores, params, _name):
    try:
        found = restores.belongings()
    except DatabaseError as error:
        # A dump is no worse for it.
        return {"changed": False, "why": str(error)}
    if found is None:
        return {"changed": False, "why": f"there is no database {one_line(restores.live)}"}
    write(params["state_directory"], params["backup"], {"database": dict(found, at_seconds=time.time())})
    return {"changed": True, "why": ""}


def _marked(restores, params, name):
    restores.mark(name, params["stage"])
    return {"changed": True, "name": name}


def _compared(restores, params, name):
    record, why = read(params["state_directory"], params["backup"])
    proof = record["proofs"].get(params["identity"])
    if not proof or proof.get("tables") is None:
        raise Refused(f"what is in the backup is not known: {why or 'prove it first'}")
    new = restores.content(name)
    live = restores.shape(restores.live) if params["against_live"] else None
    wrong, notes, names = compared(proof["tables"], new, live, params["accepted"])
    if wrong:
        more = f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        why = one_line(f"{name} was restored, and is not right: {'; '.join(wrong[:5])}{more}", 1000)
        if len(names) == len(wrong):
            # All of it is a matter of what a person wants.
            why += f"; where that may be, add to restore_accepted: {json.dumps(names[:50], ensure_ascii=False)}"
        raise Refused(why)
    rows = sum(table["rows"] or 0 for table in new["tables"].values())
    return {"changed": False, "name": name, "notes": notes, "rows": rows, "tables": len(new["tables"])}


def _dressed(restores, params, name):
    restores.dress(name, _like(params))
    return {"changed": True, "name": name}


def _swapped(restores, _params, name):
    kept, ended = restores.swap(name, time.time())
    return {"changed": True, "name": kept, "ended": ended}


def _swapped_back(restores, params, _name):
    kept, ended = restores.swap_back(params["name"], time.time())
    return {"changed": True, "name": kept, "ended": ended}


def _dropped(restores, params, name):
    which = params["name"] or name
    return {"changed": restores.drop(which), "name": which}


if __name__ == "__main__":
    main()
