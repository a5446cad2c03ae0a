# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sync_state_info tells of connectors in a real PostgreSQL, behind a real HTTP server and by real commands."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.connectors.error_classes import (
    class_of,
    retry_after_of,
    table_of,
)
from ansible_collections.oncall.runbooks.tests.support.connectors import Synchronising, look
from ansible_collections.oncall.runbooks.tests.support.observing import answering
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import server as postgres

HOSTILE = (
    "'; DROP TABLE connector_sync_state; --",
    "../x",
    "--reset",
    "{{ lookup('pipe', 'id') }}",
    "a\nb\x1b[31m",
    "password=s3cretdata",
)
TABLE = {"source": "table"}


@pytest.fixture(scope="module")
def server():
    with postgres("wal_level = logical", "max_replication_slots = 5") as running:
        yield running


@pytest.fixture(scope="module")
def synchronising(server, tmp_path_factory):
    return Synchronising(server, tmp_path_factory.mktemp("sync"))


@pytest.fixture
def table(synchronising):
    synchronising.clear()
    return synchronising


def one(found, source="app"):
    """The one connector of the one source."""
    assert found["available"], found
    (connector,) = found["sources"][source]["connectors"]
    return connector


# ---------------------------------------------------------------------- a table
def test_a_row_in_the_words_of_all(server, table):
    table.put(
        "crm",
        90,
        last_success_at=5,
        status="failed",
        retry_count=3,
        last_error="HTTP 401 for key=s3cretdata of jo@example.com",
    )
    found = look(server, app=TABLE)
    assert (found["complete"], found["limits"]) == (True, [])
    connector = one(found)
    assert connector["lag_seconds"] == pytest.approx(5400, abs=30)
    assert connector["last_success_age_seconds"] == pytest.approx(300, abs=30)
    assert (connector["lag_of"], connector["state"], connector["retry_count"]) == ("watermark", "failed", 3)
    assert (connector["error_class"], connector["plain_name"]) == ("credential", True)
    assert "example.com" not in connector["error"]
    # What it does not keep is absent, and what nobody named stays there.
    assert not {"max_retries", "pending", "dead_letters", "moved", "record"} & set(connector)
    assert "s3cretdata" not in json.dumps(found)


def test_columns_of_other_names(server, table):
    server.execute('CREATE TABLE IF NOT EXISTS "Feeds" (feed text, "upTo" timestamptz, "leastOk" timestamp)')
    server.execute('GRANT SELECT ON "Feeds" TO oncall')
    server.execute('TRUNCATE "Feeds"')
    server.execute(
        "INSERT INTO \"Feeds\" VALUES ('erp', now() - interval '2 h', (now() AT TIME ZONE 'UTC') - interval '1 h')"
    )
    columns = {"name": "feed", "watermark": "upTo", "last_success_at": "leastOk"}
    connector = one(look(server, app={**TABLE, "table": "Feeds", "columns": columns}))
    assert connector["lag_seconds"] == pytest.approx(7200, abs=30)
    assert connector["last_success_age_seconds"] == pytest.approx(3600, abs=30)
    found = look(server, app={**TABLE, "table": "Feeds", "columns": {**columns, "status": "condition"}})
    assert (found["complete"], found["limits"]) == (False, ["app: there is no column condition for status"])


def test_without_a_watermark_it_is_the_last_success_and_says_so(server, table):
    table.put("crm", 90, last_success_at=70)
    connector = one(look(server, app={**TABLE, "columns": {"watermark": ""}}))
    assert (connector["lag_of"], connector["lag_seconds"]) == ("last_success_at", pytest.approx(4200, abs=30))


def test_a_watermark_that_is_none_yet_is_not_known(server, table):
    table.put("crm", 0)
    server.execute("UPDATE connector_sync_state SET watermark = NULL")
    assert "lag_seconds" not in one(look(server, app=TABLE))


def test_a_statement_with_a_parameter(server, table):
    table.put("crm", 10)
    table.put("erp", 20)
    statement = "SELECT connector, watermark, 7 AS dead_letters FROM connector_sync_state WHERE connector = :which"
    connector = one(look(server, app={**TABLE, "statement": statement, "parameters": {"which": "erp"}}))
    assert (connector["name"], connector["dead_letters"]) == ("erp", 7)


def test_two_looks_tell_whether_a_watermark_moves(server, table):
    table.put("crm", 90)
    still = one(look(server, 0.3, app=TABLE))
    assert still["moved"] == 0.0
    assert still["moved_in_seconds"] >= 0.3
    stop = threading.Event()

    def advance():
        while not stop.is_set():
            server.execute("UPDATE connector_sync_state SET watermark = watermark + interval '1 min'")

    mover = threading.Thread(target=advance)
    mover.start()
    try:
        assert one(look(server, 0.5, app=TABLE))["moved"] >= 60
    finally:
        stop.set()
        mover.join()


