# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of every observer, each under its name."""

from __future__ import annotations

import textwrap
from importlib import import_module

from ..module_utils.observe import OBSERVERS


def nested(name: str) -> str:
    options = import_module(f"{__package__}.{name}").OPTIONS
    return (
        f"\n  {name}:\n    description: Options of M(oncall.runbooks.{name}_info).\n    type: dict\n    suboptions:\n"
        + textwrap.indent(options, "    ")
    )


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + "".join(map(nested, OBSERVERS))
