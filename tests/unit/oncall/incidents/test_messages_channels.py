"""Channels: the requests that they make, in the shapes of the services' documents, and what is known after each kind of answer."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.controller import Controller

from lab.shape import group_vars
from oncall.incidents.escalation.people import directory
from oncall.incidents.escalation.policy import PolicyError
from oncall.incidents.messages import apprising, channels, sender
from oncall.incidents.messages.channels import (
    Apprise,
    Call,
    Event,
    Notify,
    Opsgenie,
    PagerDuty,
    Responder,
    Statuspage,
    Webhook,
    build,
    tell_of,
)
from oncall.incidents.messages.templates import Rendered
from oncall.incidents.severity import scheme_of

WORDS = Rendered("P0 INC-12 shop: it is down", "INCIDENT ALERT\nSeverity: P0")
ID = "a" * 32


def event(action="trigger", kind="initial", **more):
    return Event(**{
        "id": "b" * 32, "incident": ID, "number": "INC-12", "kind": kind, "action": action, "system": "shop", "severity": "P0", "common": "critical",
        "state": "triggered", "opened_at": 1_800_000_000.0, "page": "https://oncall.example.com/incidents/12", "runbook": "api_down", **more,
    })  # fmt: skip


def body(call):
    return json.loads(call.body)


PAGER = PagerDuty("R" * 32)
GENIE = Opsgenie("g" * 36, responders=(Responder("team", name="ops"),), tags=("shop",))
PAGE = Statuspage("k" * 36, "p4g3", components={"c1": "major_outage"})


# ---------------------------------------------------------------------- shapes
def test_pagerduty():
    call = build(PAGER, event(), WORDS)
    assert (call.method, call.url, call.repeatable) == ("POST", "https://events.pagerduty.com/v2/enqueue", True)
    assert body(call) == {
        "routing_key": "R" * 32, "event_action": "trigger", "dedup_key": f"oncall-{ID}", "client": "oncall",
        "client_url": "https://oncall.example.com/incidents/12",
        "links": [{"href": "https://oncall.example.com/incidents/12", "text": "INC-12"}],
        "payload": {
            "summary": WORDS.subject, "source": "shop", "severity": "critical", "timestamp": "2027-01-15T08:00:00.000+00:00", "class": "api_down",
            "custom_details": {"incident": "INC-12", "severity": "P0", "state": "triggered", "text": WORDS.body},
        },
    }  # fmt: skip
    for action in ("acknowledge", "resolve"):
        assert body(build(PAGER, event(action), WORDS)) == {
            "routing_key": "R" * 32,
            "event_action": action,
            "dedup_key": f"oncall-{ID}",
        }
    for common, severity in (("high", "error"), ("medium", "warning"), ("low", "info")):
        assert body(build(PAGER, event(common=common), WORDS))["payload"]["severity"] == severity


def test_opsgenie():
    call = build(GENIE, event(), WORDS)
    assert (call.url, call.headers["Authorization"], call.repeatable) == (
        "https://api.opsgenie.com/v2/alerts",
        "GenieKey " + "g" * 36,
        True,
    )
    assert body(call) == {
        "message": WORDS.subject, "alias": f"oncall-{ID}", "description": WORDS.body, "priority": "P1", "source": "oncall", "entity": "shop",
        "tags": ["shop", "P0"], "responders": [{"type": "team", "name": "ops"}],
        "details": {"incident": "INC-12", "state": "triggered", "runbook": "api_down", "page": "https://oncall.example.com/incidents/12"},
    }  # fmt: skip
    for action, verb in (("acknowledge", "acknowledge"), ("resolve", "close")):
        call = build(GENIE, event(action, who="ada"), WORDS)
        assert call.url == f"https://api.opsgenie.com/v2/alerts/oncall-{ID}/{verb}?identifierType=alias"
        assert body(call) == {"source": "oncall", "user": "ada", "note": WORDS.body}
    assert (
        build(Opsgenie("g", url="https://api.eu.opsgenie.com/"), event(), WORDS).url
        == "https://api.eu.opsgenie.com/v2/alerts"
    )


def test_statuspage():
    call = build(PAGE, event(kind="customers"), WORDS)
    assert (call.method, call.url, call.headers["Authorization"]) == (
        "POST",
        "https://api.statuspage.io/v1/pages/p4g3/incidents",
        "OAuth " + "k" * 36,
    )
    # It would show a second one as another incident.
    assert not call.repeatable
    assert body(call) == {"incident": {
        "name": WORDS.subject, "status": "investigating", "body": WORDS.body, "impact_override": "critical", "deliver_notifications": True,
        "components": {"c1": "major_outage"}, "component_ids": ["c1"],
    }}  # fmt: skip
    update = build(PAGE, event(kind="customers", reference="x/1", state="mitigated"), WORDS)
    assert (update.method, update.url) == ("PATCH", "https://api.statuspage.io/v1/pages/p4g3/incidents/x%2F1")
    assert body(update)["incident"]["status"] == "monitoring"
    over = body(build(PAGE, event("resolve", "customers", reference="x1"), WORDS))["incident"]
    assert (over["status"], over["components"]) == ("resolved", {"c1": "operational"})
    with pytest.raises(channels.ChannelError, match="the status page has no incident of ours"):
        build(PAGE, event("resolve", "customers"), WORDS)


def test_a_webhook_has_a_body_of_its_own():
    hook = Webhook(
        "https://tickets.example.com/api?x=1", headers={"Authorization": "Bearer t", "content-type": "application/vnd.api+json"},
        body={"fields": {"summary": "{{ subject }}", "labels": ["oncall", "{{ severity | lower }}"], "priority": 1}, "title": "{{ title }}"},
    )  # fmt: skip
    call = build(hook, event(values={"title": '"}, "evil": {"<!here>'}), WORDS)
    assert call.trouble == ""
    assert body(call)["fields"] == {"summary": WORDS.subject, "labels": ["oncall", "p0"], "priority": 1}
    # A value stays a text, whatever stands in it.
    assert set(body(call)) == {"fields", "title"}
    assert "<!here>" not in body(call)["title"]
    assert {name.lower() for name in call.headers} == {"authorization", "content-type", "accept", "user-agent"}
    assert call.headers["content-type"] == "application/vnd.api+json"


def test_a_webhook_whose_body_fails_sends_all_there_is_and_says_so():
    call = build(Webhook("https://t.example.com/", body={"a": "{{ titel }}"}), event(), WORDS)
    assert call.trouble == "its own body is not used: body.a: 'titel' is undefined"
    assert body(call)["subject"] == WORDS.subject
    assert body(build(Webhook("https://t.example.com/"), event(), WORDS))["id"] == "b" * 32


def test_limits_of_the_services_are_kept():
    long = Rendered("s" * 2000, "b" * 50_000)
    assert len(body(build(PAGER, event(), long))["payload"]["summary"]) == 1024
    genie = body(build(GENIE, event(), long))
    assert (len(genie["message"]), len(genie["description"])) == (130, 15_000)


def test_no_key_is_shown():
    for channel in (PAGER, GENIE, PAGE, Apprise("slack://aaaa/bbbb")):
        assert not {"RRRR", "gggg", "kkkk", "aaaa"} & {
            part for part in ("RRRR", "gggg", "kkkk", "aaaa") if part in repr(build(channel, event(), WORDS))
        }


# ---------------------------------------------------------------------- what an inventory says
SAID = {
    "channels": {
        "chat": {"kind": "apprise", "address": "slack://a/b/c"}, "pager": {"kind": "pagerduty", "routing_key": "r"},
        "status": {"kind": "statuspage", "api_key": "k", "page": "p"}, "ticket": {"kind": "webhook", "url": "https://t.example.com/"},
    },
    "by_severity": {"P0": ["pager", "chat", "status"], "P1": ["chat"], "P2": ["ticket"]},
}  # fmt: skip
LEVELS = ("P0", "P1", "P2")


def test_channels_by_severity():
    tell = tell_of({"incident_tell": SAID}, LEVELS)
    assert (tell.of("P0", "initial"), tell.of("P0", "customers"), tell.of("P2", "initial"), tell.of("P2", "update")) == (
        ("pager", "chat"), ("status",), ("ticket",), ()
    )  # fmt: skip
    assert tell_of({}, LEVELS).of("P0", "initial") == ()


def changed(name, **keys):
    return {"incident_tell": {"channels": {name: {**SAID["channels"][name], **keys}}}}


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"incident_tell": {"channels": {"x": {"kind": "fax"}}}}, "incident_tell.channels"),
        (
            {"incident_tell": {**SAID, "by_severity": {"P9": []}}},
            "incident_tell.by_severity: there is no severity 'P9' here; there are P0, P1, P2",
        ),
        (
            {"incident_tell": {**SAID, "by_severity": {"P0": ["fax"]}}},
            "incident_tell.by_severity.P0: there is no channel 'fax'; there are chat, pager",
        ),
        (changed("chat", address="hunter2"), "incident_tell.channels.chat: its address is none"),
        (
            changed("pager", url="ftp://x/"),
            "incident_tell.channels.pager: its url is no address of http or https without a user",
        ),
        (changed("ticket", url="https://u:hunter2@x/"), "incident_tell.channels.ticket: its url is no address"),
        (changed("ticket", url="https://x/\r\nA: b"), "incident_tell.channels"),
        (changed("ticket", url="http://[::1"), "incident_tell.channels.ticket: its url is no address"),
        (changed("ticket", headers={"A: b\r\nC": "d"}), "incident_tell.channels.ticket: 'A: b\\r\\nC' is no header"),
        (
            changed("ticket", headers={"Host": "d"}),
            "incident_tell.channels.ticket: 'Host' is no header that a request may have",
        ),
        (
            changed("ticket", headers={"A": "b\r\nC: hunter2"}),
            "incident_tell.channels.ticket: the header A has a value that no header can have",
        ),
        (changed("ticket", body=["x"] * 201), "incident_tell.channels.ticket: its body has more than 200 texts"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_without_secrets(said, line):
    with pytest.raises(PolicyError) as error:
        tell_of(said, LEVELS)
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)
    assert "hunter2" not in str(error.value)


# ---------------------------------------------------------------------- answers
class Service(ThreadingHTTPServer):
    """A service that answers as it is told."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Asked)
        self.answer, self.asked = (200, {}, b"{}"), []
        self.quit = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook"

    def handle_error(self, request, client_address):
        """Who was asked leaves while it hangs; that is what is tried."""


