# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stacks that the runbooks are asked about, and how they are asked: one scene is made once, and all runbooks look at it.

Every question is asked in check mode, so that an answer leaves the scene as it was for the next.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import statistics
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import psycopg

from ansible_collections.oncall.runbooks.tests.support.accuracy import scenes
from ansible_collections.oncall.runbooks.tests.support.accuracy.scenes import Scene
from ansible_collections.oncall.runbooks.tests.support.accuracy.verdicts import Run, is_broken_off
from ansible_collections.oncall.runbooks.tests.support.plays import REPOSITORY, begun, environment_of_a_play
from ansible_collections.oncall.runbooks.tests.support.waiting import going_on, until
from lab import ComposeLab, Lab
from lab.base import BaseLab
from lab.database import connect
from lab.layout import LabError
from lab.measure import redis_answers, wait

# Of a play of all runbooks, of which each may wait for what does not answer.
SECONDS = 1800
SAMPLES = 5
LASTS_SECONDS = 30
# Far above every threshold: a busy machine is not a slow stack.
SLOW_SECONDS = 2.0
USED, PARTS = ("/orders", "/stats", "/customers") * 2, ("/health", "/orders", "/stats")
# Each run is the first: what one before it found is not to be waited for.
ASKED = {"run_fail_on": [], "run_until": "plan", "run_confirm_seconds": 0}
Signals = dict[str, bool]


class Stack(ABC):
    """One running stack.

    Args:
        folder: an empty one, for all that it needs.
    """

    name: str
    # What there is nothing to ask about, and why.
    left_out: Mapping[str, str] = {}

    def __init__(self, folder: Path) -> None:
        self.folder, self._plays = folder, 0

    @staticmethod
    @abstractmethod
    def scenes() -> list[Scene]:
        """What it is put through; the first is that nothing is wrong."""

    @contextlib.contextmanager
    def running(self) -> Iterator[Any]:
        """It runs, for as long as it is needed."""
        try:
            self.start()
            yield self
        finally:
            self.stop()

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def stop(self) -> None: ...

    @abstractmethod
    def mend(self) -> None:
        """Put everything back."""

    def users(self) -> contextlib.AbstractContextManager[None]:
        """Those who use it while the runbooks look."""
        return contextlib.nullcontext()

    @abstractmethod
    def signals(self) -> Signals:
        """Which runbooks' own signals are true now, measured from the outside and with nothing of the runbooks."""

    def lasts(self, scene: Scene) -> bool:
        """Whether what is wrong is still wrong. A fault may end by itself before the last runbook was asked."""
        return True

    @abstractmethod
    def inventories(self) -> Sequence[str]:
        """For ansible-playbook."""

    def variables(self) -> Mapping[str, Any]:
        """What the inventory does not say."""
        return {}

    def environment(self) -> Mapping[str, str]:
        return {}

    @property
    @abstractmethod
    def places(self) -> Sequence[str]:
        """Paths of this machine that no page is to name."""

    def ask(self, runbooks: Sequence[str], variables: Mapping[str, Any]) -> dict[str, list[Run]]:
        """What each runbook says, and after it those that it handed over to; [] of one of which nothing is recorded.

        One play asks all of them. What breaks off ends it, and those behind are asked in another.
        """
        answers: dict[str, list[Run]] = {}
        left = list(runbooks)
        while left:
            found = self._play(left, {**self.variables(), **ASKED, **variables})
            told = {name: runs for name, runs in found.items() if name in left}
            answers |= told
            left = [name for name in left if name not in answers]
            # A play ends where a runbook breaks off, or the last one that was handed over to.
            if left and not any(is_broken_off(runs[-1:]) for runs in told.values()):
                # The first of which nothing is recorded is where the play ended.
                answers[left.pop(0)] = []
        return answers

    def _play(self, runbooks: Sequence[str], variables: Mapping[str, Any]) -> dict[str, list[Run]]:
        self._plays += 1
        folder = self.folder / f"play-{self._plays}"
        folder.mkdir()
        file = folder / "variables.json"
        file.write_text(json.dumps(variables))
        file.chmod(0o600)
        where = [word for inventory in self.inventories() for word in ("-i", inventory)]
        playbooks = [f"playbooks/{name}.yml" for name in runbooks]
        argv = ["ansible-playbook", *where, *playbooks, "--check", "-e", f"@{file}"]
        with (folder / "output").open("w") as output:
            started = begun(argv, {**environment_of_a_play(folder), **self.environment()}, output)
            try:
                started.wait(SECONDS)
            except subprocess.TimeoutExpired:
                started.kill()
        records = [json.loads(path.read_text()) for path in (folder / "records").glob("*.json")]
        return {Path(record["playbook"]).stem: record["runs"] for record in records}


