# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API of a running service, held to its own document by schemathesis: what it allows is done, and what it does not is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ansible_collections.oncall.runbooks.tests.support.incident_api import TOKENS, Person, with_people
from oncall.serve.api.operations import OPERATIONS

SECONDS = 25
# What ends an incident is tried on others, so that it goes on for the rest. A valid request may make no sense (422), or not now (409).
SETTINGS = """\
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "422"]
negative_data_rejection.expected-statuses = ["400", "404", "405", "413", "415"]

[parameters]
incident = "INC-1"

[[operations]]
include-operation-id = "merge"
parameters = { incident = "INC-2" }

[[operations]]
include-operation-id = "cancel"
parameters = { incident = "INC-3" }

[[operations]]
include-operation-id = ["resolve", "reopen", "close", "review"]
parameters = { incident = "INC-4" }
"""


def test_the_api_is_as_its_document_says(tmp_path):
    serving = with_people(tmp_path)
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    try:
        serving.start()
        eve = Person(serving, "eve")
        told = eve.ask("GET", "/openapi.json").told
        assert told["openapi"] == "3.1.0" and sum(map(len, told["paths"].values())) == len(OPERATIONS)
        for number in range(4):
            eve.open(f"number {number}")
        # One worker: hypothesis parses its own source, and of two threads that do that at once one fails in CPython 3.11 ("AST
        # constructor recursion depth mismatch", github.com/python/cpython/issues/106905).
        argv = [
            str(Path(sys.executable).with_name("schemathesis")), "--config-file", "schemathesis.toml", "run",
            f"http://127.0.0.1:{serving.port}/api/v1/openapi.json", "--header", f"Authorization: Bearer {TOKENS['eve']}",
            "--checks", "all", "--max-examples", "10", "--max-time", str(SECONDS), "--seed", "1", "--no-color", "--workers", "1",
        ]  # fmt: skip
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
        # It has tried something.
        assert eve.get("/incidents/INC-1")["head"]["number"] > 10
        assert serving.command("incident", "verify").returncode == 0
        assert "is not done" not in serving.log.read_text(), serving.log.read_text()[-3000:]
    finally:
        serving.stop()
