# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbooks, for a program."""

from __future__ import annotations

import asyncio
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from . import catalog, inventory, records
from .catalog import Runbook
from .errors import OncallError
from .execution import Ended, Job, execute
from .results import Outcome, Result, host_result

MODES = ("act", "diagnose", "check")
_HASH = re.compile(r"p[0-9a-f]{15}")


class Runbooks:
    """Runs runbooks on the hosts of an inventory. Any number of threads may use one at once.

    Args:
        inventories: a file, a folder, a list of hosts that ends with a comma, or several of them.
        keep_environment: names of environment variables that plays may see beside the few they need.
    """

    def __init__(self, inventories: str | Path | Iterable[str | Path], keep_environment: Iterable[str] = ()) -> None:
        several = [inventories] if isinstance(inventories, (str, Path)) else [*inventories]
        self._inventories = tuple(_inventory(str(one)) for one in several)
        if not self._inventories:
            raise OncallError("no inventory is given; name one")
        self._keep_environment = tuple(keep_environment)

    @staticmethod
    def list() -> list[Runbook]:
        """All runbooks, by name."""
        return [*catalog.runbooks().values()]

    def run(
        self,
        runbook: str,
        *,
        limit: str = "",
        mode: str = "act",
        approve: Iterable[str] = (),
        variables: Mapping[str, Any] | None = None,
        texts: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
        on_progress: Callable[[str, str], None] = lambda host, task: None,
        cancel: threading.Event | None = None,
        run_id: str = "",
        lease_file: str = "",
    ) -> Result:
        """Run a runbook to its end.

        Args:
            runbook: its name, or ``triage``.
            limit: a pattern of hosts, as ``--limit``.
            mode: ``act`` within the limits of the role ``run``; ``diagnose`` and ``check`` change nothing.
            approve: hashes of plans. If given, only a plan that is the same again is acted on.
            variables: extra vars, which Ansible trusts as templates: nothing from outside belongs here.
            texts: extra vars that are data, whatever is in them.
            timeout_seconds: after which the run is killed.
            on_progress: called with ``(host, what was said)``; host is "" where a task begins.
            cancel: kills the run when it is set.
            run_id: names the run and its record, in letters and digits; made up where it is "".
            lease_file: a file with the seconds since boot (CLOCK_BOOTTIME) after which this program may not act any more; the run
                claims nothing then, nor when the file is gone. Whoever holds a lease writes it anew with each renewal.

        Raises:
            OncallError: nothing was begun; one line that says what to do next.
        """
        playbook = catalog.playbook(runbook)
        hashes = [*approve]
        if mode not in MODES:
            raise OncallError(f"no mode {mode!r}; there are {', '.join(MODES)}")
        if wrong := [one for one in hashes if not _HASH.fullmatch(one)]:
            raise OncallError(f"{wrong[0]!r} is no hash of a plan; run with --check to see it")
        if hashes and mode != "act":
            raise OncallError(f"an approved plan is acted on, and mode {mode} does not act; leave one of them out")
        if timeout_seconds is not None and not timeout_seconds > 0:
            raise OncallError(f"timeout_seconds is {timeout_seconds:g}; it has to be above 0")
        catalog.check_variables(variables or ())
        asked: dict[str, Any] = {**(variables or {})}
        if mode == "diagnose":
            asked["run_until"] = "diagnose"
        if hashes:
            asked["run_plan"] = hashes
        if run_id and not (run_id.isascii() and run_id.isalnum()):
            raise OncallError(f"the run_id {run_id!r} has to be of letters and digits")
        began = time.time()
        job = Job(
            run_id=run_id or uuid.uuid4().hex[:12],
            playbook=playbook,
            inventories=self._inventories,
            limit=limit,
            variables=asked,
            texts=texts or {},
            check=mode == "check",
            timeout_seconds=timeout_seconds,
            keep_environment=self._keep_environment,
            lease_file=lease_file,
            on_progress=on_progress,
            cancel=cancel or threading.Event(),
        )
        return _result(job, runbook, mode, began, execute(job))

    async def run_async(self, runbook: str, **options: Any) -> Result:
        """The same, in a thread of its own. Cancelling the task kills the run."""
        cancel = options.setdefault("cancel", threading.Event())
        running = asyncio.ensure_future(asyncio.to_thread(self.run, runbook, **options))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            cancel.set()
            await asyncio.wait([running])
            raise

    def hold(self, host: str, reason: str) -> None:
        """Have the host's ledger refuse every remedy, for a reason, until it is released."""
        if not reason.strip():
            raise OncallError("a hold needs a reason; people read it where they meet the hold")
        self._on_one(host, "hold", texts={"run_hold_reason": reason})

    def release(self, host: str, run_id: str = "") -> None:
        """Lift the host's holds or, with a run's id, what this run never gave back."""
        self._on_one(host, "release", texts={"run_release_run_id": run_id} if run_id else {})

    def give_back(self, host: str, owner: str) -> None:
        """Free what a run had claimed on a host that certainly began no remedy there: it counts for no cooldown and no budget.

        Args:
            host: an exact name of the inventory.
            owner: the ``run_owner`` of the run; nobody else has the same.

        Raises:
            OncallError: the ledger could not be read or written.
        """
        for claim in self.ledger(host)["unfinished"]:
            if claim["owner"] == owner:
                texts = {"run_release_run_id": claim["run_id"], "run_release_not_started": "true"}
                self._on_one(host, "release", texts=texts)

    def ledger(self, host: str) -> dict[str, Any]:
        """What the host's ledger says: ``holds``, ``unfinished`` and ``claims``, as the module ledger_info documents them.

        Raises:
            OncallError: it could not be read.
        """
        told = self._on_one(host, "ledger").ledgers.get(host, {})
        if not told.get("available"):
            raise OncallError(str(told.get("reason") or f"the ledger of {host} could not be read"))
        return {name: told[name] for name in ("holds", "unfinished", "claims")}

    def _on_one(self, host: str, playbook: str, texts: Mapping[str, str] | None = None) -> Ended:
        job = Job(
            run_id=uuid.uuid4().hex[:12],
            playbook=catalog.collection() / "playbooks" / f"{playbook}.yml",
            inventories=self._inventories,
            limit=host,
            texts=texts or {},
            keep_environment=self._keep_environment,
        )
        inventory.exact(host, inventory.names(self._inventories, self._keep_environment))
        ended = execute(job)
        if host in ended.failed or ended.hosts != {host}:
            raise OncallError(f"{playbook} of {host}: {ended.failed.get(host) or ended.said or 'it came to no end'}")
        return ended


def _inventory(name: str) -> str:
    if name.endswith(","):
        return name
    if not Path(name).exists():
        raise OncallError(f"there is no inventory {name}; name a file, a folder, or hosts with a comma at the end")
    return str(Path(name).resolve())


def _result(job: Job, runbook: str, mode: str, began: float, ended: Ended) -> Result:
    names = sorted({*ended.published, *ended.failed, *ended.hosts})
    if not names and ended.status == "ended":
        raise OncallError(f"{runbook} ran on no host: {ended.said or 'the inventory has none that --limit allows'}")
    hosts = {
        name: host_result(name, ended.published.get(name, {}), runbook, ended.failed.get(name, "")) for name in names
    }
    return Result(
        runbook=runbook,
        mode=mode,
        status=ended.status,
        started_at=round(began, 3),
        seconds=round(time.time() - began, 3),
        hosts=hosts,
        may_have_acted=not ended.untouched,
        record=records.file_of(job.run_id),
    )


__all__ = ["MODES", "Outcome", "Runbooks"]
