# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured -> what must be concluded, for every cause of the runbook notification_provider."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.providers.answers import refused, untold
from ansible_collections.oncall.runbooks.plugins.module_utils.providers.look import row_of
from ansible_collections.oncall.runbooks.plugins.module_utils.providers.marks import NOTHING, UNKNOWN
from ansible_collections.oncall.runbooks.plugins.module_utils.queues.table import answer
from ansible_collections.oncall.runbooks.plugins.module_utils.services.group import compared
from ansible_collections.oncall.runbooks.tests.support import provider_answers as answers
from ansible_collections.oncall.runbooks.tests.support.observed_services import running
from ansible_collections.oncall.runbooks.tests.support.tables import Case, diagnose, table

KEY = answers.KEYS["sendgrid"]
# An account with enough left for all that waits.
ROOM = answers.sendgrid(remain=9000, total=10000)
COMMANDS = {
    "pause": ["mailctl", "pause"],
    "resume": ["mailctl", "resume"],
    "rate_limit": ["mailctl", "limit", "{per_minute}"],
}
QUEUE = {"engine": "table", "statements": {"counts": "SELECT 1"}, "workers": ["worker"], "commands": COMMANDS}
FIRST = {
    "name": "sendgrid",
    "kind": "sendgrid",
    **answers.REACH["sendgrid"],
    "key_variable": "SENDGRID_API_KEY",
    "status_page": "sendgrid",
}
SECOND = {"name": "postmark", "kind": "postmark", **answers.REACH["postmark"]}
CHANNEL = {
    "providers": [FIRST, SECOND],
    "queue": "mail",
    "switch": {"services": ["worker"], "variable": "MAIL_PROVIDER", "unset": "sendgrid"},
}
SYSTEM = {
    "system_services": {"worker": {"manager": "compose", "project": "/srv/app", "environment_file": "/srv/app/.env"}},
    "system_queues": {"mail": QUEUE},
    "system_notification_providers": {"mail": CHANNEL},
    "system_database": {"name": "app"},
    "system_status_pages": {
        "sendgrid": {"url": "https://status.example", "kind": "statuspage", "component": "Mail Send"}
    },
}


def with_channel(**changes: Any) -> dict[str, Any]:
    """The inventory with another channel."""
    return {"system_notification_providers": {"mail": {**CHANNEL, **changes}}}


def with_commands(*names: str) -> dict[str, Any]:
    """The inventory with a queue that has these commands and no others."""
    return {"system_queues": {"mail": {**QUEUE, "commands": {name: COMMANDS[name] for name in names}}}}


