# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A queue that only the library of its application acts on: where that is found, and which store it has."""

from __future__ import annotations

import re

# How the interpreter of the application is started that reads a program from its standard input.
INTERPRETER = {"application": {"type": "list", "elements": "str", "default": []}}
LIBRARY = {**INTERPRETER, "application_url_variable": {"type": "str"}}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def check(name, queue):
    """Raises ValueError where the name of the variable cannot be one."""
    variable = queue.get("application_url_variable")
    if variable is not None and not _VARIABLE.match(variable):
        raise ValueError(f"queue {name}: application_url_variable must be the name of an environment variable")