def test_hostile_names_are_data(server, table):
    for name in HOSTILE:
        table.put(name, 90)
    found = look(server, app=TABLE)
    connectors = found["sources"]["app"]["connectors"]
    assert len(connectors) == len(HOSTILE)
    assert not [connector for connector in connectors if connector["plain_name"]]
    assert not [connector for connector in connectors if "\n" in connector["name"] or "\x1b" in connector["name"]]
    assert "s3cretdata" not in json.dumps(found)
    assert one(look(server, app={**TABLE, "only": ["../x"]}))["name"] == "../x"


def test_two_of_one_name_are_not_acted_on(server, table):
    table.put("crm", 90)
    table.put("crm", 10)
    found = look(server, app=TABLE)
    assert [connector["plain_name"] for connector in found["sources"]["app"]["connectors"]] == [False, False]
    assert "several connectors have the name crm" in found["limits"][0]


def test_a_clock_an_hour_off_is_told(server, table):
    table.put("crm", -60)
    found = look(server, app=TABLE)
    assert not {"lag_seconds", "last_success_age_seconds"} & set(one(found))
    assert not found["complete"]
    # How long the look took is no part of it.
    assert re.search(r"crm: watermark is 3[56]\d\d s in the future: its clock differs", "; ".join(found["limits"]))


def test_a_time_without_a_zone_is_known_where_all_are_in_utc(server, table):
    statement = "SELECT connector, (watermark AT TIME ZONE 'America/New_York') AS watermark FROM connector_sync_state"
    entry = {**TABLE, "statement": statement.replace("America/New_York", "UTC")}
    table.put("crm", 90)
    assert one(look(server, app=entry))["lag_seconds"] == pytest.approx(5400, abs=30)
    server.execute("ALTER DATABASE shop SET TimeZone = 'America/New_York'")
    try:
        found = look(server, app={**TABLE, "statement": statement})
        assert "lag_seconds" not in one(found)
        assert "app: watermark: without a zone; where that is UTC, say so with times_in_utc" in found["limits"][0]
        told = one(look(server, app={**entry, "times_in_utc": True}))
        assert told["lag_seconds"] == pytest.approx(5400, abs=30)
        # With its zone it is the same time, whichever that is.
        assert one(look(server, app=TABLE))["lag_seconds"] == pytest.approx(5400, abs=30)
    finally:
        server.execute("ALTER DATABASE shop RESET TimeZone")


def test_what_never_comes_is_no_age(server, table):
    table.put("crm", 90)
    statement = "SELECT connector, watermark, timestamptz 'infinity' AS {} FROM connector_sync_state"
    found = look(server, app={**TABLE, "statement": statement.format("credential_expires_at")})
    assert (found["complete"], "credential_left_seconds" in one(found)) == (True, False)
    found = look(server, app={**TABLE, "statement": statement.format("next_attempt_at")})
    assert (found["complete"], "next_attempt_seconds" in one(found)) == (False, False)


def test_the_clock_of_the_database_is_compared(server, table):
    table.put("crm")
    assert look(server, app=TABLE)["sources"]["app"]["clock_ahead_seconds"] == pytest.approx(0, abs=5)


def test_words_that_tell_nothing(server, table):
    table.put("crm", status="Purple")
    found = look(server, app=TABLE)
    assert (one(found)["status"], "state" in one(found), found["complete"]) == ("Purple", False, False)
    assert one(look(server, app={**TABLE, "states": {"purple": "ok"}}))["state"] == "ok"


def test_no_table_is_told(server, table):
    found = look(server, app={**TABLE, "table": "nothing.here"})
    assert not found["available"]
    assert "PostgreSQL shop at 127.0.0.1" in found["reason"]
    assert "\n" not in found["reason"]


# ---------------------------------------------------------------------- an API
def api(url, **more):
    fields = {
        "name": "id",
        "status": "state",
        "watermark": "cursor.until",
        "last_error": "error",
        "retry_count": "tries",
    }
    return {"source": "api", "url": url + "/v1/connectors", "list": "connectors", "fields": fields, **more}


def answer(*connectors):
    return json.dumps({"connectors": connectors}).encode()


def ago(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() - seconds))


