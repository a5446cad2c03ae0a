# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to observers, each with the options of one of them."""

from __future__ import annotations

import textwrap

from . import observe

QUESTIONS = """
options:
  questions:
    description: What is asked, each as M(oncall.runbooks.observe) takes it, with one observer.
    type: list
    elements: dict
    required: true
    suboptions:
"""


class ModuleDocFragment:
    DOCUMENTATION: str = QUESTIONS + textwrap.indent("".join(map(observe.nested, observe.OBSERVERS)), "    ")