def provider(
    given: dict[str, Any], number: int, *found: dict[str, Any], more: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A provider as the observer tells it after these checks."""
    row = row_of(given, number, list(found), 3, 12.0)
    row["facts"].update(more or {})
    return row


def first(*found: dict[str, Any], **more: Any) -> dict[str, Any]:
    return provider(FIRST, 0, *(found or [answers.finding("sendgrid", ROOM)] * 5), more=more)


def second(*found: dict[str, Any], **more: Any) -> dict[str, Any]:
    return provider(SECOND, 1, *(found or [answers.finding("postmark", answers.postmark())] * 5), more=more)


def queue(errors: tuple[str, ...] = (), growth: float = 0.0, **counts: Any) -> dict[str, Any]:
    """The queue as its table tells it. None: it does not tell."""
    one = {"ready": 3, "running": 1, "throughput_per_second": 0.5, "dead_lately": 0, "paused": False, **counts}
    found = answer({"counts": [one], "errors": [{"error": text, "name": "mail"} for text in errors]}, {"top": 10}, [])
    return {**found, "available": True, "error": "", "engine": "table", "ready_growth_per_second": growth}


def worker(value: str | None = "sendgrid", key: str = KEY, **more: Any) -> dict[str, Any]:
    """The worker as service_info tells it: it was started with a provider, or with none."""
    environment = {"SENDGRID_API_KEY": key, **({} if value is None else {"MAIL_PROVIDER": value})}
    wanted = {"MAIL_PROVIDER": {"sendgrid": "sendgrid", "postmark": "postmark"}, "SENDGRID_API_KEY": {"checked": KEY}}
    return {**running(replicas=1), "compared": compared(environment, wanted), **more}


def two_workers(*each: dict[str, Any]) -> dict[str, Any]:
    parts = [{**one, "container": f"app-worker-{number}"} for number, one in enumerate(each, 1)]
    return {**running(replicas=len(parts)), "containers": parts, "compared": {}}


def look(
    *providers: dict[str, Any],
    jobs: dict[str, Any] | None = None,
    process: dict[str, Any] | None = None,
    mark: dict[str, Any] | None = None,
    records: list[dict[str, Any]] | None = None,
    page: str = "operational",
    current: str | None = None,
    name: str = "mail",
) -> dict[str, Any]:
    rows = list(providers) or [first(), second()]
    channel = {
        "queue": name,
        "providers": rows,
        "current": current,
        "current_reason": "",
        "mark": {**NOTHING, **(mark or {})},
        "records": [{"record": "spf", "name": "shop.example", "found": True, "problem": "", "reason": ""}]
        if records is None
        else records,
    }
    return {
        "notification_provider": {"available": True, "complete": True, "limits": [], "channels": {"mail": channel}},
        "queue": {"available": True, "complete": True, "limits": [], "queues": {"mail": queue() if jobs is None else jobs}},
        "service": {"available": True, "services": {"worker": worker() if process is None else process}},
        "status_page": {"available": True, "complete": True, "limits": [], "unknown": [],
                        "pages": {"sendgrid": {"available": True, "status": page, "component": "Mail Send", "incidents": []}}},
    }  # fmt: skip


def without(observer: str, observed: dict[str, Any]) -> dict[str, Any]:
    return {name: found for name, found in observed.items() if name != observer}


def of(kind: str, documents: dict[str, Any]) -> dict[str, Any]:
    return answers.finding(kind, documents)


# Asked once more than a provider that never failed, as what it is asked then is what counts.
WORKS_AGAIN = first(*[answers.finding("sendgrid", ROOM)] * 6)
LIMITED = {"limited": True, "queue_age_seconds": 60.0}
PAUSED = {"paused": True, "queue_age_seconds": 60.0}
UNAUTHORIZED = of(
    "sendgrid", answers.everywhere("sendgrid", answers.reply({"errors": [{"message": "authorization required"}]}, 401))
)
SUSPENDED = of(
    "sendgrid",
    answers.everywhere("sendgrid", answers.reply({"errors": [{"message": "Your account is suspended"}]}, 403)),
)
NO_CREDIT = of("sendgrid", answers.sendgrid(remain=0))
TOO_OFTEN = of(
    "sendgrid", answers.everywhere("sendgrid", answers.reply({"errors": [{"message": "too many requests"}]}, 429))
)
BROKEN = of("sendgrid", answers.everywhere("sendgrid", answers.reply({"errors": []}, 503)))
WELL = of("sendgrid", ROOM)
UNVERIFIED = of("mailgun", answers.mailgun("unverified"))
NO_NAME = refused(
    "dns",
    "GET https://api.sendgrid.com/v3/scopes: the name api.sendgrid.com does not resolve (Name or service not known)",
)
NO_TLS = refused("tls", "GET https://api.sendgrid.com/v3/scopes: TLS failed: certificate has expired")
HTML = untold("GET https://api.sendgrid.com/v3/scopes answers 200 with something that is no JSON")
DOWN = BROKEN, BROKEN, BROKEN
POST_DOWN = [
    of("postmark", answers.everywhere("postmark", answers.reply({"ErrorCode": 100, "Message": "Maintenance"}, 503)))
] * 3

HURT = queue(ready=40, dead_lately=30, throughput_per_second=0.05, errors=("503 Service Unavailable",) * 30)
WAITING = queue(ready=90, oldest_ready_age_seconds=700.0, throughput_per_second=0.0)
FALLS_BACK = {"acts": ["fall_back"], "risk": "medium"}
OURS = {"turned": True, "fell_back": True, "age_seconds": 7200.0}
MISSING = {"record": "dkim", "name": "s1._domainkey.shop.example", "found": False, "problem": "missing", "reason": ""}
UNTOLD = {
    **MISSING,
    "found": None,
    "problem": "",
    "reason": "TXT s1._domainkey.shop.example: 10.0.0.2 port 53: no answer in time",
}
UNSEEN = {
    "notification_provider": {"available": False, "reason": "mail: sendgrid: no complete answer within 10 s", "channels": {
        "mail": look(first(HTML), second(untold("no complete answer within 10 s")))["notification_provider"]["channels"]["mail"]}},
    "queue": {"available": False, "reason": "refused", "queues": {}},
    "service": {"available": False, "reason": "Docker does not answer", "services": {}},
    "status_page": {"available": False, "reason": "refused", "pages": {}, "unknown": ["sendgrid"], "limits": []},
}  # fmt: skip

test_concluded = table(
    "notification_provider",
    SYSTEM,
    {
        "all is well": Case(look(), says=["mail: sendgrid passed 5 of 5 checks, 9000 of 10000 messages left, mail: 3 wait"]),
        "the variable is not set, and the first is used then": Case(look(process=worker(None))),
        "nothing waits and nothing is sent": Case(look(jobs=queue(ready=0, throughput_per_second=0.0))),
        "its credentials are refused, and messages fail": Case(
            look(first(*[UNAUTHORIZED] * 3), second(), jobs=HURT), problems=["credentials"], **FALLS_BACK,
            says=["sendgrid failed 3 checks in a row", "answers 401", "30 failed lately"],
        ),
        "its account is suspended": Case(look(first(*[SUSPENDED] * 3), second(), jobs=HURT), problems=["suspended"], **FALLS_BACK),
        "its quota is used up": Case(look(first(*[NO_CREDIT] * 3), second(), jobs=WAITING), problems=["quota_used_up"], **FALLS_BACK),
        "its domain is not verified": Case(look(first(*[UNVERIFIED] * 3), second(), jobs=HURT), problems=["domain_unverified"], **FALLS_BACK),
        "its name does not resolve": Case(look(first(*[NO_NAME] * 3), second(), jobs=WAITING), problems=["name_or_tls"], **FALLS_BACK),
        "its certificate has ended": Case(look(first(*[NO_TLS] * 3), second(), jobs=WAITING), problems=["name_or_tls"], **FALLS_BACK),
        "it is down": Case(
            look(first(*DOWN), second(), jobs=WAITING, page="major_outage"), problems=["provider_down"], **FALLS_BACK,
            says=["answers 503", "its status page says major_outage of Mail Send", "the oldest for 700 s"],
        ),
        "it limits the rate": Case(look(first(*[TOO_OFTEN] * 3), second(), jobs=WAITING), problems=["rate_limited"]),
        "it is down after it worked": Case(look(first(WELL, WELL, *DOWN), second(), jobs=WAITING), problems=["provider_down"], **FALLS_BACK),
        "two of three checks failed, and messages suffer": Case(
            look(first(BROKEN, BROKEN, WELL, WELL, WELL), second(), jobs=WAITING), problems=["unsteady"]
        ),
        "one check failed, and messages get through": Case(look(first(WELL, BROKEN, WELL, WELL, WELL), second()), unknown=[]),
        "it is down, and nothing waits yet": Case(
            look(first(*DOWN), second(), jobs=queue(throughput_per_second=0.0, oldest_ready_age_seconds=10.0)), problems=["provider_down"],
            why_not="nothing fails or waits too long in the queue mail so far",
        ),
        "its check fails, and messages go out": Case(look(first(*[UNAUTHORIZED] * 3), second()), problems=["contradicted"]),
        # What fails comes to an end as well.
        "its check fails, and so do the few messages": Case(
            look(first(*[UNAUTHORIZED] * 3), second(), jobs=queue(ready=0, dead_lately=5, throughput_per_second=0.01)), problems=["credentials"],
            why_not="nothing fails or waits too long in the queue mail so far",
        ),
        "both checks fail, and messages go out": Case(look(first(*DOWN), second(*POST_DOWN)), problems=["contradicted"]),
        "what is left of the second is not enough for what waits": Case(
            look(first(*DOWN), second(quota_left=20.0), jobs=WAITING), problems=["provider_down"],
            why_not="postmark: 20 messages are left of its quota, and 90 wait",
        ),
        "what is left of the second is enough": Case(
            look(first(*DOWN), second(quota_left=90.0), jobs=WAITING), problems=["provider_down"], **FALLS_BACK
        ),
        "both are down": Case(look(first(*DOWN), second(*POST_DOWN), jobs=WAITING), problems=["both_down"]),
        "the second did not pass its last check": Case(
            look(first(*DOWN), second(of("postmark", answers.postmark()), *POST_DOWN[:2]), jobs=WAITING), problems=["provider_down"],
            why_not="no other provider passed its last check and has enough left: postmark:",
        ),
        "there is no second": Case(
            look(first(*DOWN), jobs=WAITING), problems=["provider_down"], why_not="mail has no other provider",
            variables=with_channel(providers=[FIRST]),
        ),
        "the queue cannot be paused": Case(
            look(first(*DOWN), second(), jobs=WAITING), problems=["provider_down"], why_not="the engine table has no pause",
            variables=with_commands(),
        ),
        "there is no queue": Case(
            look(first(*DOWN), second(), name=""), problems=["provider_down"], why_not="so a message in progress could go out by both",
            variables=with_channel(queue=""),
        ),
        "nothing tells when jobs in progress end": Case(
            look(first(*DOWN), second(), jobs=queue(ready=90, oldest_ready_age_seconds=700.0, running=None)), problems=["provider_down"],
            why_not="nothing tells when the messages in progress",
        ),
        "too much would go out at once": Case(
            look(first(*DOWN), second(), jobs=queue(ready=5000, throughput_per_second=0.0)), problems=["provider_down"],
            why_not="5000 messages would go out at once: queue mail: the engine table has no rate_limit",
            variables=with_commands("pause", "resume"),
        ),
        "much waits, and can go out slowly": Case(
            look(first(*DOWN), second(), jobs=queue(ready=5000, throughput_per_second=0.0)), problems=["provider_down"], **FALLS_BACK
        ),
        "the service cannot be told another one": Case(
            look(first(*DOWN), second(), jobs=WAITING), problems=["provider_down"], why_not="environment_file",
            variables={"system_services": {"worker": {"manager": "compose", "project": "/srv/app"}}},
        ),
        "nothing says how to turn it": Case(
            look(first(*DOWN), second(), jobs=WAITING, current="sendgrid"), problems=["provider_down"],
            why_not="does not say how to turn the application",
            variables=with_channel(switch={"show": ["mailctl", "provider"]}),
        ),
        "a command turns it": Case(
            look(first(*DOWN), second(), jobs=WAITING, current="sendgrid"), problems=["provider_down"], **FALLS_BACK,
            variables=with_channel(switch={"show": ["mailctl", "provider"], "set": ["mailctl", "provider", "{provider}"]}),
        ),
        "somebody paused it, and it is down": Case(
            look(first(*DOWN), second(), jobs=queue(ready=200, paused=True)), problems=["provider_down", "paused_by_person"],
            why_not="somebody paused the queue mail",
        ),
        "somebody paused it": Case(look(jobs=queue(ready=20, paused=True)), problems=["paused_by_person"], says=["Somebody paused mail"]),
        "a run of ours paused it and did not come to its end": Case(
            look(jobs=queue(ready=20, paused=True), mark=PAUSED), problems=["queue_paused"], acts=["resume"], risk="medium"
        ),
        "a run of ours paused it, and the engine does not tell": Case(
            look(jobs=queue(ready=20, paused=None), mark=PAUSED), problems=["queue_paused"], acts=["resume"], risk="medium"
        ),
        "a run of ours paused it, and somebody resumed it": Case(look(mark=PAUSED), unknown=[]),
        "a run of ours paused it, much waits, and it cannot go out slowly": Case(
            look(jobs=queue(ready=5000, paused=True), mark=PAUSED), problems=["queue_paused"], why_not="slow it down where much waits",
            variables=with_commands("pause", "resume"),
        ),
        "it goes on as slowly as we said, and little waits": Case(
            look(mark=LIMITED), problems=["limit_left"], acts=["resume"], risk="low"
        ),
        "it goes on as slowly as we said, and much waits": Case(
            look(jobs=queue(ready=90, oldest_ready_age_seconds=10.0), mark=LIMITED, process=worker()),
            problems=["limit_left"], acts=["resume"], risk="low",
        ),
        "too much waits for a provider that is well": Case(
            look(jobs=queue(ready=250, throughput_per_second=0.0)), problems=["backlog"], says=["they wait in front of it"]
        ),
        "jobs fail because their own credentials are refused": Case(
            look(jobs=queue(dead_lately=30, throughput_per_second=0.05, errors=("535 5.7.8 Authentication credentials invalid",) * 30)),
            problems=["application_refused"], says=["30 times 535", "Authentication credentials invalid"],
        ),
        "jobs fail for addresses that are not there": Case(
            look(jobs=queue(dead_lately=30, throughput_per_second=0.05, errors=("550 no such mailbox",) * 30)),
            problems=["messages_fail"], says=["30 times 550 no such mailbox"],
        ),
        "a few fail": Case(look(jobs=queue(dead_lately=9, throughput_per_second=0.05, errors=("550 no such mailbox",) * 9))),
        "one replica has the key of before": Case(
            look(jobs=queue(dead_lately=30, throughput_per_second=0.06, errors=("401 unauthorized",) * 30),
                 process=two_workers(worker(), worker(key="SG.of.before"))),
            problems=["another_key"], says=["app-worker-2 has another SENDGRID_API_KEY"],
        ),
        "one replica sends by the other": Case(
            look(process=two_workers(worker(), worker("postmark"))), problems=["replicas_differ"], unknown=None,
            says=["app-worker-1 by sendgrid, app-worker-2 by postmark"],
        ),
        "the second is used, and the first is down": Case(
            look(first(*DOWN), second(), process=worker("postmark"), mark=OURS), says=["mail sends by another provider than the first: sendgrid passed 0 of 3"]
        ),
        "the first works again": Case(
            look(WORKS_AGAIN, second(), process=worker("postmark"), mark=OURS), problems=["back_again"], acts=["switch_back"], risk="medium", says=["sendgrid works again"]
        ),
        "the first works again, and has not for long": Case(look(process=worker("postmark"), mark={**OURS, "age_seconds": 60.0})),
        "the first works again, and the clock was put back": Case(look(process=worker("postmark"), mark={**OURS, "age_seconds": None})),
        "the first works, and a person turned to the second": Case(look(process=worker("postmark"))),
        "the first works again, and not every time": Case(
            look(first(BROKEN, WELL, WELL, WELL, WELL), second(), process=worker("postmark"), mark=OURS)
        ),
        "the first works again, and the queue cannot be paused": Case(
            look(WORKS_AGAIN, second(), process=worker("postmark"), mark=OURS), problems=["back_again"], why_not="the engine table has no pause",
            variables=with_commands(),
        ),
        "the second is down, and the first works": Case(
            look(first(), second(*POST_DOWN), process=worker("postmark"), jobs=WAITING, mark={**OURS, "age_seconds": 60.0}),
            problems=["provider_down"], **FALLS_BACK,
        ),
        "the first works again, and has not enough left": Case(
            look(first(*[WELL] * 5, quota_left=2.0), second(), process=worker("postmark"), mark=OURS)
        ),
        "more waits than is left": Case(
            look(first(quota_left=2.0)), problems=["quota_ends"], says=["of sendgrid 2 messages are left of its quota, and 3 wait"]
        ),
        "much comes back": Case(
            look(first(bounce_ratio=0.12, sent_lately=500.0), second()), problems=["bounces"], says=["of what sendgrid sent lately 12.0% bounce"]
        ),
        "of few much comes back": Case(look(first(bounce_ratio=0.5, sent_lately=10.0), second())),
        "a record is missing": Case(look(records=[MISSING]), problems=["records_missing"], says=["dkim of s1._domainkey.shop.example is missing"]),
        "no resolver tells a record": Case(look(records=[UNTOLD]), unknown=["records_missing"]),
        "its status page is red for what is not ours": Case(look(page="operational")),
        "its status page is red, and it takes messages": Case(look(page="major_outage")),
        "it answers with HTML": Case(look(first(*[HTML] * 5), second(), jobs=WAITING), unknown=None),
        "the queue is not seen": Case(
            {**look(first(*DOWN), second()), "queue": UNSEEN["queue"]}, problems=["provider_down"], unknown=None,
            why_not="whether messages wait or fail in the queue mail is not known",
        ),
        "the worker has ended": Case(look(process={**running(state="exited", replicas=1), "compared": None}), unknown=None),
        "the worker was started with another provider": Case(look(process=worker("pigeon")), unknown=None),
        "what we noted cannot be read": Case(look(mark={**UNKNOWN, "reason": "it is no JSON"}), unknown=None),
        "nothing is seen": Case(UNSEEN, unknown=None),
    },
)  # fmt: skip


def test_no_secret_is_in_what_is_concluded():
    observed = look(first(*DOWN), second(), jobs=WAITING, process=two_workers(worker(), worker(key="SG.of.before")))
    told = str(diagnose("notification_provider", observed, **SYSTEM))
    assert not any(secret in told for secret in (*answers.KEYS.values(), "SG.of.before"))


@pytest.mark.parametrize(("engine", "status"), [("table", "unknown"), ("celery", "healthy"), ("redis_list", "healthy")])
def test_what_waits_for_nobody_knows_how_long_is_not_known_to_get_through(engine, status):
    jobs = {**queue(ready=40, throughput_per_second=0.0), "engine": engine}
    assert diagnose("notification_provider", look(jobs=jobs), **SYSTEM)["status"] == status


@pytest.mark.parametrize(
    ("mark", "jobs", "process", "cause"),
    [
        (LIMITED, queue(ready=5000, throughput_per_second=1.0), None, "draining"),
        (OURS, queue(), worker("postmark"), "elsewhere"),
    ],
)
def test_what_needs_nobody_is_told(mark, jobs, process, cause):
    providers = (first(*DOWN), second()) if cause == "elsewhere" else ()
    result = diagnose("notification_provider", look(*providers, jobs=jobs, mark=mark, process=process), **SYSTEM)
    assert cause in [one["cause"] for one in result["findings"] if one.get("summary")], result["findings"]
    assert result["plan"]["steps"] == []


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_concluded[all is well]"
WRONG_CAUSE_ROW = "test_concluded[too much waits for a provider that is well]"
NO_TELEMETRY_ROW = "test_concluded[nothing is seen]"
