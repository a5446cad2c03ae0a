# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs M(oncall.runbooks.host_info) on the host it is about."""

from __future__ import annotations

from ..module_utils.host.usage import observe
from ..module_utils.observers.specs import HOST
from ..plugin_utils.observer_action import ObserverAction


class ActionModule(ObserverAction):
    module_name = "oncall.runbooks.host_info"
    observer = "host"
    argument_spec = HOST
    observe = staticmethod(observe)
