# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service remembers of the inventory, and how long it waits for a fresh look."""

from __future__ import annotations

import threading
import time

import pytest

from ansible_collections.oncall.runbooks.tests.support.waiting import until
from oncall import OncallError, inventory
from oncall.inventory import Names
from oncall.serve import hosts
from oncall.serve.settings import Settings


class Told:
    """What the inventory tells, and from when on."""

    def __init__(self) -> None:
        self.hosts, self.goes_on, self.looks = frozenset({"a"}), threading.Event(), 0
        self.error = ""
        self.goes_on.set()

    def __call__(self, _inventories, _keep_environment) -> Names:
        self.looks += 1
        assert self.goes_on.wait(60)
        if self.error:
            raise OncallError(self.error)
        return Names(self.hosts, frozenset({"all"}))


@pytest.fixture
def told(monkeypatch) -> Told:
    told = Told()
    monkeypatch.setattr(inventory, "names", told)
    monkeypatch.setattr(hosts, "INVENTORY_SECONDS", 0.0)
    return told


@pytest.fixture
def remembered(told, tmp_path) -> hosts.Inventory:
    settings = Settings(("hosts.yml",), str(tmp_path), {})
    return hosts.Inventory(settings, tmp_path / "serve.yml")


def test_a_host_that_is_new_is_known_after_a_fresh_look(told, remembered):
    told.hosts = frozenset({"a", "b"})
    assert remembered.names(False).hosts == {"a"}
    assert remembered.names(True).hosts == {"a", "b"}


def test_one_that_hangs_is_waited_for_a_while_and_is_not_begun_twice(told, remembered, monkeypatch, caplog):
    monkeypatch.setattr(hosts, "WAIT_SECONDS", 0.2)
    told.hosts = frozenset({"a", "b"})
    told.goes_on.clear()
    for _ in range(3):
        began = time.monotonic()
        assert remembered.names(True).hosts == {"a"}
        assert time.monotonic() - began < 5
    assert told.looks == 2
    assert "takes more than 0.2 s" in caplog.text
    told.goes_on.set()
    until(lambda: remembered.names(False).hosts == {"a", "b"})


def test_one_that_cannot_be_read_stays_what_it_was(told, remembered, caplog):
    told.error = "cannot read the inventory hosts.yml: it is away"
    assert remembered.names(True).hosts == {"a"}
    assert "the inventory stays what it was: cannot read" in caplog.text
