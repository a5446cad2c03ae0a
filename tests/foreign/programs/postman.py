# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker: sends what is in the outbox, does chores at their time, and says on a port whether it does."""

from __future__ import annotations

import http.server
import os
import sys
import threading
import time
from pathlib import Path

import psycopg

last, sent = time.monotonic(), 0


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        age = time.monotonic() - last
        body = (
            f"# TYPE postman_sent_total counter\npostman_sent_total {sent}\n"
            f"# TYPE postman_last_round_age_seconds gauge\npostman_last_round_age_seconds {age:.2f}\n"
            if self.path == "/metrics"
            else f"last round {age:.1f} s ago\n"
        ).encode()
        self.send_response(503 if self.path != "/metrics" and age > 3 else 200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


def main() -> None:
    global last, sent
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"INFO postman listens on {sys.argv[1]}", flush=True)
    while True:
        try:
            with psycopg.connect(
                os.environ["POSTMAN_DATABASE"], application_name="postman", prepare_threshold=None, connect_timeout=2
            ) as database:
                while True:
                    if Path(os.environ["POSTMAN_STANDS_STILL"]).exists():
                        time.sleep(0.1)
                        continue
                    done = database.execute(
                        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT 50 FOR UPDATE SKIP LOCKED)"
                    )
                    database.execute(
                        "UPDATE chores SET begun = now() WHERE begun IS NULL OR begun < now() - make_interval(secs => every_seconds)"
                    )
                    database.commit()
                    sent += done.rowcount
                    last = time.monotonic()
                    time.sleep(0.1)
        except psycopg.Error as error:
            print(f"ERROR postman: {str(error).splitlines()[0]}", flush=True)
            time.sleep(0.5)


main()
