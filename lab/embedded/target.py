# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the embedded lab's faults are made with. They are in ``lab/embedded/faults``, found by their folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..layout import Layout
from ..rights import Rights
from .supervise import Supervisor


@dataclass(frozen=True)
class Target:
    """What faults act on."""

    layout: Layout
    supervisor: Supervisor


def _nothing(target: Target) -> None:
    """Most faults are made by their program alone, and end with it."""


@dataclass(frozen=True)
class Fault:
    """One way to break the lab.

    Attributes:
        summary: one line for people.
        there: whether the condition is there now.
        samples: how many samples in a row must say so.
        program: made by ``lab.programs.trouble`` under supervisord; otherwise by ``make``.
        small_pool: the API must not have its connections open yet.
        blind: nothing else can be undone while it lasts, so it goes first.
        make, undo: called before the condition is awaited, and at heal after the program was ended.
        rights: what is right for each runbook that it is for. For the others it is well, or has another name there.
    """

    summary: str
    there: Callable[[Target], tuple[bool, str]]
    samples: int = 1
    program: bool = False
    small_pool: bool = False
    blind: bool = False
    make: Callable[[Target], object] = _nothing
    undo: Callable[[Target], object] = _nothing
    rights: Rights = field(default_factory=dict)