def test_an_api_in_the_words_of_all():
    crm = {
        "id": "crm",
        "state": "failed",
        "cursor": {"until": ago(7200)},
        "error": "429 Too Many Requests, retry after 60",
        "tries": 2,
    }
    with answering(v1__connectors=answer(crm, {"id": "../x", "cursor": {"until": ago(1)}})) as server:
        found = look(window_seconds=0.1, app=api(server.url, auth={"bearer": "tok-5e1d77aa"}))
        assert len(server.asked) == 2
    first, second = found["sources"]["app"]["connectors"]
    assert (first["name"], first["error_class"], first["retry_after_seconds"]) == ("crm", "rate_limit", 60.0)
    assert (first["lag_seconds"], first["moved"]) == (pytest.approx(7200, abs=20), 0.0)
    assert (second["name"], second["plain_name"]) == ("../x", False)
    assert found["sources"]["app"]["clock_ahead_seconds"] == pytest.approx(0, abs=5)
    assert "document" not in json.dumps(found)


def test_the_clock_of_an_api_counts():
    # It is an hour ahead, and so is what it writes.
    ahead = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 3600))

    def connectors(headers):
        return 200, answer({"id": "crm", "cursor": {"until": ago(-3600 + 60)}}), {"Date": ahead}

    with answering(v1__connectors=connectors) as server:
        found = look(app=api(server.url))
    assert one(found)["lag_seconds"] == pytest.approx(60, abs=20)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((500, b'{"error": "oops"}', {}), "answers 500"),
        ((200, b"<html>login</html>", {"Content-Type": "text/html"}), "HTML or XML and not JSON"),
        ((200, b'{"connectors": [{"id": "cr', {}), "cut off"),
        ((200, b'{"items": []}', {}), "list finds nothing"),
        ((200, b"[" * 100_000, {}), "nested too deeply"),
        ((200, b" " * 50_000_000, {}), "larger than 5000000 bytes"),
        ((302, b"", {"Location": "http://elsewhere.example/"}), "redirects to another place"),
    ],
    ids=["500", "HTML", "truncated", "no list", "deep", "50 MB", "redirect"],
)
def test_an_answer_that_is_none_is_one_line_and_unknown(given, says):
    with answering(v1__connectors=given) as server:
        found = look(app=api(server.url))
    assert (found["available"], found["unknown"]) == (False, ["app"])
    assert says in found["reason"]
    assert "\n" not in found["reason"]
    assert found["sources"]["app"]["connectors"] == []


def test_one_source_that_fails_takes_nothing_from_the_others(server, table):
    table.put("crm", 90)
    found = look(server, app=TABLE, other=api("http://127.0.0.1:9"))
    assert (found["available"], found["complete"], found["unknown"]) == (True, False, ["other"])
    assert one(found)["name"] == "crm"


def test_dead_letters(server, table):
    table.put("crm", 90)
    table.put("erp")
    letters = [{"connector": "crm", "error": f"row {number} has no address jo@example.com"} for number in range(7)]
    dead = {"list": "errors", "fields": {"connector": "connector", "error": "error"}}
    with answering(v1__connectors__errors=json.dumps({"errors": letters}).encode()) as running:
        found = look(server, app={**TABLE, "dead_letters": {"url": running.url + "/v1/connectors/errors", **dead}})
    assert {one["name"]: one["dead_letters"] for one in found["sources"]["app"]["connectors"]} == {"crm": 7, "erp": 0}
    assert found["sources"]["app"]["dead_letters"] == {
        "available": True,
        "total": 7,
        "errors": [{"text": "row <n> has no address <address>", "count": 7, "names": ["crm"]}],
        "unassigned": 0,
    }
    # More than are read, and what is nobody's, may be anybody's.
    letters = [{"connector": "crm"}] * 501 + [{"connector": "Crm"}]
    with answering(v1__connectors__errors=json.dumps({"errors": letters}).encode()) as running:
        found = look(server, app={**TABLE, "dead_letters": {"url": running.url + "/v1/connectors/errors", **dead}})
    counted = {one["name"]: one.get("dead_letters") for one in found["sources"]["app"]["connectors"]}
    assert (counted, found["sources"]["app"]["dead_letters"]["unassigned"]) == ({"crm": 500, "erp": None}, 2)
    found = look(server, app={**TABLE, "dead_letters": {"url": "http://127.0.0.1:9/", **dead}})
    assert not found["complete"]
    assert not [one for one in found["sources"]["app"]["connectors"] if "dead_letters" in one]


# ---------------------------------------------------------------------- commands
def shell(text):
    return {"source": "command", "look": [sys.executable, "-c", text, "{connector}"], "names": ["acme"]}


