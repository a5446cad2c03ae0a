# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An outside provider of payments that speaks what Stripe documents: one payment, sent until the ledger takes it."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

PORT, ENDPOINT, KEY, SECRET = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
EVENT = {
    "id": "evt_corner1", "object": "event", "created": int(time.time()) - 3600, "type": "checkout.session.completed",
    "livemode": True, "pending_webhooks": 1,
    "data": {"object": {"id": "cs_1", "payment_intent": "pi_corner1", "amount_total": 1250, "currency": "eur"}},
}  # fmt: skip


def deliver() -> None:
    while EVENT["pending_webhooks"]:
        body, now = json.dumps(EVENT).encode(), int(time.time())
        signature = hmac.new(SECRET.encode(), b"%d." % now + body, hashlib.sha256).hexdigest()
        request = urllib.request.Request(ENDPOINT, body, {"Stripe-Signature": f"t={now},v1={signature},v0=0"})
        with suppress(OSError), urllib.request.urlopen(request, timeout=10):
            EVENT["pending_webhooks"] = 0
        time.sleep(0.5)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = parse_qs(url.query)
        status, found = 200, None
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            status, found = 401, {"error": {"message": "Invalid API Key provided"}}
        elif url.path == "/v1/webhook_endpoints":
            endpoint = {"id": "we_1", "url": ENDPOINT, "status": "enabled", "enabled_events": [EVENT["type"]]}
            found = {"object": "list", "has_more": False, "data": [endpoint]}
        elif url.path == "/v1/events":
            is_wanted = asked.get("delivery_success", ["true"]) == ["false" if EVENT["pending_webhooks"] else "true"]
            found = {"object": "list", "has_more": False, "data": [EVENT] if is_wanted else []}
        else:
            status, found = 404, {"error": {"message": "Unrecognized request URL"}}
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


threading.Thread(target=deliver, daemon=True).start()
http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
