"""Plays of this repository, and what they recorded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from warm_plays import Process

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS = 480
# The same Python by another name: the controller does not take it for its own, and sends modules as it does to any other host.
AS_ELSEWHERE = str(Path(sys.executable).with_name("python3"))
# Variables of a host on which nothing is waited for that a test need not see.
QUICK = {
    "ansible_connection": "local",
    "ansible_python_interpreter": sys.executable,
    "run_confirm_seconds": 0,
    "run_verify_seconds": 1,
    "run_verify_every_seconds": 1,
    "run_verify_timeout_seconds": 30,
    "run_cooldown_seconds": 0,
    "run_budget_count": 100,
}


def environment_of_a_play(folder: Path) -> dict[str, str]:
    """The environment in which plays of tests run.

    Args:
        folder: for its records.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHON"))}
    return {
        **environment,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}",
        "ONCALL_RECORD_DIRECTORY": str(folder / "records"),
        "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
        "ANSIBLE_SHOW_CUSTOM_STATS": "1",
    }


def begun(argv: Sequence[str], environment: Mapping[str, str], output: IO[str]) -> Process:
    """Begin a play in this repository without the start of the program; see :mod:`warm_plays`."""
    # Other modules import this before pytest has made the collection importable.
    from ansible_collections.oncall.runbooks.tests.support.warm_plays import server

    of_ansible = tuple((name, value) for name, value in environment.items() if name.startswith("ANSIBLE_"))
    return server(of_ansible).start(argv, REPOSITORY, environment, output)


@dataclass
class Play:
    """One ended play: return code, all it printed, and the runs in its record."""

    code: int
    output: str
    runs: list[dict[str, Any]]
    record: Path | None

    @property
    def run(self) -> dict[str, Any]:
        (run,) = self.runs
        return run

    @property
    def outcome(self) -> str:
        return self.run["outcome"]

    def causes(self, status: str = "problem") -> list[str]:
        return [finding["cause"] for finding in self.run["findings"] if finding["status"] == status]


class Player:
    """Runs playbooks against a lab.

    Args:
        home: the lab's state folder.
        folder: an empty folder for records and variables.
        inventory: where its host is.
    """

    def __init__(self, home: Path, folder: Path, inventory: str | Path = "inventories/lab") -> None:
        self._home, self._folder, self._count, self._inventory = home, folder, 0, str(inventory)

    def start(
        self, *arguments: str, playbook: str = "playbooks/db_pool.yml", as_program: bool = False, **variables: Any
    ) -> Started:
        """Start a play; ``variables`` go in through a file, as JSON.

        Args:
            arguments: of ansible-playbook.
            playbook: its path in this repository.
            as_program: as a process of the program, which costs twice the processor time of most plays.
            variables: of the play.
        """
        self._count += 1
        folder = self._folder / f"play-{self._count}"
        folder.mkdir()
        (folder / "variables.json").write_text(json.dumps(variables))
        (folder / "variables.json").chmod(0o600)
        environment = environment_of_a_play(folder) | {"LAB_HOME": str(self._home)}
        argv = [
            "ansible-playbook",
            "-i",
            self._inventory,
            playbook,
            "-e",
            f"@{folder / 'variables.json'}",
            *arguments,
        ]
        with open(folder / "output", "w") as output:
            if as_program:
                process = subprocess.Popen(
                    argv, cwd=REPOSITORY, env=environment, stdout=output, stderr=subprocess.STDOUT
                )
            else:
                process = begun(argv, environment, output)
        return Started(process, folder)

    def play(self, *arguments: str, **variables: Any) -> Play:
        """Run a play to its end."""
        return self.start(*arguments, **variables).wait()


class Started:
    """A play that may still be going on."""

    def __init__(self, process: subprocess.Popen[bytes] | Process, folder: Path) -> None:
        self.process, self._folder = process, folder

    def wait(self) -> Play:
        code = self.process.wait(SECONDS)
        records = list((self._folder / "records").glob("*.json"))
        runs = json.loads(records[0].read_text())["runs"] if records else []
        output = (self._folder / "output").read_text(errors="replace")
        return Play(code, output, runs, records[0] if records else None)


def on_host(folder: Path, runbook: str, variables: Mapping[str, Any]) -> Callable[..., Play]:
    """A function that plays a runbook on one host, with arguments of ansible-playbook and more variables.

    Args:
        folder: an empty one, for the inventory, the records and the ledger.
        runbook: its name.
        variables: of the host, besides :data:`QUICK`.
    """
    state = folder / "oncall"
    state.mkdir()
    host = {**QUICK, "system_state_directory": str(state), **variables}
    inventory = folder / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"stack": host}}}))
    player = Player(folder, folder)

    def play(*arguments: str, **more: Any) -> Play:
        return player.play(
            "-i", str(inventory), *arguments, playbook=f"playbooks/{runbook}.yml", run_hosts="stack", **more
        )

    return play