class Asked(BaseHTTPRequestHandler):
    def do_POST(self):
        said = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, dict(self.headers), said))
        how, headers, text = self.server.answer
        if how == "hang":
            self.server.quit.wait(20)
            return
        if how == "close":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if how == "slow body":
            self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
            while not self.server.quit.wait(0.2):
                self.wfile.write(b"x")
            return
        if how == "trickle":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.server.quit.wait(0.2):
                self.wfile.write(b"X: y\r\n")
            return
        self.send_response(how)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_PATCH = do_PUT = do_POST

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def service():
    it = Service()
    thread = threading.Thread(target=it.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield it
    it.quit.set()
    it.shutdown()
    thread.join()
    it.server_close()


HTML = b"<html><body>Please sign in</body></html>"
OK = {"Content-Type": "application/json"}
PD = b'{"status": "success", "message": "Event processed", "dedup_key": "oncall-a"}'
OG = b'{"result": "Request will be processed", "took": 0.1, "requestId": "43a29c5c"}'
SP = b'{"id": "p31zjtct2jer", "status": "investigating"}'


def call_of(which, url):
    channel = {"pagerduty": PagerDuty("R" * 32, url=url), "opsgenie": Opsgenie("g" * 36, url=url.removesuffix("/hook")),
               "statuspage": Statuspage("k" * 36, "p", url=url.removesuffix("/hook")), "webhook": Webhook(url)}[which]  # fmt: skip
    return build(channel, event(kind="customers" if which == "statuspage" else "initial"), WORDS)


@pytest.mark.parametrize(
    ("which", "answer", "result", "more"),
    [
        ("pagerduty", (202, OK, PD), "sent", {"reference": "oncall-a"}),
        ("opsgenie", (202, OK, OG), "sent", {}),
        ("statuspage", (201, OK, SP), "sent", {"reference": "p31zjtct2jer"}),
        ("webhook", (200, {}, b""), "sent", {}),
        ("webhook", (204, {}, b""), "sent", {}),
        ("pagerduty", (429, {"Retry-After": "17"}, b""), "failed", {"retry_after": 17.0}),
        ("opsgenie", (429, {"Retry-After": formatdate(time.time() + 1800, usegmt=True)}, b""), "failed", {}),
        ("statuspage", (420, {"Retry-After": "999999"}, b""), "failed", {"retry_after": 3600.0}),
        ("webhook", (503, {"Retry-After": "soon"}, b""), "failed", {"retry_after": None}),
        ("webhook", (500, {}, b"oops"), "failed", {}),
        ("pagerduty", (500, {}, b"oops"), "failed", {}),
        ("pagerduty", (502, {}, HTML), "failed", {}),
        ("statuspage", (502, {}, HTML), "unknown", {}),
        ("webhook", (504, {}, b""), "unknown", {}),
        ("pagerduty", (400, OK, b'{"status": "invalid event", "errors": ["routing_key"]}'), "refused", {}),
        ("opsgenie", (403, {}, b""), "refused", {}),
        ("webhook", (302, {"Location": "http://127.0.0.1:1/"}, b""), "refused", {}),
        ("pagerduty", (200, {}, HTML), "failed", {}),
        ("opsgenie", (200, {}, HTML), "failed", {}),
        ("statuspage", (200, {}, HTML), "unknown", {}),
        ("pagerduty", ("close", {}, b""), "failed", {}),
        ("webhook", ("close", {}, b""), "unknown", {}),
    ],
)
def test_what_is_known_after_an_answer(service, which, answer, result, more):
    service.answer = answer
    found = sender.send(call_of(which, service.url))
    assert found.result == result, found
    assert {name: getattr(found, name) for name in more} == more
    assert len(service.asked) == 1
    assert ("not sent again" in found.why) == (result == "unknown")
    for key in ("RRRR", "gggg", "kkkk"):
        assert key not in found.why
    if answer[0] == 429 and not more:
        assert 900 <= found.retry_after <= 1801


@pytest.mark.parametrize("how", ["hang", "trickle", "slow body"])
@pytest.mark.parametrize(("which", "result"), [("pagerduty", "failed"), ("webhook", "unknown")])
def test_who_hangs_is_left(service, how, which, result):
    service.answer = (how, {}, b"")
    began = time.monotonic()
    found = sender.send(call_of(which, service.url), 0.8)
    assert (found.result, time.monotonic() - began < 5) == (result, True), found
    assert "no answer" in found.why


def test_who_is_not_there_was_sent_nothing():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}/", "http://name.invalid/"):
        found = sender.send(build(Webhook(url), event(), WORDS), 5)
        assert (found.result, "no connection" in found.why) == ("failed", True)


