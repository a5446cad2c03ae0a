# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs M(oncall.runbooks.filesystem_info) on the host."""

from __future__ import annotations

from ..module_utils.disk.filesystems import observe
from ..module_utils.observers.specs import FILESYSTEM
from ..plugin_utils.observer_action import ObserverAction


class ActionModule(ObserverAction):
    module_name = "oncall.runbooks.filesystem_info"
    observer = "filesystem"
    argument_spec = FILESYSTEM
    observe = staticmethod(observe)
