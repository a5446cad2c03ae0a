# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every source that tells of connectors, by its name. A new one is a file beside this one, and a line here."""

from __future__ import annotations

NAMES = ("api", "command", "kafka_connect", "replication_slot", "table")


def source(name):
    """The file of a source, loaded only when it is needed.

    It has ``OPTIONS``, what the inventory says besides what all have; ``LOOKS``, how often a look with a window looks; ``check``, which
    raises ValueError for what cannot be used; and ``look``, which gives ``now_seconds`` (by the clock of what keeps the connectors), ``rows``
    and ``limits``.
    """
    # Written out, so that the module's zip holds them.
    if name == "api":
        from . import api as module
    elif name == "command":
        from . import command as module
    elif name == "kafka_connect":
        from . import kafka_connect as module
    elif name == "replication_slot":
        from . import replication_slot as module
    else:
        from . import table as module
    return module