def test_an_answer_of_a_gigabyte_is_not_read(service):
    service.answer = (400, {}, b"x" * 3_000_000)
    assert len(sender.send(call_of("webhook", service.url)).why) < 500


def test_a_secret_in_an_answer_is_masked(service):
    service.answer = (400, {}, b"password=hunter2 is wrong")
    assert "hunter2" not in sender.send(call_of("webhook", service.url)).why


# ---------------------------------------------------------------------- apprise, for real
def notify(address):
    return Notify(address, "It is down", "Line one\nLine two <b> &", "failure")


def test_apprise_by_http(service):
    """One start of apprise for each; what it does of itself needs no more."""
    address = service.url.replace("http://", "json://").replace("/hook", "/s3cr3tpath")
    found = sender.send(notify(address))
    assert found.result == "sent", found
    (_method, path, _headers, said) = service.asked[0]
    assert (path, json.loads(said)["title"], json.loads(said)["message"]) == (
        "/s3cr3tpath",
        "It is down",
        "Line one\nLine two <b> &",
    )
    service.answer = (429, {"Retry-After": "17"}, b"")
    found = sender.send(notify(address))
    assert (found.result, found.status, found.retry_after) == ("failed", 429, 17.0)
    assert "s3cr3tpath" not in found.why


@pytest.mark.parametrize("how", ["hang", "close"])
def test_apprise_that_leaves_it_open(service, how):
    service.answer = (how, {}, b"")
    found = sender.send(notify(service.url.replace("http://", "json://")), 2)
    assert (found.result, "not sent again" in found.why) == ("unknown", True), found


