# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs M(oncall.runbooks.deployment_info) on the host, where the checkout is."""

from __future__ import annotations

from ..module_utils.deployment.deployed import observe
from ..module_utils.observers.specs import DEPLOYMENT
from ..plugin_utils.observer_action import ObserverAction


class ActionModule(ObserverAction):
    module_name = "oncall.runbooks.deployment_info"
    observer = "deployment"
    argument_spec = DEPLOYMENT
    observe = staticmethod(observe)
