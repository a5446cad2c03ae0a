#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepare, prove and publish the file of a backup."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_file
version_added: 0.2.0
short_description: Prepare, prove and publish the file of a backup
description:
  - What the roles P(oncall.runbooks.dump#role) and P(oncall.runbooks.drill#role) do around C(pg_dump) and C(pg_restore). A backup has its
    name only when it is proven, so that no half one is ever taken for the newest.
  - "V(prepared): looks whether there is room, and makes an empty temporary file that only its owner may read. Where another dump of the same
    pattern is being written, it fails. One that a killed run left behind, and that nobody has open, is removed."
  - "V(made): looks whether there is room, runs the system's own program that makes the backup, without a shell, and keeps its exit code and the end
    of what it wrote to stderr. Fails where it does."
  - "V(proven): climbs the ladder of proof that M(oncall.runbooks.backup_info) describes, and fails where the file does not stand on O(rung)."
  - "V(published): gives the temporary file its name, in one step. A file of that name stays as it is, and the module fails."
  - "V(discarded): removes the temporary file, and no other."
  - "V(staged): makes a link to a backup under a plain name that tells its format, for C(community.postgresql.postgresql_db), which goes by
    that. Fails where others than its owner and root could have written the file. What is in a dump in SQL is run as whoever restores it, so its
    owner is trusted like that."
  - "V(same): fails where the file is not O(identity) any more, such as one that was written anew while it was restored."
  - "V(recorded): keeps what a run or a test restore showed, for the next look."
author: oncall.runbooks maintainers (@oncall-runbooks)
options:
  state:
    description: What to do.
    type: str
    choices: [prepared, made, proven, published, discarded, staged, same, recorded]
    required: true
  backup:
    description: What the backup is called in the inventory, whose record is kept.
    type: str
    required: true
  folder:
    description: The folder of the dumps, for V(prepared) and V(made).
    type: path
  pattern:
    description: Of the names in it, with exactly one star, in whose place the time comes.
    type: str
  database_name:
    description: Of the database that is dumped.
    type: str
    default: ""
  argv:
    description: The program that makes the backup, and its arguments, for V(made).
    type: list
    elements: str
    default: []
  needed_bytes:
    description: What has to be free there.
    type: int
    default: 0
  path:
    description: Of the backup.
    type: str
  temporary:
    description: Of the temporary file, as V(prepared) returned it.
    type: str
  identity:
    description: Only this very file, as M(oncall.runbooks.backup_info) tells it. Another one is left alone, and the module fails.
    type: str
  tables:
    description: The tables that have to be in it, as in C(system_backups).
    type: list
    elements: raw
    default: []
  rung:
    description: How far up the ladder it has to stand.
    type: str
    choices: [file, listed, read, ended, tables]
    default: tables
  pg_restore:
    description: The program that reads archives, as the beginning of an argument list.
    type: list
    elements: str
    default: [pg_restore]
  server_version:
    description: The version of the server that it would be restored into.
    type: str
  record:
    description: C(run) or C(drill), see M(oncall.runbooks.backup_info).
    type: dict
    default: {}
  state_directory:
    description: The folder that has the record.
    type: path
    default: /var/lib/oncall
  timeout_seconds:
    description: For reading the file, or for the program.
    type: float
    default: 3600
attributes:
  check_mode:
    description: Reads, and changes nothing; what would be changed is reported as changed.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: Prove a dump, before it gets its name
  oncall.runbooks.backup_file:
    state: proven
    backup: nightly
    path: "{{ prepared.temporary }}"
    tables: [users]
"""

RETURN = r"""
temporary:
  description: The temporary file.
  type: str
  returned: for V(prepared)
path:
  description: The name that the dump is to get, or has; or that of the link, for V(staged).
  type: str
  returned: for V(prepared), V(published) and V(staged)
dump_extra_args:
  description: What pg_dump is told besides, as C(community.postgresql.postgresql_db) takes it.
  type: str
  returned: for V(prepared)
dbname:
  description: O(database_name) so that no program takes it for anything else.
  type: str
  returned: for V(prepared)
run:
  description: How the program ended, C(ok), C(exit_code), C(stderr) (its last lines, without secrets) and C(seconds).
  type: dict
  returned: for V(made), but not in check mode
removed:
  description: Whether a temporary file had been left behind.
  type: bool
  returned: for V(prepared)
proof:
  description: What was proven, as in RV(oncall.runbooks.backup_info#module:backups.proof), with C(tables) (by table C(rows) and C(columns)).
  type: dict
  returned: for V(proven)
"""

import os
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.backups import act
from ..module_utils.backups.files import NoFile, identity, opened
from ..module_utils.backups.proof import RUNGS, expected_tables, verify
from ..module_utils.backups.record import read, write
from ..module_utils.deadline import Deadline
from ..module_utils.run_command import failure, run
from ..module_utils.text.masking import masked
from ..module_utils.text.one_line import one_line

ARGUMENT_SPEC = {
    "state": {
        "type": "str",
        "required": True,
        "choices": ["prepared", "made", "proven", "published", "discarded", "staged", "same", "recorded"],
    },
    "backup": {"type": "str", "required": True},
    "folder": {"type": "path"},
    "pattern": {"type": "str"},
    "database_name": {"type": "str", "default": ""},
    "argv": {"type": "list", "elements": "str", "default": []},
    "needed_bytes": {"type": "int", "default": 0},
    "path": {"type": "str"},
    "temporary": {"type": "str"},
    "identity": {"type": "str"},
    "tables": {"type": "list", "elements": "raw", "default": []},
    "rung": {"type": "str", "choices": list(RUNGS[:-1]), "default": "tables"},
    "pg_restore": {"type": "list", "elements": "str", "default": ["pg_restore"]},
    "server_version": {"type": "str"},
    "record": {"type": "dict", "default": {}},
    "state_directory": {"type": "path", "default": "/var/lib/oncall"},
    "timeout_seconds": {"type": "float", "default": 3600},
}
REQUIRED_IF = [
    ("state", "prepared", ("folder", "pattern")),
    ("state", "proven", ("path",)),
    ("state", "published", ("path", "temporary")),
    ("state", "discarded", ("temporary",)),
    ("state", "staged", ("path",)),
    ("state", "same", ("path", "identity")),
]


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, required_if=REQUIRED_IF, supports_check_mode=True)
    do = {
        "prepared": _prepared,
        "made": _made,
        "proven": _proven,
        "published": _published,
        "discarded": _discarded,
        "staged": _staged,
        "same": _same,
        "recorded": _recorded,
    }[module.params["state"]]
    try:
        module.exit_json(**do(module, module.params))
    except (act.Refused, NoFile, ValueError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        place = f" {one_line(error.filename)}" if error.filename else ""
        module.fail_json(msg=f"backup {one_line(module.params['backup'])}{place}: {error.strerror or one_line(error)}")


def _prepared(module, params):
    told = {"changed": True, "dbname": act.conninfo(params["database_name"])}
    if module.check_mode:
        return dict(act.planned(params["folder"], params["pattern"], time.time()), removed=False, **told)
    return dict(act.prepare(params["folder"], params["pattern"], params["needed_bytes"]), **told)


def _made(module, params):
    if not params["argv"]:
        raise ValueError("argv is empty: name a program")
    if module.check_mode:
        return {"changed": True}
    if params["folder"]:
        act.see_room(params["folder"], params["needed_bytes"])
    began = time.monotonic()
    ended = run(params["argv"], params["timeout_seconds"])
    lines = [masked(line) for line in ended["stderr"].splitlines() if line.strip()][-20:]
    is_well = not ended["error"] and ended["exit_code"] == 0
    told = {
        "ok": is_well,
        "exit_code": ended["exit_code"],
        "stderr": lines,
        "seconds": round(time.monotonic() - began, 1),
        "at_seconds": time.time(),
    }
    write(params["state_directory"], params["backup"], {"run": told})
    if not is_well:
        raise act.Refused(failure(params["argv"], ended, params["timeout_seconds"]))
    return {"changed": True, "run": told}


def _proven(module, params):
    proof = verify(
        params["path"],
        expected_tables(params["tables"]),
        params["pg_restore"],
        params["server_version"],
        Deadline(params["timeout_seconds"]),
    )
    name = one_line(Path(params["path"]).name)
    if params["identity"] and proof.get("identity") != params["identity"]:
        raise act.Refused(f"{name} is not the file any more that the plan is about; look again")
    rungs = RUNGS[: RUNGS.index(params["rung"]) + 1]
    if not all(proof["rungs"][rung] for rung in rungs):
        stands = proof["reached"] or "no rung"
        raise act.Refused(f"{name} is not proven up to {params['rung']}, only up to {stands}: {proof['why']}")
    if proof["is_newer"]:
        raise act.Refused(f"{name} cannot be restored here: {proof['why']}")
    if not module.check_mode:
        kept = {proof["identity"]: dict(proof, at_seconds=time.time())}
        write(params["state_directory"], params["backup"], {"proofs": kept})
    return {"changed": False, "proof": proof}


def _published(module, params):
    if not module.check_mode:
        act.publish(params["temporary"], params["path"])
    return {"changed": True, "path": params["path"]}


def _discarded(module, params):
    if module.check_mode:
        return {"changed": os.path.lexists(params["temporary"])}
    return {"changed": act.discard(params["temporary"])}


def _staged(module, params):
    wrong = act.objection_to(params["path"])
    if wrong:
        raise act.Refused(f"it is not restored from there: {wrong}")
    _is_the_same(params)
    record, why = read(params["state_directory"], params["backup"])
    proof = record["proofs"].get(params["identity"])
    if proof is None:
        raise act.Refused(f"nothing was proven of {one_line(Path(params['path']).name)}; {why or 'prove it first'}")
    if module.check_mode:
        return {"changed": True, "path": params["path"]}
    return {"changed": True, "path": act.stage(params["state_directory"], params["path"], proof)}


def _same(_module, params):
    _is_the_same(params)
    return {"changed": False}


def _is_the_same(params):
    with opened(params["path"]) as (_descriptor, status):
        if params["identity"] and identity(status) != params["identity"]:
            raise act.Refused(
                f"{one_line(Path(params['path']).name)} is not the file any more that was proven; look again"
            )


def _recorded(module, params):
    known = {
        key: dict(value, at_seconds=time.time()) for key, value in params["record"].items() if key in ("run", "drill")
    }
    if len(known) != len(params["record"]):
        raise ValueError("record has run or drill, and nothing else")
    if not module.check_mode:
        write(params["state_directory"], params["backup"], known)
    return {"changed": bool(known)}


if __name__ == "__main__":
    main()
