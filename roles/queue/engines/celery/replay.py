# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists failed tasks of Celery, tells how tasks ended, and sends them again under the same id, with the library of the application.

The module queue_replay hands it to the application's Python on its standard input, with what it is to do in the place of REQUEST. It
prints one line. Celery keeps what a task was called with only where the application has result_extended, and it is read only where it is
JSON.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from datetime import datetime, timezone

REQUEST = json.loads("REQUEST")
END = time.monotonic() + REQUEST.get("seconds", 0)
PLACES = {"SUCCESS": "done", "FAILURE": "dead", "REVOKED": "dead", "REJECTED": "dead", "STARTED": "running"}


def application():
    from celery.app.utils import find_app

    sys.path[:0] = [""]
    app = find_app(REQUEST["application_name"])
    if not hasattr(app.backend, "client") or not hasattr(app.backend.client, "scan_iter"):
        raise RuntimeError("its results are not in Redis, where failed tasks can be found")
    if app.conf.result_serializer != "json":
        raise RuntimeError(f"its results are {app.conf.result_serializer}, and only JSON is read")
    if not app.conf.result_extended:
        raise RuntimeError("it does not keep what tasks were called with: set result_extended")
    return app


def told(raw):
    """A result, if it is one that says what it was of."""
    try:
        found = json.loads(raw)
    except (TypeError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("task_id") else None


def of_task(app, identity):
    return told(app.backend.client.get(app.backend.get_key_for_task(identity)))


def error_of(found):
    result = found.get("result")
    if not isinstance(result, dict):
        return ""
    message = result.get("exc_message")
    message = message[0] if isinstance(message, list) and message else message
    return f"{result.get('exc_type')}: {message}"


def mark(found):
    return str(found.get("date_done"))


def seconds(found):
    try:
        ended = datetime.fromisoformat(mark(found))
    except ValueError:
        return None
    return (ended if ended.tzinfo else ended.replace(tzinfo=timezone.utc)).timestamp()


def called_with(found):
    return json.dumps([found.get("args"), found.get("kwargs")], sort_keys=True).encode()


def dead(app):
    key = app.backend.get_key_for_task("0")
    prefix = (key.decode() if isinstance(key, bytes) else key)[:-1]
    pattern = "".join(f"[{sign}]" if sign in "*?[]\\" else sign for sign in prefix) + "*"
    found = []
    for key in app.backend.client.scan_iter(match=pattern, count=1000):
        one = told(app.backend.client.get(key))
        if one and one.get("status") == "FAILURE" and one.get("queue") == REQUEST["queue"] and one.get("name"):
            found.append(one)
    found.sort(key=lambda one: (seconds(one) or 0, one["task_id"]))
    return [
        {
            "id": one["task_id"],
            "name": one["name"],
            "error": error_of(one)[:2000],
            "mark": mark(one),
            "sha256": hashlib.sha256(called_with(one)).hexdigest(),
            "at_seconds": seconds(one),
        }
        for one in found[: REQUEST["most"]]
    ]


def places(app):
    found = []
    for identity in REQUEST["ids"]:
        one = of_task(app, identity)
        if one:
            place = PLACES.get(one.get("status"), "waiting")
            found.append({"id": identity, "place": place, "mark": mark(one), "error": error_of(one)[:2000]})
    return found


def send(app):
    sent = []
    for identity, copied in REQUEST["marks"]:
        # What is late is left: a run that follows must know when nothing more is sent.
        if time.monotonic() > END or time.time() > REQUEST["until_seconds"]:
            break
        one = of_task(app, identity)
        if not one or one.get("status") != "FAILURE" or mark(one) != copied:
            continue
        app.send_task(one["name"], args=one.get("args"), kwargs=one.get("kwargs"), task_id=identity, queue=one["queue"])
        sent.append(identity)
    return sent


def main():
    try:
        app = application()
        answer = {"dead": dead, "places": places, "send": send}[REQUEST["what"]](app)
        print(json.dumps({"answer": answer}))
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}".splitlines()[0]}))
        sys.exit(1)


main()
