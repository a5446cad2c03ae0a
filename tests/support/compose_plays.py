# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A runbook played against a fault of the compose lab."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.plays import Play, Player
from lab.compose.stack import ComposeLab


class Runbook:
    """One runbook and one lab.

    Args:
        lab: a compose lab that is up.
        player: runs playbooks against it.
        name: of the runbook.
        variables: for every play.
    """

    def __init__(self, lab: ComposeLab, player: Player, name: str, **variables: Any) -> None:
        self.lab, self._player, self._name, self._variables = lab, player, name, variables

    def play(self, **variables: Any) -> Play:
        return self._player.play(playbook=f"playbooks/{self._name}.yml", **{**self._variables, **variables})

    @contextmanager
    def broken(self, fault: str) -> Iterator[dict[str, str]]:
        """The lab with a fault, healed afterwards; gives when each service was started."""
        self.lab.inject(fault)
        try:
            yield self.started()
        finally:
            self.lab.heal_all()

    def started(self) -> dict[str, str]:
        """When the container of each service was started."""
        containers = self.lab.project.containers()
        return {service: same[0]["State"]["StartedAt"] for service, same in containers.items()}

    def fixed(self, fault: str, cause: str, remedy: str, service: str) -> Play:
        """Break it, fix it, and see that no other service was touched and that a second run finds nothing."""
        with self.broken(fault) as before:
            play = self.play()
            assert (play.code, play.outcome, play.causes()) == (0, "resolved", [cause]), play.output
            assert [action["remedy"] for action in play.run["actions"]] == [remedy]
            after = self.started()
            changed = {name for name in after if before.get(name) != after[name]}
            assert changed <= {service}
            again = self.play()
            assert (again.code, again.outcome) == (0, "healthy"), again.output
            assert self.started() == after
        return play
