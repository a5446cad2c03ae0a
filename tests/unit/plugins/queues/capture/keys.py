# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write every key of a Redis into a file of the tests: PORT FILE WHAT SCRIPT.

Without stack traces, which nothing here reads and which name the machine.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from pathlib import Path

import redis

port, file, what, script = sys.argv[1:]
client = redis.Redis(port=int(port))
for key in client.scan_iter("*", _type="hash"):
    client.hdel(key, "stacktrace")
keys = {base64.b64encode(key).decode(): base64.b64encode(client.dump(key)).decode() for key in sorted(client.keys("*"))}
note = f"What {what} wrote into an empty Redis 6.2 in a run of ../capture/{script}: each key and its DUMP, in base64."
Path(file).write_text(json.dumps({"note": note, "now_seconds": time.time(), "keys": keys}, indent=0) + "\n")