class LabStack(Stack):
    """A lab, whichever its kind."""

    lab: BaseLab

    def start(self) -> None:
        self.lab.up()

    def stop(self) -> None:
        self.lab.down(purge=True)

    def mend(self) -> None:
        self.lab.up()
        self.lab.heal_all()

    def lasts(self, scene: Scene) -> bool:
        # One that flickers is not always there.
        return not scene.lasts or not wait(lambda: self.lab.there(scene.lasts), LASTS_SECONDS)

    def inventory(self) -> dict[str, Any]:
        """What the running lab says of itself."""
        return json.loads((self.lab.home / "inventory.json").read_text())

    def inventories(self) -> Sequence[str]:
        return ["inventories/lab"]

    def environment(self) -> Mapping[str, str]:
        return {"LAB_HOME": str(self.lab.home)}

    @property
    def places(self) -> Sequence[str]:
        return [str(self.lab.home), str(self.folder), sys.prefix]

    @abstractmethod
    def port(self, service: str) -> int: ...

    @abstractmethod
    def waiting(self) -> float:
        """How many requests wait for the pool; LabError where nobody tells."""

    def signals(self) -> Signals:
        # All at once: of a stack that hangs, each takes all of its time.
        with ThreadPoolExecutor(len(USED) + len(PARTS)) as threads:
            answers = list(threads.map(self._asked, USED))
            parts = list(threads.map(self._asked, PARTS))
        found = {
            "api_down": not all(status == 200 for status, _seconds in parts),
            "cache": not redis_answers(self.port("redis")),
            "db_down": not self._takes_sessions(),
            "error_rate": sum(status >= 500 for status, _seconds in answers) >= len(answers) / 2,
            "latency": statistics.median(seconds for _status, seconds in answers) >= SLOW_SECONDS,
        }
        with contextlib.suppress(LabError):
            found["db_pool"] = all(self._waits() for _ in range(SAMPLES))
        return found

    def _waits(self) -> bool:
        time.sleep(0.2)
        return self.waiting() > 0

    def _asked(self, route: str) -> tuple[int, float]:
        began = time.monotonic()
        status, _body = self.lab.request(route, seconds=5)
        return status, time.monotonic() - began

    def _takes_sessions(self) -> bool:
        try:
            with connect(self.lab.layout, "oncall", 5):
                return True
        except LabError:
            return False


class Embedded(LabStack):
    """The embedded lab, with users and the port of its API, so that every runbook has something to look at."""

    name = "embedded"
    left_out = {
        **dict.fromkeys(
            ("auth_failures", "notification_provider", "payment_webhook"), "this kind of the lab has no provider"
        ),
        **dict.fromkeys(("backup", "restore"), "this kind of the lab has no backups"),
    }
    lab: Lab

    def __init__(self, folder: Path, lab: Lab | None = None) -> None:
        super().__init__(folder)
        self.lab = lab or Lab(folder / "lab", say=_quiet)

    @staticmethod
    def scenes() -> list[Scene]:
        return scenes.embedded()

    def users(self) -> contextlib.AbstractContextManager[None]:
        """Up to ten requests a second, for what is cached too."""
        routes = itertools.cycle(("/orders", "/customers", "/stats"))
        return going_on(lambda: self.lab.request(next(routes), seconds=5), 0.1)

    def port(self, service: str) -> int:
        return self.lab.layout.ports[service]

    def waiting(self) -> float:
        return self.lab.pool()["waiting"]

    def variables(self) -> Mapping[str, Any]:
        services = self.inventory()["system_services"]
        services["api"]["port"] = self.port("api")
        return {"system_services": services}


class Compose(LabStack):
    """The lab in containers; it has users of its own."""

    name = "compose"
    lab: ComposeLab

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.lab = ComposeLab(folder / "lab", say=_quiet)

    @staticmethod
    def scenes() -> list[Scene]:
        return scenes.compose()

    def cut_off(self, runbook: str, variables: Mapping[str, Any], there: Callable[[], bool]) -> None:
        """Have a runbook act, and kill it with all that it began as soon as something is there."""
        self._plays += 1
        folder = self.folder / f"play-{self._plays}"
        folder.mkdir()
        file = folder / "variables.json"
        file.write_text(json.dumps({**self.variables(), **variables, "run_max_risk": "high"}))
        where = [word for inventory in self.inventories() for word in ("-i", inventory)]
        with (folder / "output").open("w") as output:
            # The program itself: of a warm play the modules are no children.
            started = psutil.Popen(
                ["ansible-playbook", *where, f"playbooks/{runbook}.yml", "-e", f"@{file}"],
                cwd=REPOSITORY, env={**environment_of_a_play(folder), **self.environment()},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
            try:
                until(there, told=(folder / "output").read_text)
            finally:
                for one in [started, *started.children(recursive=True)]:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        one.kill()
                started.wait(SECONDS)

    def port(self, service: str) -> int:
        return self.lab.project.port("db" if service == "database" else service)

    def waiting(self) -> float:
        if (count := self.lab.target.metric("app_db_pool_waiting")) is None:
            raise LabError("the API does not tell its pool")
        return count


class Foreign(Stack):
    """The stack of tests/foreign, whose folder has to be importable."""

    name = "foreign"
    left_out = dict.fromkeys(("backup", "restore"), "it has no backups")

    def __init__(self, folder: Path, shop: Any = None) -> None:
        super().__init__(folder)
        self._ours = contextlib.ExitStack()
        self.shop = shop

    @staticmethod
    def scenes() -> list[Scene]:
        return scenes.foreign()

    def start(self) -> None:
        from foreign_stack import running  # type: ignore[import-not-found]

        if self.shop is None:
            self.shop = self._ours.enter_context(running())
        self.shop.heal()

    def stop(self) -> None:
        self._ours.close()
        self.shop = None

    def mend(self) -> None:
        self.shop.heal()

    def signals(self) -> Signals:
        return {"cache": not redis_answers(self.shop.port["larder"]), "db_down": not self._takes_sessions()}

    def _takes_sessions(self) -> bool:
        try:
            self.shop.session("accuracy", "oncall", connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def inventories(self) -> Sequence[str]:
        return [str(self.shop.home / "inventory.json")]

    def variables(self) -> Mapping[str, Any]:
        from foreign_stack import QUICK

        return QUICK

    @property
    def places(self) -> Sequence[str]:
        return [str(self.shop.home), str(self.folder), sys.prefix]


STACKS: dict[str, Callable[[Path], Stack]] = {"embedded": Embedded, "foreign": Foreign, "compose": Compose}


def _quiet(_line: str) -> None:
    """What a lab says of its steps is not said."""
