# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An outside provider of exchange rates; a file says how it misbehaves."""

from __future__ import annotations

import http.server
import json
import sys
import time
from pathlib import Path


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        try:
            wrong = json.loads(Path(sys.argv[2]).read_text())
        except (OSError, ValueError):
            wrong = {}
        time.sleep(wrong.get("seconds", 0))
        body = b'{"rate": 1.08}'
        self.send_response(wrong.get("status", 200))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
