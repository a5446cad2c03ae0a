# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One playbook, run by ansible-runner: with a clean environment, in folders of its own, and nothing left of it."""

from __future__ import annotations

import json
import os
import re
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_runner import Runner, RunnerConfig

from . import folders
from .environment import beside_python, environment_of
from .errors import OncallError
from .folders import NOT_BEGUN, NOT_BEGUN_FILE, UNTOUCHED, UNTOUCHED_FILE, private_folder
from .processes import kill

# Read by the play before each claim: see plugins/action/ledger.py.
LEASE_FILE = "ONCALL_LEASE_FILE"
LOOK_EVERY_SECONDS = 0.5
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ERROR = re.compile(r"^(\[ERROR\]:|ERROR!)\s*")


@dataclass(frozen=True)
class Job:
    """What is to be run.

    Attributes:
        run_id: names the run and its record.
        playbook: the file.
        inventories: files, folders, or lists of hosts that end with a comma.
        limit: as ``--limit``; "" for all hosts.
        variables: extra vars. Ansible trusts them as templates: nothing from outside belongs here.
        texts: extra vars that are data and never templated.
        check: whether in check mode.
        timeout_seconds: after which the run and all its processes are killed; None for no end.
        keep_environment: names of environment variables that the play may see as well.
        lease_file: has the time in it after which the play may claim nothing; "" for no such time.
        on_progress: called in the thread of the run with ``(host, task)``; host is "" where a task begins.
        cancel: kills the run and all its processes when it is set.
    """

    run_id: str
    playbook: Path
    inventories: tuple[str, ...]
    limit: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    check: bool = False
    timeout_seconds: float | None = None
    keep_environment: tuple[str, ...] = ()
    lease_file: str = ""
    on_progress: Callable[[str, str], None] = lambda host, task: None
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass
class Ended:
    """How it ended.

    Attributes:
        status: ``ended``, ``timed_out``, ``canceled``, or ``died`` where ansible-playbook was gone before its end.
        published: host -> runbook -> what was published with ``set_stats``.
        ledgers: host -> what its ledger said.
        failed: host -> why it came to no end.
        hosts: those it has to do with.
        said: what Ansible said, where it did not even begin.
        untouched: whether it is certain that no remedy was begun.
    """

    status: str = "ended"
    published: dict[str, dict[str, Any]] = field(default_factory=dict)
    ledgers: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    hosts: set[str] = field(default_factory=set)
    said: str = ""
    untouched: bool = False


def execute(job: Job) -> Ended:
    """Run it to its end. OncallError where it cannot be begun."""
    with ExitStack() as stack:
        with _preparing():
            folder = stack.enter_context(private_folder(job.run_id))
            config = _prepared(job, folder)
        watch = _Watch(job, folder / "lock")
        runner = Runner(config, event_handler=watch.event, cancel_callback=watch.is_over)
        try:
            runner.run()
        except BaseException:
            # Such as that no more files can be opened: what was begun must not go on without anyone who looks.
            kill(job.run_id)
            raise
        ended = watch.ended(runner.rc)
        # Workers may live on, and what lives may still begin a remedy.
        is_over = ended.status == "ended" or kill(job.run_id)
        ended.untouched = is_over and (folder / UNTOUCHED).exists()
        return ended


@contextmanager
def _preparing() -> Iterator[None]:
    """A full disk is no run that was cut off: nothing was begun yet."""
    try:
        yield
    except OSError as error:
        where = folders.runtime_folder().parent
        raise OncallError(f"cannot prepare a run in {where}: {error.strerror or error}; make room there") from None


def _prepared(job: Job, folder: Path) -> RunnerConfig:
    """What ansible-runner needs, with all its files."""
    # In files: every user of this machine can read the arguments of a process.
    texts = "".join(f"{name}: !unsafe {_quoted(text)}\n" for name, text in job.texts.items())
    files = {"variables.json": json.dumps(dict(job.variables)), "texts.yml": texts or "{}\n"}
    for name, content in files.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(content, encoding="utf-8")
    options = [part for name in files for part in ("--extra-vars", f"@{folder / name}")]
    config = RunnerConfig(
        private_data_dir=str(folder),
        playbook=str(job.playbook),
        inventory=list(job.inventories),
        limit=job.limit or None,
        cmdline=shlex.join([*options, *(["--check"] if job.check else [])]),
        suppress_env_files=True,
    )
    config.prepare()
    # Set here, as prepare() puts them back to what a file of settings says.
    config.suppress_ansible_output = True
    config.suppress_output_file = True
    # Removed by the play before its first claim: what is there afterwards has not acted.
    untouched = folder / UNTOUCHED
    # Removed before its first remedy: what is there afterwards has claimed and no more.
    not_begun = folder / NOT_BEGUN
    for file in (untouched, not_begun):
        file.touch(mode=0o600)
    files_of_play = {UNTOUCHED_FILE: str(untouched), NOT_BEGUN_FILE: str(not_begun)}
    lease = {LEASE_FILE: job.lease_file} if job.lease_file else {}
    config.env = {**environment_of(job.run_id, job.keep_environment, config.env), **files_of_play, **lease}
    config.command[0] = beside_python(config.command[0])
    config.pexpect_timeout = LOOK_EVERY_SECONDS
    return config


