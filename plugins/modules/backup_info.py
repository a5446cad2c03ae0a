#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at backups."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_info
version_added: 0.2.0
short_description: Look at backups, how old and how large they are, and how well they are proven
description:
  - For each backup of dump files, of pgBackRest, of WAL-G or of Redis, how old the newest is, how large against those before, and how far
    up the ladder of proof it stands.
  - "The rungs are C(file) (a file, not empty, that nobody writes to any more), C(listed) (it begins as a dump, and the contents of an archive
    can be listed), C(read) (all of it was unpacked and read), C(ended) (it ends as a whole dump does), C(tables) (the tables and columns
    that have to be there are, and the dump fills them) and C(restored) (a test restore had the same rows). Only a test restore shows the last one, and
    M(oncall.runbooks.backup_file) keeps what it showed."
  - Only files are opened. A directory, a FIFO, a device or a link under a fitting name is told, and never read. A link to a file of the same
    folder is that file once more.
  - A packed file that unpacks to over 400 times its size is not read on. Nothing of a row is kept or told.
  - An archive of pg_dump tells when it was made. A copy of it is that old, whatever the time of its file is.
  - Reading changes nothing. It always runs on the managed host.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.backup
requirements:
  - pg_restore to look into archives, in the container of the database for C(transport=docker)
  - psycopg2 or psycopg for the facts of the database, redis-py for snapshots; the docker command for C(transport=docker)
notes:
  - The role that asks needs C(pg_monitor), for the archiver and what others do in databases that restores left.
"""

EXAMPLES = r"""
- name: Is there a backup that can be restored
  oncall.runbooks.backup_info:
    backups:
      nightly:
        path: /backups
        pattern: labpics_*.sql.gz
        tables: [users, {name: public.samples, columns: [id, state]}]
        schedule: {command: [/app/scripts/backup.sh]}
      cluster: {kind: pgbackrest, stanza: main}
    database: {host: 10.0.0.5, name: labpics, user: oncall, password: "{{ vault_oncall_password }}"}
  register: observed
"""

RETURN = r"""
available:
  description: Whether at least one backup could be looked at.
  type: bool
  returned: always
reason:
  description: Why none could be, in one line.
  type: str
  returned: when not available
complete:
  description: Whether every backup was seen, and all that was asked of each.
  type: bool
  returned: when available
limits:
  description: Which backups were not seen, and why, a line each.
  type: list
  elements: str
  returned: when available
backups:
  description: What was seen of each backup, by its name.
  type: dict
  returned: always
  contains:
    kind:
      description: C(files), C(pgbackrest), C(wal_g) or C(redis).
      type: str
      returned: always
    available:
      description: >-
        Whether it could be looked at. If not, only RV(backups.reason), RV(backups.error) and RV(backups.kind) come with it.
      type: bool
      returned: always
    reason:
      description: What was tried, what came back and what to do next, in one line.
      type: str
      returned: when the backup is not available
    error:
      description: What kind of trouble it is, or empty.
      type: str
      returned: always
    complete:
      description: Whether all of it could be seen.
      type: bool
      returned: when the backup is available
    limits:
      description: What could not be seen, a line each.
      type: list
      elements: str
      returned: when the backup is available
    newest:
      description:
        - The newest one, C(name), C(age_seconds) (null where its time is from the future) and C(size_bytes); of files C(path) and C(identity)
          too, which another file has not; of tools C(type) and C(failed).
        - Null where there is none. One that is still being written is not it.
      type: dict
      returned: when the backup is available
    previous:
      description: Up to seven before it, the newest first, with the same keys.
      type: list
      elements: dict
      returned: when the backup is available
    median_bytes:
      description: The median of their sizes, of those of the same type; null where there are fewer than two.
      type: float
      returned: when the backup is available
    size_ratio:
      description: The size of the newest against that.
      type: float
      returned: when the backup is available
    in_progress:
      description: What is being written now, or null.
      type: dict
      returned: when the backup is available
    odd:
      description: What is no file and has a fitting name, the newest first, each C(name), C(what) and C(age_seconds).
      type: list
      elements: dict
      returned: when the backup is available
    troubles:
      description: What the tool, or Redis, says is wrong, a line each.
      type: list
      elements: str
      returned: when the backup is available
    free_bytes:
      description: What may still be written in the folder.
      type: int
      returned: when the backup is available
    needed_bytes:
      description: What the next one will take, a fifth more than the usual one; null where nothing tells that.
      type: int
      returned: when the backup is available
    proof:
      description:
        - How far up the ladder the newest stands, null for other kinds than files. C(rungs), for each true, false or null where it was not
          looked at; C(reached), the highest that was reached; C(failed), the first that was not; C(why), in one line.
        - C(format) (C(plain), C(custom), C(tar), C(encrypted) or another), C(packed) (C(gzip) and the like), C(database) and
          C(server_version) that it is from, C(created_seconds) by the clock of the machine that made it, C(is_encrypted), C(is_newer) (of a
          newer version than pg_restore or the server), C(is_bomb), C(makes_database) (it is in SQL, and makes its database itself),
          C(missing) (tables and columns), C(without_data) (expected tables that it makes and does not fill, as with C(--schema-only)),
          C(empty) (expected tables without a row), C(rows) (by expected table; null where it has INSERT
          statements), C(table_count), C(row_count), C(read_seconds), C(identity) and C(size_bytes).
      type: dict
      returned: when the backup is available
    lost:
      description: >-
        Tables and columns that the database has and the newest backup has not, and tables that it makes without their rows; null where one of
        them is not known.
      type: list
      elements: str
      returned: when the backup is available
    owner:
      description: >-
        Whose the database would be if it were restored after it is gone, C(name), and who says so, C(by); null where nobody does.
      type: dict
      returned: when the backup is available
    database:
      description:
        - The database, null where nothing says how it is reached. C(available), C(reason) and C(error); C(is_there), false where the server
          says that there is none of this name.
        - C(name), C(size_bytes), C(server_version), C(in_recovery), C(replay_age_seconds), C(archive_mode), C(archiver), C(table_count),
          C(may_create_databases), C(logical_slots), C(subscriptions), C(prepared) (transactions) and C(restores), databases that restores
          have made, each C(name), C(of), C(is), C(state), C(began_seconds), C(identity), C(backup), C(file) and C(sessions).
      type: dict
      returned: when the backup is available
    schedule:
      description: What starts it, C(kind), C(present) (null where that cannot be seen) and C(why); null where none is described.
      type: dict
      returned: when the backup is available
    heartbeat:
      description: The sign of the last success, C(age_seconds), or null and C(why); null where none is described.
      type: dict
      returned: when the backup is available
    log_errors:
      description: The errors at the end of its log, up to five, without secrets; null where no log is named.
      type: list
      elements: str
      returned: when the backup is available
    run:
      description: >-
        The last backup that was made from here, C(ok), C(exit_code), C(stderr) (its last lines, without secrets), C(file), C(seconds) and
        C(age_seconds); null where there was none.
      type: dict
      returned: when the backup is available
    drill:
      description: >-
        The last test restore, C(ok), C(why), C(file), C(identity), C(size_bytes), C(seconds), C(tables), C(rows), C(age_seconds) and
        C(expected_seconds), the time that a restore of the newest would take by it; null where there was none.
      type: dict
      returned: when the backup is available
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import backup


def main():
    """Run the module."""
    run(backup)


if __name__ == "__main__":
    main()
