# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs M(oncall.runbooks.observe) on the host or in the controller."""

from __future__ import annotations

from ..module_utils.metrics import measure as metrics
from ..module_utils.observers.observe import ARGUMENT_SPEC, observe
from ..module_utils.postgres import activity as postgres_activity
from ..plugin_utils.observer_action import ObserverAction

# Loaded here, once, and not in the worker of every host.
LOADED_BEFORE_THE_FORK = (metrics, postgres_activity)


class ActionModule(ObserverAction):
    module_name = "oncall.runbooks.observe"
    argument_spec = ARGUMENT_SPEC
    observe = staticmethod(observe)
