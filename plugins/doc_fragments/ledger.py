# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of everything that opens the ledger."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  path:
    description:
      - Absolute path of the file, the same for all controllers.
      - A symbolic link, a file of another user than this one or root, and a file that others may write to are
        refused. So is a path through a folder, or behind a link in a folder, that anybody but this user and root may
        write to, who could take the file away or put a journal beside it.
      - The group of a folder counts as nobody else where this user, or the folder's owner, is alone in it (a user private
        group, or C(root)) and the folder has no access list. A folder with the sticky bit such as C(/tmp) may be on the way,
        and not hold the file itself.
    type: path
    default: /var/lib/oncall/ledger.sqlite3
  timeout_seconds:
    description: How long to wait for another process that is using the file, from 0 to 600 seconds.
    type: float
    default: 5.0
  cooldown_seconds:
    description: The same remedy of the same runbook rests for so long, from 0 (off) to 90 days.
    type: int
    default: 300
  budget_count:
    description: The most remedies, of all runbooks, that may start on the host in O(budget_window_seconds).
    type: int
    default: 6
  budget_window_seconds:
    description: The window of O(budget_count) in seconds, up to 90 days.
    type: int
    default: 3600
  ineffective_limit:
    description:
      - So many finished attempts in a row, of the same remedy for the same cause, that all did not help
        refuse the next. V(0) switches it off.
    type: int
    default: 2
  ineffective_window_seconds:
    description: The window of O(ineffective_limit) in seconds, up to 90 days.
    type: int
    default: 86400
requirements:
  - Python's sqlite3 with SQLite 3.7.17 or later on the managed host
"""
