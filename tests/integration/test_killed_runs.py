# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing of a run lives on without a deadline when its program is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from ansible_collections.oncall.runbooks.plugins.plugin_utils.parent_death import PROGRAM, descendants, parents
from ansible_collections.oncall.runbooks.tests.support.killed_runs import (
    ORPHAN_SECONDS,
    goes_on_alone,
    kill_runs,
    killed,
)
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from oncall import execution, folders


def test_at_random_moments(tmp_path):
    found = kill_runs(tmp_path, kills=2)
    assert (found.kills, found.twice, found.left) == (2, 0, 0)


@pytest.mark.parametrize("hangs_up", [True, False], ids=["in a terminal", "with nohup"])
def test_in_a_remedy_that_does_not_end(tmp_path, hangs_up):
    with killed(tmp_path / "run", remedy_seconds=600) as one:
        program = one.start(hangs_up)
        until(one.host.effects)
        # nohup becomes the program, and what it begins first is Ansible.
        (main,) = psutil.Process(program.pid).children()
        program.kill()
        program.wait()
        # No other task begins, and nobody waits for results that never come.
        main.wait(2)
        # What is in progress may end, and is not cut off at once: that could leave a service down.
        assert one.processes()
        assert one.seconds_until_none_lives(ORPHAN_SECONDS + 5) is not None
        assert one.host.effects() == 1


def test_the_next_run_ends_what_went_on_for_too_long(tmp_path, monkeypatch):
    """Such as where no kernel told the worker, or nothing of Python runs any more."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    left = folders.runtime_folder() / "0123456789ab-xyz"
    with goes_on_alone(left) as play:
        with folders.private_folder("a" * 12):
            assert play.poll() is None
        last_seen = time.time() - folders.ORPHAN_SECONDS - 60
        os.utime(left / "lock", (last_seen, last_seen))
        with folders.private_folder("b" * 12):
            assert play.wait(10) != 0
            assert not left.exists()


def test_a_program_leaves_behind_until_when_it_lived(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "SEEN_EVERY_SECONDS", 0.0)
    lock = tmp_path / "lock"
    lock.touch()
    os.utime(lock, (1, 1))
    job = execution.Job(run_id="a", playbook=tmp_path, inventories=("h,",))
    watch = execution._Watch(job, lock)
    time.sleep(0.01)
    assert not watch.is_over()
    assert lock.stat().st_mtime > time.time() - 60


def test_a_play_within_a_play_is_not_ended_by_its_grandparent():
    """Its parent is another one, so it is not tied to a program that may be gone."""
    code = (
        "from ansible_collections.oncall.runbooks.plugins.plugin_utils.parent_death import end_with_program;"
        "end_with_program(); print('lives')"
    )
    environment = {**os.environ, PROGRAM: "1 5", "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert ended.stdout == "lives\n", ended.stderr


FORKS = """
import os, sys, threading, time
from ansible_collections.oncall.runbooks.plugins.plugin_utils import parent_death
os.environ[parent_death.PROGRAM] = f"{os.getppid()} 0.2"
parent_death.end_with_program()
def fork():
    if not os.fork():
        time.sleep(1.0)
        print("the child lives", flush=True)
        os._exit(0)
thread = threading.Thread(target=fork)
thread.start()
thread.join()
if sys.argv[1] == "stays":
    time.sleep(1.5)
"""


@pytest.mark.parametrize(("way", "says"), [("stays", "the child lives\n"), ("goes", "")])
def test_a_child_has_its_deadline_when_its_process_ends_and_not_its_thread(way, says):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(
        [sys.executable, "-c", FORKS, way], env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=20
    )
    assert ended.stdout == says


@pytest.mark.parametrize(
    ("parent_of", "expected"),
    [
        ({}, []),
        ({2: 1, 3: 2, 4: 3, 5: 1}, [2, 5, 3, 4]),
        # What lost its parent is nobody's child here.
        ({7: 0, 8: 7}, []),
        ({1: 1}, []),
    ],
)
def test_descendants(parent_of, expected):
    assert descendants(1, parent_of) == expected


def test_parents():
    assert parents()[os.getpid()] == os.getppid()
