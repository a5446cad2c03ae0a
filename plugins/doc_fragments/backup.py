# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of what looks at backups."""

from __future__ import annotations

from ..doc_fragments.queue import STORES

BACKUPS = r"""
  backups:
    description:
      - The backups to look at by name, as the variable C(system_backups) of the inventory describes them.
      - "Any: C(kind), which is C(files), C(pgbackrest), C(wal_g) or C(redis); C(max_age_seconds), how old the newest may be, for those who judge
        it; C(min_ratio), how small it may be against the median of up to seven before it (0.5); C(database), how the database is reached that
        is backed up, with a role that may read all of it, where that is another one than the one for all of them."
      - "C(files): C(path), a folder, and C(pattern), of the names in it, as of a shell. C(tables), those that have to be in each backup:
        names, of the schema public where they have none, or dictionaries of C(name) and C(columns). C(programs), the folder of pg_dump and
        pg_restore, where it is another one than usual."
      - "C(pgbackrest): C(stanza), where there are several, and C(info), the command that tells, as a list (C(pgbackrest info --output=json)).
        C(wal_g): C(info) (C(wal-g backup-list --detail --json)) and C(verify), the command that looks at the write-ahead log, such as
        C(wal-g wal-verify integrity timeline --json). Only what they print counts: they end with exit code 0 also where they tell a failure."
      - "C(redis): C(redis), how it is reached, where that is another one than the one for all of them."
      - "Any: C(heartbeat), a sign of the last success: C(file), whose time it is, or C(statement), a query of one time. C(log), the file that
        a scheduled backup writes what it says into. C(schedule), what starts it: C(timer), the name of a timer of systemd; or C(command), the
        list of a program and its arguments that has to be in a crontab of this host, or of a C(container). To put an entry in place it needs
        C(cron_file), its path in C(/etc/cron.d), C(at), five fields of cron, and may have C(user) (root) and C(log)."
      - "Any, for those who act on it: C(command), the list of a program and its arguments that makes a backup now. Without it pg_dump makes
        one, under a name that fits C(pattern), which then needs exactly one star. C(services), the services of C(system_services) that use the
        database, and are stopped while a restored one takes its place. C(owner), the role whose the database was, for a restore where it is gone
        and the backup does not tell, as a dump in SQL does not."
    type: dict
    required: true
"""
OPTIONS = (
    BACKUPS
    + STORES
    + r"""  file:
    description: The name of the file to look at, instead of the newest. C(backups) must then have exactly one.
    type: str
  state_directory:
    description: The folder that has what was proven of backups before, usually the inventory's C(system_state_directory).
    type: path
    default: /var/lib/oncall
  read_seconds:
    description: >-
      The time in seconds for reading the newest file of each backup to its end. What was read once is not read again while the file is the
      same.
    type: float
    default: 60
  timeout_seconds:
    description: The time in seconds for all else of each backup.
    type: float
    default: 10
"""
)


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
