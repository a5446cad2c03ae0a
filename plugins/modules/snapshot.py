#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep all that can be seen of a stack as one archive."""

from __future__ import annotations

DOCUMENTATION = r"""
module: snapshot
version_added: 0.2.0
short_description: Keep all that can be seen of a stack as one archive, without secrets
description:
  - Looks at everything that is asked for at the same time, through the observers of this collection. Besides them it reads the ends of the
    logs and what the metrics endpoints expose, as text, and the environment of the services.
  - Writes an archive on the controller, readable for its owner only, under its name in one step. It has a file for each thing, a manifest
    with the SHA-256 of each of them, and an index in HTML that opens by itself, without a network and without a script. The index lies
    beside it as well. C(index.html) in the folder lists all archives that are there.
  - What could not be had is in the index with the reason. It is no failure, as long as an archive is written.
  - Passwords, tokens, keys and cookies are replaced on the managed host, before anything leaves it, and once more on the controller, which
    knows the secrets of the inventory.
  - Nothing on the managed host is changed.
author: oncall.runbooks maintainers (@oncall-runbooks)
attributes:
  action:
    description: Runs in the controller, and on the managed host for what can only be seen from there.
    support: full
  check_mode:
    description: Looks, and writes nothing.
    support: full
  diff_mode:
    description: It is a new archive each time.
    support: none
options:
  table:
    description:
      - What an archive has, by part. Each part has C(title), C(about), and C(looks), a dictionary of names; each look has C(look) (the
        name of an observer, or C(logs), C(exposition), C(environment), C(functions), C(ledger) or C(platform)), C(parameters), and
        C(variable), the variable of the inventory without which there is nothing of that kind.
      - It is the name of a variable, so that each look is templated by itself, and one that cannot be takes nothing from the others.
    type: str
    required: true
  parts:
    description: The parts to have. Empty for all.
    type: list
    elements: str
    default: []
  directory:
    description: The folder on the controller. It is made for the user alone where it is not there.
    type: path
    required: true
  max_bytes:
    description: The most that an archive holds, unpacked.
    type: int
    default: 16777216
  timeout_seconds:
    description: The time for all of it.
    type: float
    default: 60
"""

EXAMPLES = r"""
- name: Keep what can be seen now
  oncall.runbooks.snapshot:
    table: snapshot_table
    directory: ~/.local/state/oncall/snapshots
    parts: [services, logs, database]
  register: kept
"""

RETURN = r"""
archive:
  description: The archive on the controller.
  type: str
  returned: when it was written
index:
  description: Its index, beside it.
  type: str
  returned: when it was written
overview:
  description: The index over all archives of the folder.
  type: str
  returned: when it was written
bytes:
  description: The size of the archive.
  type: int
  returned: when it was written
sha256:
  description: Its SHA-256.
  type: str
  returned: when it was written
had:
  description: The parts of which everything is there.
  type: list
  elements: str
  returned: always
missing:
  description:
    - What is not there, each C(part), C(look), C(what) was to be seen, and C(reason), which says what was tried, on what, what came back and
      what to do.
  type: list
  elements: dict
  returned: always
cut:
  description: What was cut, each C(file), C(kept_bytes), and C(of_bytes), which is null where nobody says how much there was.
  type: list
  elements: dict
  returned: always
notes:
  description: What else went wrong, such as an index that could not be put beside the archive, which has it in it as well.
  type: list
  elements: str
  returned: when it was written
reachable:
  description: Whether the managed host could be asked.
  type: bool
  returned: always
written:
  description: Whether the archive was written. In check mode it is false.
  type: bool
  returned: always
summary:
  description: What came of it, in one line.
  type: str
  returned: always
"""
