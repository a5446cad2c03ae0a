# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine of a queue can do, as the plan knows it before anything is tried."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.oncall.runbooks.plugins.module_utils.queues.act import sorted_out
from ansible_collections.oncall.runbooks.plugins.module_utils.queues.engines import STORES, engine
from ansible_collections.oncall.runbooks.plugins.module_utils.replay.replay import ENGINES as REPLAYED
from ansible_collections.oncall.runbooks.plugins.plugin_utils.verbs import QUEUE, missing_for

ENGINES = Path(__file__).parents[4] / "roles" / "queue" / "engines"
QUEUES = {
    "mail": {"engine": "graphile_worker"},
    "events": {"engine": "table", "actions": {"retry": "UPDATE events SET n = 1 RETURNING id"}},
    "own": {"engine": "bullmq", "commands": {"pause": ["queuectl", "pause"]}},
    "odd": {"engine": "../../service"},
    "none": "graphile_worker",
}


@pytest.mark.parametrize(
    ("queue", "verb", "missing"),
    [
        ("mail", "retry", ""),
        ("events", "retry", ""),
        ("own", "pause", ""),
        ("events", "cancel", "queue events: cancel with the engine table needs system_queues.events.actions.cancel"),
        (
            *("mail", "pause"),
            "queue mail: the engine graphile_worker has no pause; it can: cancel, replay, retry, set_aside;"
            " or give it system_queues.mail.commands.pause",
        ),
        ("mial", "retry", "queue mial is not in system_queues; it has: mail, events, none, odd, own"),
        ("odd", "retry", f"queue odd: unknown engine ../../service; known engines: {', '.join(sorted(STORES))}"),
        ("none", "retry", "system_queues.none must be a dict with at least the key engine"),
    ],
)
def test_missing_for(queue, verb, missing):
    assert missing_for(QUEUE, str(ENGINES), QUEUES, queue, verb) == missing


def test_every_engine_says_what_it_can_do_and_what_acts_says_so():
    folders = {folder.name: yaml.safe_load((folder / "verbs.yml").read_text()) for folder in ENGINES.iterdir()}
    assert set(folders) == set(STORES)
    assert {name for name, verbs in folders.items() if set(verbs) - {"replay"}} == {
        name for name in STORES if hasattr(engine(name), "act")
    }
    assert {name for name, verbs in folders.items() if "replay" in verbs} == set(REPLAYED)


def test_what_a_replay_needs_is_known_before_it_is_tried():
    url = {"application": ["node", "-"], "application_url_variable": "REDIS_URL"}
    queues = {"mail": {"engine": "bullmq", "commands": {"replay": ["true"]}}, "post": {"engine": "rq", **url}}
    missing = "queue mail: replay with the engine bullmq needs system_queues.mail.application, system_queues.mail.application_url_variable"
    assert missing_for(QUEUE, str(ENGINES), queues, "mail", "replay") == missing
    assert missing_for(QUEUE, str(ENGINES), queues, "post", "replay") == ""


def test_each_job_is_told_of_once():
    told = sorted_out(["1", "2", "3"], {"done": ["2"], "there": ["2", "3"]})
    assert told["done"] == ["2"]
    assert [one["id"] for one in told["left_alone"]] == ["1", "3"]
