# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One playbook, run by ansible-runner: with a clean environment, in folders of its own, and nothing left of it."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as ConfigError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from ansible_runner import Runner, RunnerConfig

from .catalog import collections_path
from .errors import OncallError

# What a play may see of the environment. Everything else, tokens above all, stays outside.
KEPT = {
    "HOME",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "PATH",
    "SSH_AUTH_SOCK",
    "TMPDIR",
    "TZ",
    "USER",
    "ONCALL_RECORD_DIRECTORY",
}
KEPT_PREFIXES = ("ANSIBLE_", "LC_", "XDG_")
# What would hide from this program how a run ended, or play another one than was asked for.
LEFT_OUT = (
    "ANSIBLE_GALAXY_", "ANSIBLE_STDOUT_CALLBACK", "ANSIBLE_CALLBACKS_ENABLED", "ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_NO_LOG",
    "ANSIBLE_RUN_TAGS", "ANSIBLE_SKIP_TAGS",
)  # fmt: skip
RUNNERS_LEFT_OUT = ("ANSIBLE_HOST_KEY_CHECKING", "ORIGINAL_STDOUT_CALLBACK")
# The play runs in another folder.
PATHS = ("ANSIBLE_CONFIG", "ANSIBLE_VAULT_PASSWORD_FILE")
RUN_ID = "ONCALL_RUN_ID"
RECORD_ID = "ONCALL_RECORD_ID"
UNTOUCHED, UNTOUCHED_FILE = "untouched", "ONCALL_UNTOUCHED_FILE"
NOT_BEGUN, NOT_BEGUN_FILE = "not_begun", "ONCALL_NOT_BEGUN_FILE"
# Read by the play before each claim: see plugins/action/ledger.py.
LEASE_FILE = "ONCALL_LEASE_FILE"
# Tells the callback `record` whose play it is: see plugin_utils/parent_death.py.
PROGRAM = "ONCALL_PROGRAM"
# So long may a task that is in progress go on when this program was killed.
ORPHAN_SECONDS = 120.0
SEEN_EVERY_SECONDS = 10.0
DIES_SECONDS = 5.0
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
    with _private_folder(job.run_id) as folder:
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
        config.env = {**environment_of(job, config.env), **files_of_play, **lease}
        config.command[0] = beside_python(config.command[0])
        config.pexpect_timeout = LOOK_EVERY_SECONDS
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
        ended.untouched = is_over and untouched.exists()
        return ended


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
        if time.monotonic() - self._seen_at > SEEN_EVERY_SECONDS:
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