def test_a_command_that_tells_in_json():
    text = "import json, sys, time; print('beginning'); print(json.dumps({'watermark': time.time() - 600, 'name': 'x', 'status': 'syncing'}))"
    connector = one(look(app=shell(text)))
    assert (connector["name"], connector["state"], connector["lag_seconds"]) == (
        "acme",
        "running",
        pytest.approx(600, abs=20),
    )


def test_a_command_that_fails():
    text = "import sys; print('Error: 422 Validation failed for ' + sys.argv[1]); print('3 of 7 done'); sys.exit(3)"
    connector = one(look(app=shell(text)))
    assert (connector["state"], connector["error_class"]) == ("failed", "validation")
    assert "lag_seconds" not in connector


def test_a_command_of_50_megabytes_is_read_within_bounds():
    text = "import sys\nfor _ in range(500): sys.stdout.write('x' * 100_000)\nprint(); print('getaddrinfo ENOTFOUND api.example.com'); sys.exit(1)"
    assert one(look(app=shell(text)))["error_class"] == "dns"


def test_nothing_of_a_command_is_executed(tmp_path):
    text = f"print('$(touch {tmp_path}/made); `touch {tmp_path}/made`')"
    assert one(look(app=shell(text)))["state"] == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_is_not_there_tells_nothing():
    found = look(app={"source": "command", "look": ["/nowhere/sync"], "names": ["acme"]})
    assert not found["complete"]
    assert "state" not in one(found)


def test_upstreams_are_tested(server, table):
    table.upstream("airtable", "getaddrinfo ENOTFOUND api.airtable.com")
    table.put("crm")
    tests = {name: table.command("test", name) for name in ("ghl", "airtable")}
    told = look(server, app={**TABLE, "tests": tests})["sources"]["app"]["tests"]
    assert told["ghl"] == {"available": True, "ok": True}
    assert (told["airtable"]["ok"], told["airtable"]["error_class"]) == (False, "dns")


def test_the_log_of_the_day(server, table, tmp_path):
    path = tmp_path / time.strftime("sync-%Y-%m-%d.log")
    path.write_text(
        "INFO begun\n" + "".join(f"ERROR client {n}: 429 Too Many Requests token=s3cretdata\n" for n in range(600))
    )
    table.put("crm")
    log = look(server, app={**TABLE, "log": str(tmp_path / "sync-{date}.log")})["sources"]["app"]["log"]
    assert (log["lines"], log["classes"][0]["error_class"], log["classes"][0]["count"]) == (500, "rate_limit", 500)
    assert "s3cretdata" not in json.dumps(log)


def test_a_log_that_is_no_file_is_not_waited_for(server, table, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    table.put("crm")
    log = look(server, app={**TABLE, "log": str(tmp_path / "pipe")})["sources"]["app"]["log"]
    assert (log["available"], log["reason"]) == (False, f"the log {tmp_path}/pipe is no file")


# ---------------------------------------------------------------------- Kafka Connect, in the shape that its documentation has
def kafka(**connectors):
    document = {}
    for name, (state, tasks) in connectors.items():
        rows = [
            {"id": number, "state": task, "worker_id": "w:8083", **({"trace": TRACE} if task == "FAILED" else {})}
            for number, task in enumerate(tasks)
        ]
        document[name] = {
            "status": {
                "name": name,
                "connector": {"state": state, "worker_id": "w:8083"},
                "tasks": rows,
                "type": "sink",
            }
        }
    return json.dumps(document).encode()


TRACE = """org.apache.kafka.connect.errors.ConnectException: Exiting WorkerSinkTask due to unrecoverable exception.
\tat org.apache.kafka.connect.runtime.WorkerSinkTask.deliverMessages(WorkerSinkTask.java:618)
Caused by: java.net.UnknownHostException: warehouse.internal
\tat java.base/java.net.InetAddress.getAllByName0(InetAddress.java:1529)"""


def test_a_connector_that_runs_with_a_task_that_failed():
    document = kafka(
        orders=("RUNNING", ["RUNNING", "FAILED"]),
        users=("PAUSED", []),
        stock=("RUNNING", ["RUNNING"]),
        new=("UNASSIGNED", []),
    )
    with answering(connectors=document) as server:
        found = look(kafka={"source": "kafka_connect", "url": server.url + "/"})
        assert server.asked[0][1] == "/connectors?expand=status"
    told = {one["name"]: one for one in found["sources"]["kafka"]["connectors"]}
    assert {name: one["state"] for name, one in told.items()} == {
        "orders": "failed",
        "users": "paused",
        "stock": "ok",
        "new": "retrying",
    }
    assert (told["orders"]["failed_tasks"], told["orders"]["tasks"], told["orders"]["error_class"]) == ([1], 2, "dns")
    assert "lag_seconds" not in told["stock"]


def test_a_connector_without_a_task_and_one_in_small_letters():
    document = kafka(
        orders=("RUNNING", []), stock=("running", ["failed"]), users=("RUNNING", ["RUNNING", "UNASSIGNED"])
    )
    with answering(connectors=document) as server:
        found = look(kafka={"source": "kafka_connect", "url": server.url})
    told = {one["name"]: one["state"] for one in found["sources"]["kafka"]["connectors"]}
    assert told == {"orders": "ok", "stock": "failed", "users": "retrying"}
    assert found["limits"] == ["kafka: orders: it has no task, so it moves nothing"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("429, Retry-After: 90", 90.0),
        ('{"retry_after":1.5}', 1.5),
        ("please retry in 250 ms", 0.25),
        ("retry after 30 minutes.", 1800.0),
        ("retry after 2h", 7200.0),
        ("Retry-After: Fri, 15 Jan 2027 08:10:00 GMT", 600.0),
        ("retry at 2027-01-15T09:00:00+01:00", 0.0),
        ("retry after 2027-01-15", None),
        ("retried 3 times", None),
    ],
)
def test_how_long_an_error_asks_to_wait(text, seconds):
    assert retry_after_of(text, 1_800_000_000.0) == seconds


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('column "email" does not exist', "schema"),
        ("The table `public.contact` does not exist in the current database. P2021", "schema"),
        ('duplicate key value violates unique constraint "contact_pkey"', "constraint"),
    ],
)
def test_what_every_record_meets_is_not_of_one(text, name):
    assert class_of(text, table_of({})) == name


