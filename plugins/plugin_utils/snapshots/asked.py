# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a snapshot looks at: the table of the role, with the values of one host in it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...module_utils.snapshot.gather import ANYWHERE, OWN, needs_host, validated
from ...module_utils.text.masking import masked
from ..finish import NAMES, Steps

# What an archive may hold: texts are most of it.
LEAST_BYTES = 1024 * 1024
SHARES = {"logs": 3 / 8, "exposition": 1 / 4, "data": 1 / 4, "index": 1 / 8}
# Told by the controller itself.
SETTINGS = "settings"


@dataclass
class Asked:
    """One thing to look at.

    Attributes:
        part: of the table.
        name: within the part.
        about: what it is, for people.
        look: an observer, or one of the snapshot's own.
        parameters: of it.
        why_not: why it is not looked at, or "".
        applies: whether the inventory has anything of the kind.
        steps: what the controller does before and after, for some observers.
    """

    part: str
    name: str
    about: str
    look: str
    parameters: dict[str, Any] = field(default_factory=dict)
    why_not: str = ""
    applies: bool = True
    steps: Steps | None = None

    @property
    def key(self) -> str:
        return f"{self.part}.{self.name}"

    @property
    def needs_host(self) -> bool:
        if self.look in OWN and self.look not in ANYWHERE:
            return True
        return needs_host(self.look, validated(self.look, self.parameters))


def chosen(table: Mapping[str, Any], parts: Iterable[str]) -> list[str]:
    """The parts asked for, in the order of the table; all of them where none is named.

    Raises:
        ValueError: there is no such part; in one line that names those there are.
    """
    wanted = list(parts)
    for name in wanted:
        if name not in table:
            near = difflib.get_close_matches(str(name), table, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ValueError(f"snapshot_parts has no part {masked(name)}; {hint}there are {', '.join(table)}")
    return [name for name in table if name in wanted or not wanted]


def asked_of(
    table: Mapping[str, Any],
    parts: Iterable[str],
    value: Callable[[str], Any],
    template: Callable[[Any], Any],
    max_bytes: int,
) -> list[Asked]:
    """What to look at on one host.

    Args:
        table: of the role, not templated.
        parts: of :func:`chosen`.
        value: gives a variable of the host by its name, templated; None where it is not there.
        template: gives the value of a template.
        max_bytes: what an archive may hold.
    """
    return [
        _asked(part, name, look, value, template, max_bytes)
        for part in parts
        for name, look in table[part]["looks"].items()
    ]


def _asked(
    part: str,
    name: str,
    look: Mapping[str, Any],
    value: Callable[[str], Any],
    template: Callable[[Any], Any],
    max_bytes: int,
) -> Asked:
    asked = Asked(part, name, str(look["about"]), str(look.get("look", "")))
    try:
        if "why_not" in look:
            asked.why_not, asked.applies = str(look["why_not"]), False
            return asked
        missing = look.get("variable")
        if missing and not value(missing):
            otherwise = f"{missing} is not set: the inventory has nothing of this kind"
            asked.why_not, asked.applies = str(look.get("otherwise", otherwise)), False
            return asked
        asked.parameters = template(look.get("parameters") or {})
        if asked.look in ("logs", "exposition"):
            asked.parameters["max_bytes"] = int(max_bytes * SHARES[asked.look])
        if asked.look in NAMES:
            asked.steps = Steps("observe", {asked.look: asked.parameters})
            if asked.steps.arguments is None:
                asked.why_not = str(asked.steps.finish({})[asked.look]["reason"])
        elif asked.look != SETTINGS:
            validated(asked.look, asked.parameters)
    except Exception as error:  # a template that fails, or parameters that are not right
        variable = str(look.get("variable", "_"))
        what = "what the inventory says of it" if variable.startswith("_") else variable
        asked.why_not = f"{what} cannot be used: {masked(error, 500)}"
    return asked