@pytest.mark.parametrize(
    ("is_sent", "connected", "done", "failed", "expected"),
    [
        (True, True, [200], [], ("sent", 0, None)),
        (True, True, [], [("failed", "it answers 500", 500, None)], ("sent", 0, None)),
        (False, True, [], [("failed", "it answers 500", 500, None)], ("failed", 500, None)),
        (False, True, [], [("failed", "it answers 429", 429, "17")], ("failed", 429, 17.0)),
        (False, True, [], [("failed", "it answers 429", 429, "soon")], ("failed", 429, None)),
        (
            False,
            True,
            [],
            [("refused", "it answers 403", 403, None), ("failed", "it answers 500", 500, None)],
            ("refused", 403, None),
        ),
        (
            False,
            True,
            [],
            [("failed", "it answers 500", 500, None), ("unknown", "it answers 502", 502, None)],
            ("unknown", 502, None),
        ),
        # One of two was told: to send it again would tell that one twice.
        (False, True, [200], [("failed", "it answers 500", 500, None)], ("unknown", 500, None)),
        (False, True, [], [], ("unknown", 0, None)),
        (False, False, [], [], ("failed", 0, None)),
    ],
)
def test_what_is_known_of_what_apprise_did(is_sent, connected, done, failed, expected):
    seen = apprising.Seen()
    seen.is_connected, seen.done, seen.failed = connected, done, failed
    said = apprising.judged(is_sent, seen)
    assert (said["result"], said.get("status", 0), said.get("retry_after")) == expected


