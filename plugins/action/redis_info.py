# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs M(oncall.runbooks.redis_info) on the host or in the controller."""

from __future__ import annotations

from ..module_utils.observers.specs import REDIS
from ..module_utils.redis.server import observe
from ..plugin_utils.observer_action import ObserverAction


class ActionModule(ObserverAction):
    module_name = "oncall.runbooks.redis_info"
    observer = "redis"
    argument_spec = REDIS
    observe = staticmethod(observe)