def kill(run_id: str) -> bool:
    """Kill every process of a run: each has its id in its environment, also where it left the session.

    What became a daemon is spared: a service that a remedy started, the connection that ssh keeps open for others.

    Returns:
        Whether all of them are dead.
    """
    found = _processes(run_id)
    # Not before all are found: what has lost its parent looks like a daemon.
    for process in found:
        with suppress(psutil.Error):
            process.kill()
    deadline = time.monotonic() + DIES_SECONDS
    while not all(map(_is_dead, found)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _processes(run_id: str) -> list[psutil.Process]:
    """Those of a run, without what became a daemon."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if _is_of(run_id, process.pid) and process.pid != os.getpid() and not _is_daemons(run_id, process):
                found.append(process)
    return found


def _is_dead(process: psutil.Process) -> bool:
    try:
        # Nobody may be there to bury it.
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _is_of(run_id: str, pid: int) -> bool:
    return f"{RUN_ID}={run_id}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


def _is_daemons(run_id: str, process: psutil.Process) -> bool:
    """Whether the leader of its session is a program that is nobody's child in this run, and not Ansible itself."""
    try:
        leader = psutil.Process(os.getsid(process.pid))
        return not any("ansible" in part for part in leader.cmdline()) and not _is_of(run_id, leader.ppid())
    except psutil.NoSuchProcess:
        return False
    except PermissionError:
        # Its parent is somebody else's.
        return True


def environment_of(job: Job, prepared: Mapping[str, str]) -> dict[str, str]:
    """What the play sees: what is kept of ours, what ansible-runner needs, and where the collection is."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if (name in KEPT or name.startswith(KEPT_PREFIXES) or name in job.keep_environment)
        and not name.startswith(LEFT_OUT)
    }
    # Not what it would rather have: unchecked host keys, another callback.
    runners = {
        name: str(value)
        for name, value in prepared.items()
        if os.environ.get(name) != value and name not in RUNNERS_LEFT_OUT
    }
    environment = {"LANG": "C.UTF-8", **inherited, **runners}
    if "ANSIBLE_CONFIG" not in environment and Path("ansible.cfg").is_file():
        environment["ANSIBLE_CONFIG"] = "ansible.cfg"
    for name in PATHS:
        if environment.get(name):
            environment[name] = str(Path(environment[name]).expanduser().absolute())
    environment.update(
        ANSIBLE_COLLECTIONS_PATH=os.pathsep.join([str(collections_path()), *_collection_paths(environment)]),
        ANSIBLE_CALLBACKS_ENABLED="oncall.runbooks.record",
        ANSIBLE_PIPELINING=environment.get("ANSIBLE_PIPELINING", "true"),
        # Each would only be a warning, and a run on fewer hosts than were meant a good one.
        ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="true",
        ANSIBLE_HOST_PATTERN_MISMATCH="error",
        # Whatever a file of settings says: what is hidden from the log is hidden from this program.
        ANSIBLE_NO_LOG="false",
        **{RUN_ID: job.run_id, RECORD_ID: job.run_id, PROGRAM: f"{os.getpid()} {ORPHAN_SECONDS:g}"},
    )
    return environment


def _collection_paths(environment: Mapping[str, str]) -> list[str]:
    """Where else this user keeps collections."""
    if named := os.environ.get("ANSIBLE_COLLECTIONS_PATH"):
        return named.split(os.pathsep)
    config = ConfigParser(interpolation=None, strict=False)
    if "ANSIBLE_CONFIG" in environment:
        file = Path(environment["ANSIBLE_CONFIG"])
        with suppress(OSError, ConfigError, UnicodeDecodeError):
            config.read_string(file.read_text(encoding="utf-8"))
            if named := config.get("defaults", "collections_path", fallback=""):
                return [str(file.parent / Path(path).expanduser()) for path in named.split(os.pathsep)]
    return [str(Path("~/.ansible/collections").expanduser()), "/usr/share/ansible/collections"]


def beside_python(program: str) -> str:
    """The program of the environment that this runs in, which need not be on PATH."""
    beside = Path(sys.executable).parent / program
    found = str(beside) if beside.is_file() else shutil.which(program)
    if not found:
        raise OncallError(f"there is no {program} beside {sys.executable} or on PATH; install ansible-core there")
    return found


def runtime_folder() -> Path:
    """Where running plays have their folders, for this user alone."""
    base = os.environ.get("XDG_RUNTIME_DIR") or f"{Path('~/.local/state').expanduser()}"
    folder = Path(base) / "oncall" / "runs-in-progress"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OncallError(f"cannot make {folder}: {error.strerror}; set XDG_RUNTIME_DIR to a folder of yours") from None
    return folder


@contextmanager
def _private_folder(run_id: str) -> Iterator[Path]:
    """A folder for one run, 0700; locked while the run lives, and removed with all that ansible-runner wrote."""
    base = runtime_folder()
    with base.with_suffix(".lock").open("w") as gate:
        # One at a time: a folder that is not locked yet would look like a folder left behind by a dead run.
        fcntl.flock(gate, fcntl.LOCK_EX)
        _sweep(base.iterdir(), spare_living=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{run_id}-", dir=base))
        lock = (folder / "lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.close()


@dataclass(frozen=True)
class Left:
    """Runs that were killed with their program, and whose processes are dead.

    Attributes:
        untouched: those that certainly claimed nothing in a ledger.
        not_begun: those that certainly began no remedy, whatever they had claimed.
    """

    untouched: frozenset[str] = frozenset()
    not_begun: frozenset[str] = frozenset()


def sweep() -> Left:
    """Remove what runs left behind that were killed with their program: folders, and processes that still go on."""
    base = runtime_folder()
    with base.with_suffix(".lock").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        return _sweep(base.iterdir(), spare_living=False)


def _sweep(folders: Iterable[Path], spare_living: bool) -> Left:
    """Those whose lock nobody holds any more."""
    untouched: set[str] = set()
    not_begun: set[str] = set()
    for folder in folders:
        with suppress(OSError), (folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            run = folder.name.partition("-")[0]
            # Cut off between a stop and a start, it would leave a service down. What goes on for so long does not end itself.
            is_late = abs(time.time() - os.fstat(lock.fileno()).st_mtime) > ORPHAN_SECONDS + SEEN_EVERY_SECONDS
            if spare_living and not is_late and _processes(run):
                continue
            # While one lives, it may still begin one.
            is_dead = kill(run)
            for name, runs in ((UNTOUCHED, untouched), (NOT_BEGUN, not_begun)):
                if is_dead and (folder / name).exists():
                    runs.add(run)
            shutil.rmtree(folder, ignore_errors=True)
    return Left(frozenset(untouched), frozenset(not_begun))
