# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where customers of the corner shop get in: a session in a cookie, no token, no identity provider. Writes need a permit while the shop is frozen.

Its log is of key and value. What is wrong with it is in gatehouse.json, in its folder.
"""

from __future__ import annotations

import http.server
import json
import secrets
import sys
import threading
import time
from pathlib import Path

PORT, HOME, WORD, MASTER = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
SESSIONS: set[str] = set()
PERMITS: dict[int, dict[str, object]] = {}
ROOM = threading.Lock()


def told() -> dict[str, object]:
    try:
        found: dict[str, object] = json.loads((HOME / "gatehouse.json").read_text())
        return found
    except (OSError, ValueError):
        return {}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.meet({})

    def do_POST(self) -> None:
        self.meet(json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}"))

    do_DELETE = do_POST

    def meet(self, given: dict[str, object]) -> None:
        status, found, cookie = self.answered(given)
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if cookie:
            self.send_header("Set-Cookie", "seen=1; Path=/")
            self.send_header("Set-Cookie", cookie)
        self.end_headers()
        self.wfile.write(body)
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        who = self.headers.get("X-Real-IP") or self.client_address[0]
        print(
            f"time={at} level=INFO msg=request method={self.command} path={self.path} status={status} remote_addr={who}:40000",
            flush=True,
        )

    def answered(self, given: dict[str, object]) -> tuple[int, object, str]:
        how = told()
        if self.path == "/session":
            if given.get("word") != WORD:
                return 401, {"sorry": "we do not know you"}, ""
            session = secrets.token_hex(12)
            SESSIONS.add(session)
            return 201, {}, f"gate={session}; {how.get('cookie', 'Path=/; HttpOnly; SameSite=Lax')}"
        if self.path in ("/basket", "/loyalty"):
            pairs = [one.strip().partition("=") for one in (self.headers.get("Cookie") or "").split(";")]
            if not any(name == "gate" and value in SESSIONS for name, _sign, value in pairs):
                return 401, {"sorry": "who are you"}, ""
            return (
                (403, {"sorry": "not yet for everybody"}, "")
                if self.path == how.get("closed")
                else (200, {"basket": []}, "")
            )
        if self.path == "/frozen":
            return 200, {"frozen": "yes" if how.get("frozen") else "no", "sign": how.get("sign", "open")}, ""
        if self.path.startswith("/permits"):
            return (*self.permits(given), "")
        return 404, {}, ""

    def permits(self, given: dict[str, object]) -> tuple[int, object]:
        if self.headers.get("X-Master") != MASTER:
            return 403, {"sorry": "the master alone"}
        with ROOM:
            if self.command == "POST":
                number = len(PERMITS) + 1
                PERMITS[number] = {"secret": secrets.token_hex(16), "why": given["why"], "open": True}
                return 201, {"permit": {"number": number, "secret": PERMITS[number]["secret"]}}
            if self.command == "DELETE":
                PERMITS[int(self.path.rpartition("/")[2])]["open"] = False
                return 204, {}
            return 200, [{"number": number, "why": one["why"]} for number, one in PERMITS.items() if one["open"]]

    def log_message(self, *_args: object) -> None:
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