@pytest.mark.parametrize("document", [b"[]", b'{"orders": {"info": {}}}'])
def test_another_answer_than_that_of_kafka_connect(document):
    with answering(connectors=document) as server:
        found = look(kafka={"source": "kafka_connect", "url": server.url})
    assert not found["complete"]
    assert not [one for one in found["sources"]["kafka"]["connectors"] if "state" in one]


# ---------------------------------------------------------------------- replication slots
def test_slots(server):
    server.execute("SELECT pg_create_logical_replication_slot('debezium', 'pgoutput')")
    try:
        server.execute("CREATE TABLE noise AS SELECT n FROM generate_series(1, 5000) n")
        found = look(server, 0.1, cdc={"source": "replication_slot"})
        slot = one(found, "cdc")
        assert (slot["name"], slot["state"], slot["slot"]["active"], slot["slot"]["lost"]) == (
            "debezium",
            "paused",
            False,
            False,
        )
        assert slot["lag_bytes"] > 100_000
        assert slot["moved"] == 0.0
        assert "lag_seconds" not in slot
    finally:
        server.execute("SELECT pg_drop_replication_slot('debezium')")
        server.execute("DROP TABLE noise")


# ---------------------------------------------------------------------- what an inventory may not say
@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("crm", "system_connectors.it must be a dict"),
        ({"source": "odata"}, "unknown source odata; known are api, command"),
        ({"source": "table", "table": "t; DROP TABLE x"}, "system_connectors.it.table: a name must be letters"),
        ({"source": "table", "statement": "SELECT 1; DROP TABLE x"}, "a statement is one query"),
        ({"source": "table", "columns": {"colour": "x"}}, "columns.colour: there is no such thing"),
        ({"source": "table", "states": {"x": "blue"}}, "states.x: must be one of ok"),
        ({"source": "table", "tests": {"ghl": "sync test-ghl"}}, "tests.ghl: must be a program and its arguments"),
        ({"source": "table", "commands": {"sink": ["sync"]}}, "commands.sink: there is nothing of this name to do"),
        (
            {"source": "table", "commands": {"sync": "sync --client x"}},
            "commands.sync: must be a program and its arguments",
        ),
        (
            {"source": "table", "requests": {"sync": "http://x/"}},
            "requests.sync: must be a dict with at least the key url",
        ),
        ({"source": "command", "look": ["sync"], "names": ["--reset"]}, "cannot have the name '--reset'"),
        ({"source": "api", "url": "http://x/", "fields": {"status": "s"}}, "must say what the name of a connector is"),
        ({"source": "api", "url": "http://x/", "fields": {"name": "a.# b"}}, "system_connectors.it.fields.name:"),
    ],
)
def test_bad_input_is_one_clear_line(server, given, says):
    with pytest.raises(ValueError, match=r"system_connectors") as raised:
        look(server, it=given)
    assert says in str(raised.value), raised.value
    assert "\n" not in str(raised.value)
