# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a team says of its severities and its people holds for all who ask the books."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.tests.support.incident_books import books
from oncall.incidents.books import NotDone, Rules


def test_what_a_team_has_said_holds_for_all_who_ask_the_books(tmp_path):
    rules = Rules(lambda scheme: {"synap": ("P0", "P1")}.get(scheme, ()), ("ann", "bob"))
    with books(tmp_path, rules=rules) as (incidents, _store):
        with pytest.raises(NotDone, match="no severity 'P7' in the scheme synap; there are P0, P1"):
            incidents.open("x", who="ann", severity="P7", scheme="synap")
        incidents.open("x", who="ann", severity="p1", scheme="synap")
        with pytest.raises(NotDone, match="no severity 'P2' in the scheme synap"):
            incidents.severity("1", "P2", who="ann")
        assert incidents.severity("1", "P0", who="ann").entries[0].data["raised"] is True
        with pytest.raises(NotDone, match="nobody is called 'zoe'; there are ann, bob"):
            incidents.assign("1", "zoe", who="ann")
        with pytest.raises(NotDone, match="nobody is called 'bobb'; did you mean bob"):
            incidents.role("1", "scribe", "bobb", who="ann")
        told = []
        incidents._on_done = told.append
        incidents.assign("1", "bob", who="ann")
        incidents.assign("1", "bob", who="ann")
        assert [one.entries[0].kind for one in told] == ["assigned"]