def test_apprise_where_nobody_is_and_what_it_does_not_know():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert sender.send(notify(f"json://127.0.0.1:{port}/x")).result == "failed"
    found = sender.send(notify("carrierpigeon://hunter2secret"))
    assert (found.result, found.why) == ("refused", "apprise knows no such address")


class Mailbox:
    """Takes mail, or not."""

    def __init__(self):
        self.answer, self.mails = "250 OK", []

    async def handle_DATA(self, _server, _session, envelope):
        if self.answer.startswith("250"):
            self.mails.append(envelope.content.decode())
        return self.answer


def test_apprise_by_mail():
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=0)
    with socket.create_server(("127.0.0.1", 0)) as free:
        controller.port = free.getsockname()[1]
    controller.start()
    try:
        address = f"mailto://127.0.0.1:{controller.port}?from=oncall@example.com&to=ada@example.com&mode=insecure"
        assert sender.send(notify(address)).result == "sent"
        assert "Subject: It is down" in box.mails[0]
        box.answer = "451 later"
        assert sender.send(notify(address)).result == "failed"
    finally:
        controller.stop()


def test_a_call_shows_no_secret_in_its_words():
    call = Call("POST", "https://x/token/hunter2", {"A": "hunter2"}, b"hunter2", True)
    assert "hunter2" not in repr(call)


@pytest.mark.parametrize("system", ["insightengine", "journey", "labpics", "panidobro", "synap"])
def test_the_channels_of_each_system(system):
    """With the vault filled in, as Ansible fills it."""
    said = (
        json.dumps(group_vars(system).get("incident_tell") or {}).replace("{% raw %}", "").replace("{% endraw %}", "")
    )
    filled = json.loads(re.sub(r"\{\{ vault_\w+ \}\}", "https://x.example.com/", said))
    levels = scheme_of(group_vars(system)).names
    tell = tell_of({"incident_tell": filled}, levels)
    assert {level: tell.of(level, "initial") for level in levels if tell.of(level, "initial")} == {
        "insightengine": {"P1": ("pager", "chat"), "P2": ("pager", "chat"), "P3": ("chat",)},
        "journey": {"P0": ("alerts",), "P1": ("engineering",), "P2": ("tickets",)},
        "synap": {"P0": ("pager",), "P1": ("pager",)},
    }.get(system, {})
    for channel in tell.channels.values():
        assert build(channel, event(kind=channel.kinds[0]), WORDS)


def test_who_cannot_be_told_is_found():
    people = directory({
        "incident_people": {"ada": {"reach": ["chat", "mailto://x"]}, "bob": {"reach": ["fax"]}},
        "incident_contacts": {"desk": {"reach": "pager"}, "lead": {"reach": "call me"}, "boss": {"reach": "smoke"}},
    })  # fmt: skip
    tell = tell_of({"incident_tell": SAID}, LEVELS)
    assert channels.unreachable(tell, people, ["desk", "lead", "nobody"]) == [
        "person 'bob' cannot be told: 'fax' is no channel of incident_tell, and no address",
        "contact 'lead' cannot be told: 'call me' is no channel of incident_tell, and no address",
    ]
    assert tell.channel("mailto://x") == Apprise("mailto://x")


def test_synap_is_told_by_its_pager():
    """Its document says: check PagerDuty."""
    said = json.loads(json.dumps(group_vars("synap")).replace("{{ vault_synap_tell_pagerduty }}", "r" * 32))
    tell = tell_of(said, scheme_of(said).names)
    (found,), gaps = directory(said).targets(["on_call_engineer"], 0.0)
    assert (tell.channel(found.reach[0]), gaps) == (PagerDuty("r" * 32), [])