def _quoted(text: str) -> str:
    """A text as YAML that says nothing but this text."""
    whole = text.encode("utf-8", "replace").decode()
    return '"' + "".join(one if one.isascii() and one.isalnum() else f"\\U{ord(one):08x}" for one in whole) + '"'


class _Watch:
    """Follows one run."""

    def __init__(self, job: Job, lock: Path) -> None:
        self._job, self._lock, self._seen_at = job, lock, time.monotonic()
        self._end = Ended()
        self._lines: list[str] = []
        self._seen: set[str] = set()
        self._came_to_its_end = False
        self._deadline = time.monotonic() + job.timeout_seconds if job.timeout_seconds else None

    def event(self, event: dict[str, Any]) -> bool:
        """Take in what happened; False, so that it is not written to a file."""
        data = event.get("event_data") or {}
        kind, host, result = str(event.get("event")), str(data.get("host") or ""), data.get("res") or {}
        if host:
            self._seen.add(host)
        if kind == "playbook_on_stats":
            self._came_to_its_end = True
            self._end.hosts.update(data.get("processed") or ())
        elif kind == "playbook_on_task_start":
            self._job.on_progress("", str(data.get("name") or data.get("task") or ""))
        elif kind == "runner_on_ok":
            for name, runs in _published(result).items():
                self._end.published.setdefault(name, {}).update(runs)
                self._end.failed.pop(name, None)
                self._job.on_progress(name, next((f"{run['outcome']}: {run['summary']}" for run in runs.values()), ""))
            if data.get("resolved_action") == "oncall.runbooks.ledger_info":
                self._end.ledgers[host] = result
        elif kind == "runner_on_unreachable":
            self._end.failed[host] = f"host unreachable: {_line(result.get('msg'))}"
        elif kind == "runner_on_failed" and not data.get("ignore_errors") and not _is_the_end(data):
            self._end.failed[host] = f"{data.get('task')}: {_line(result.get('msg'))}"
        elif kind in ("verbose", "error", "warning", "system_warning"):
            self._lines = [*self._lines[-50:], *_ANSI.sub("", str(event.get("stdout") or "")).splitlines()]
        return False

    def is_over(self) -> bool:
        """Whether it is to be killed; if so, every process of it has been."""
        if self._job.cancel.is_set():
            self._end.status = "canceled"
        elif self._deadline is not None and time.monotonic() > self._deadline:
            self._end.status = "timed_out"
        else:
            self._see()
            return False
        kill(self._job.run_id)
        return True

    def _see(self) -> None:
        """Leave behind until when this program lived."""
        if time.monotonic() - self._seen_at > folders.SEEN_EVERY_SECONDS:
            self._seen_at = time.monotonic()
            with suppress(OSError):
                os.utime(self._lock)

    def ended(self, code: int) -> Ended:
        if code != 0:
            errors = [_ERROR.sub("", line) for line in self._lines if _ERROR.match(line)]
            last = [line.strip() for line in self._lines if line.strip()][-1:]
            self._end.said = _line(next(iter(errors or last), f"ansible-playbook ended with exit code {code}"))
        if self._end.status == "ended" and self._seen and not self._came_to_its_end:
            self._end.status = "died"
            for host in self._seen - self._end.published.keys():
                self._end.failed.setdefault(host, f"ansible-playbook died in the midst of it (exit code {code})")
        return self._end


def _published(result: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    stats = result.get("ansible_stats")
    data = stats.get("data") if isinstance(stats, dict) else None
    found = data.get("oncall") if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def _is_the_end(data: Mapping[str, Any]) -> bool:
    """Whether this is only the return code of a run that was concluded."""
    return str(data.get("role", "")).endswith("run") and data.get("resolved_action") == "ansible.builtin.fail"


def _line(text: Any) -> str:
    return " ".join(str(text or "no message").split())[:500]
