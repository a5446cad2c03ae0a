# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded lab as fixtures: one for all tests of a session, in a state folder of its own."""

from __future__ import annotations

import pytest

from lab import Lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A running lab; for plays give LAB_HOME=lab.home in their environment. Heal what you inject."""
    lab = Lab(tmp_path_factory.mktemp("lab") / "home", say=lambda line: print("lab:", line))
    try:
        lab.up()
        yield lab
    finally:
        lab.down(purge=True)


@pytest.fixture
def healthy_lab(lab):
    """The lab with no fault before the test and none after it: each leaves it so to the next."""
    yield lab
    lab.up()
    lab.heal_all()


@pytest.fixture
def player(lab, tmp_path):
    """Runs playbooks against the lab."""
    from plays import Player

    return Player(lab.home, tmp_path)
