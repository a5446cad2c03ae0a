# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured -> what must be concluded, for every cause of the runbook worker_queue."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.queues.table import answer
from ansible_collections.oncall.runbooks.tests.support.observed_services import between_two_ends, crashing, running
from ansible_collections.oncall.runbooks.tests.support.tables import Case, diagnose, table

SYSTEM = {
    "system_services": {name: {"manager": "compose", "project": "/srv/app"} for name in ("worker", "api")},
    "system_queues": {"mail": {"engine": "pgboss", "queue": "mail", "workers": ["worker"]}},
    "system_database": {"name": "app"},
}
HELD_UP = {"pid": 7, "application_name": "report"}


def seen(
    growth: float | None = 0.0,
    names: dict[str, int] | None = None,
    errors: tuple[str, ...] = (),
    stuck: int | None = 0,
    **counts: Any,
) -> dict[str, Any]:
    """A queue as its engine tells it. None: it does not tell."""
    one = {
        "ready": 3,
        "running": 1,
        "workers": 2,
        "throughput_per_second": 2.0,
        "dead_lately": 0,
        "paused": False,
        **counts,
    }
    late = [{"id": str(n), "name": "digest", "age_seconds": 900.0} for n in range(stuck or 0)]
    found = answer(
        {
            "counts": [one],
            "running": None if stuck is None else {"late": len(late), "list": late},
            "names": {
                "jobs": sum((names or {}).values()),
                "list": [{"name": name, "count": n} for name, n in (names or {}).items()],
            },
            "errors": [{"error": text, "name": "mail"} for text in errors],
        },
        {"top": 10},
        [],
    )
    more = {} if growth is None else {"ready_growth_per_second": growth}
    return {**found, "available": True, "error": "", "engine": "pgboss", **more}


def without(observer: str, observed: dict[str, Any]) -> dict[str, Any]:
    return {name: found for name, found in observed.items() if name != observer}


def look(queue: dict[str, Any], worker: dict[str, Any] | None = None, **database: Any) -> dict[str, Any]:
    return {
        "queue": {"available": True, "complete": True, "limits": [], "queues": {"mail": queue}},
        "service": {"available": True, "services": {"worker": worker or running(replicas=1, ports=[])}},
        "postgres_activity": {"available": True, "complete": True, "blockers": [], "long_running": [], **database},
    }


def two(queue: dict[str, Any], **services: dict[str, Any]) -> dict[str, Any]:
    """A look at a queue that two services work on."""
    here = {name: services.get(name) or running(replicas=1, ports=[]) for name in ("worker", "bulk")}
    return {**look(queue), "service": {"available": True, "services": here}}


GONE = {"available": False, "reason": "queue mail: no such queue", "error": "no_queue", "engine": "pgboss"}
UNSEEN = {
    "queue": {"available": False, "reason": GONE["reason"], "queues": {"mail": GONE}},
    "service": {"available": False, "reason": "Docker does not answer", "services": {}},
    "postgres_activity": {"available": False, "reason": "refused", "error": "refused"},
}
RESTARTED = {"acts": ["restart_workers"], "risk": "medium"}
SCALED = {"acts": ["scale_out"], "risk": "medium"}
SILENT = {"stuck": None, "running": None, "workers": None, "throughput_per_second": None}
TWO = {
    "system_services": {**SYSTEM["system_services"], "bulk": {"manager": "compose", "project": "/srv/app"}},
    "system_queues": {"mail": {"engine": "pgboss", "queue": "mail", "workers": ["worker", "bulk"]}},
}
FULL = {"ready": 250, "oldest_ready_age_seconds": 700.0}

test_concluded = table(
    "worker_queue",
    SYSTEM,
    {
        "few wait": Case(look(seen()), says=["mail: 3 ready, 2 done per second, 2 workers"]),
        "few wait, and nothing says who works": Case(
            without("service", look(seen())), variables={"system_queues": {"mail": {"engine": "pgboss", "queue": "mail"}}},
            says=["mail: 3 ready"],
        ),
        "nothing waits and nothing is done": Case(look(seen(ready=0, throughput_per_second=0.0))),
        "few wait, and the engine tells nothing of what runs": Case(
            look(seen(**SILENT, oldest_ready_age_seconds=2.0, growth=None))
        ),
        "few wait, and whether any is taken is not told": Case(look(seen(**SILENT, growth=None)), nothing_shows=["age"]),
        "few wait, and none was taken between two looks": Case(
            look({**seen(**SILENT, growth=1.0), "oldest_ready_age_at_least_seconds": 5.0}), nothing_shows=["age"]
        ),
        "few wait, and the oldest was taken between two looks": Case(
            look({**seen(**SILENT, growth=1.0), "oldest_was_taken": True})
        ),
        "nothing waits, and nothing that works on it runs": Case(
            look(seen(ready=0, workers=0), running(state="exited")), nothing_shows=["served"]
        ),
        "few wait, for one that has ended": Case(
            look(seen(ready=5, oldest_ready_age_seconds=20.0, workers=0), running(state="exited")), problems=["no_worker"], **RESTARTED
        ),
        "few wait, for one that has ended, and the engine sees others": Case(
            look(seen(), running(state="exited")), nothing_shows=["served"]
        ),
        "few wait, for one that a person stopped": Case(
            look(seen(ready=5, oldest_ready_age_seconds=20.0, workers=0), running(state="exited", stopped_by_person=True)),
            problems=["stopped_by_person"],
        ),
        "many wait, and the state of what works is none that anybody knows": Case(
            look(seen(**FULL, workers=None), running(state="unknown", uptime_seconds=None)), unknown=None
        ),
        "one of two that work has ended": Case(
            two(seen(**FULL, growth=4.0), bulk=running(state="exited")), variables=TWO, problems=["some_do_not_work"], **RESTARTED,
            says=["bulk does not run, of those who work"],
        ),
        "one of two that work has ended, and few wait": Case(two(seen(), bulk=running(state="exited")), variables=TWO),
        "no worker is seen, and jobs run in time": Case(
            look(seen(**FULL, workers=0, running=3)), problems=["waits_unexplained"]
        ),
        "no worker is seen, and what runs has nobody": Case(
            look(seen(**FULL, workers=0, running=3, abandoned=3, throughput_per_second=0.0)), problems=["no_worker"], **RESTARTED
        ),
        "many wait, and the engine tells nothing of what runs": Case(
            look(seen(**FULL, stuck=None, running=None, workers=None, throughput_per_second=None, growth=0.0)), unknown=None
        ),
        "nobody works, and the worker has ended": Case(
            look(seen(**FULL, workers=0, throughput_per_second=0.0), running(state="exited")),
            problems=["no_worker"], **RESTARTED, says=["Nobody takes jobs of mail: mail: 250 ready, the oldest for 12 min"],
        ),
        "nobody works, though the worker runs": Case(
            look(seen(**FULL, workers=0, running=0, throughput_per_second=0.0)), problems=["no_worker"], **RESTARTED
        ),
        "the engine does not tell of workers, and the worker has ended": Case(
            look(seen(**FULL, workers=None, throughput_per_second=0.0), running(state="exited")), problems=["no_worker"], **RESTARTED
        ),
        "one old job, and nobody works": Case(
            look(seen(ready=1, oldest_ready_age_seconds=400.0, workers=0, running=0)), problems=["no_worker"], **RESTARTED
        ),
        "nobody works, and nothing says who should": Case(
            look(seen(**FULL, workers=0, running=0)), problems=["no_worker"], why_not="system_queues.mail.workers does not say",
            variables={"system_queues": {"mail": {"engine": "pgboss", "queue": "mail"}}},
        ),
        "a person stopped the worker": Case(
            look(seen(**FULL, workers=0), running(state="exited", stopped_by_person=True)), problems=["stopped_by_person"]
        ),
        "the worker ends again and again": Case(look(seen(**FULL, workers=0), crashing()), problems=["workers_crash"]),
        "it ends again and again, and runs just now": Case(
            look(seen(**FULL, workers=0), between_two_ends()), problems=["workers_crash"]
        ),
        "it ended again and again, and is not started any more": Case(
            look(seen(**FULL, workers=0), between_two_ends(state="exited", uptime_seconds=None)), problems=["workers_crash"]
        ),
        "it ended three times, and has run for long since": Case(
            look(seen(**FULL, workers=0, running=0, throughput_per_second=0.0), between_two_ends(uptime_seconds=900.0)), problems=["no_worker"], **RESTARTED
        ),
        "somebody paused it": Case(look(seen(**FULL, paused=True, workers=0)), problems=["paused"], says=["Somebody paused mail"]),
        "a rate limit": Case(look(seen(**FULL, rate_limited=True)), problems=["rate_limited"]),
        "the database is held up": Case(
            look(seen(**FULL, stuck=2, running=2, throughput_per_second=0.0), blockers=[HELD_UP]), problems=["database_slow"],
            says=["process 7 of report"],
        ),
        "a rate limit, and more comes": Case(look(seen(**FULL, rate_limited=True, growth=4.0)), problems=["rate_limited"]),
        "jobs are stuck, and more comes": Case(
            look(seen(**FULL, stuck=2, running=2, throughput_per_second=0.0, growth=4.0)), problems=["stuck"], **RESTARTED
        ),
        "most fail for good, and more comes": Case(
            look(seen(**FULL, growth=4.0, throughput_per_second=0.1, dead_lately=50, errors=("550 no mailbox",) * 50)),
            problems=["jobs_fail"],
        ),
        "jobs are stuck": Case(
            look(seen(stuck=2, running=2, throughput_per_second=0.0)), problems=["stuck"], **RESTARTED,
            says=["All 2 jobs of mail that run have run for too long, and others wait"],
        ),
        "jobs are stuck, and all else waits": Case(
            look(seen(**FULL, stuck=2, running=2, throughput_per_second=0.0)), problems=["stuck"], **RESTARTED
        ),
        "more are stuck than run": Case(look(seen(stuck=2, running=1, throughput_per_second=0.0)), nothing_shows=["taken", "age"]),
        "one job runs for long, and another came a moment ago": Case(
            look(seen(ready=1, stuck=1, running=1, oldest_ready_age_seconds=0.4, throughput_per_second=0.0)),
            says=["1 jobs of mail run for long"],
        ),
        "one job runs for long, another waits, and others were done": Case(
            look(seen(ready=1, stuck=1, running=1, throughput_per_second=0.5)), says=["1 jobs of mail run for long"]
        ),
        "one job runs for long, and another has waited since": Case(
            look(seen(ready=1, stuck=1, running=1, oldest_ready_age_seconds=200.0)), problems=["stuck"], **RESTARTED
        ),
        "jobs run for long, and others beside them": Case(look(seen(stuck=2, running=5)), says=["2 jobs of mail run for long"]),
        "a job runs for long, and nothing waits": Case(look(seen(stuck=1, ready=0)), says=["1 jobs of mail run for long"]),
        "most fail for good": Case(
            look(seen(throughput_per_second=0.1, dead_lately=50, errors=("550 no mailbox",) * 50)), problems=["jobs_fail"],
            says=["50 times 550 no mailbox"],
        ),
        "many fail for good, of how many is not told": Case(
            look(seen(throughput_per_second=None, oldest_ready_age_seconds=2.0, dead_lately=50, errors=("550 no mailbox",) * 50)),
            problems=["jobs_fail"], says=["50 jobs of mail failed for good lately, of how many is not known"],
        ),
        "all fail, and are tried again later": Case(
            look(seen(ready=0, throughput_per_second=0.0, delayed=400, retrying=400, errors=("503 of the provider",) * 400)),
            problems=["jobs_are_tried_again"],
            says=["400 jobs of mail failed and wait to be tried again", "400 times 503 of the provider"],
        ),
        "many wait for their time": Case(look(seen(ready=0, throughput_per_second=0.0, delayed=400, retrying=0))),
        "some are tried again, and more are done": Case(look(seen(retrying=20, delayed=20))),
        "a few fail for good": Case(look(seen(throughput_per_second=0.0, oldest_ready_age_seconds=2.0, dead_lately=9, errors=("550 no mailbox",) * 9))),
        "a storm of one kind": Case(
            look(seen(**FULL, growth=4.0, names={"sync": 230, "mail": 20})), problems=["event_storm"], **SCALED,
            says=["92% of what waits in mail is sync"],
        ),
        "more comes than is done": Case(
            look(seen(**FULL, growth=4.0, names={"sync": 130, "mail": 120, "sms": 20})), problems=["too_few_workers"], **SCALED
        ),
        "more comes than is done, of one kind that is all there is": Case(
            look(seen(**FULL, growth=4.0, names={"sync": 250})), problems=["too_few_workers"], **SCALED
        ),
        "more comes than is done, and nobody is at work": Case(
            look(seen(**FULL, growth=4.0, running=0)), problems=["waits_unexplained"]
        ),
        "more comes than is done, by workers that take short jobs in bursts": Case(
            look({**seen(**FULL, growth=4.0, running=0), "done_in_window": True}), problems=["too_few_workers"], **SCALED
        ),
        "a storm, and none of the short jobs runs at the moment of the look": Case(
            look({**seen(**FULL, growth=4.0, running=0, names={"sync": 230, "mail": 20}), "oldest_was_taken": True}),
            problems=["event_storm"], **SCALED
        ),
        "more comes than is done, and what was done was done before the two looks": Case(
            look({**seen(**FULL, growth=4.0, running=0), "done_in_window": False}), problems=["waits_unexplained"]
        ),
        "all that runs is over its limit, and short jobs are done beside it": Case(
            look({**seen(**FULL, stuck=1, running=1), "done_in_window": True}), problems=["waits_unexplained"]
        ),
        "all that runs is over its limit, and what was done was done before the two looks": Case(
            look({**seen(**FULL, stuck=2, running=2), "done_in_window": False}), problems=["stuck"], **RESTARTED
        ),
        "one more has come": Case(look(seen(**FULL, growth=0.2)), problems=["waits_unexplained"]),
        "many came just now, and more is done": Case(
            look(seen(**FULL, growth=40.0, throughput_per_second=5.0, arrivals_per_second=4.0)), problems=["waits_unexplained"]
        ),
        "more comes than is done, and nothing says that any is": Case(
            look(seen(**SILENT, **FULL, growth=4.0)), unknown=None
        ),
        "as many as may run": Case(
            look(seen(**FULL, growth=4.0), running(replicas=3, ports=[])), problems=["too_few_workers"], why_not="(3) times already"
        ),
        "it becomes shorter": Case(look(seen(ready=250, growth=-1.0)), says=["mail becomes shorter by itself"]),
        "it becomes shorter, though no worker is seen": Case(look(seen(ready=250, growth=-1.0, workers=0))),
        "only what was done before says that it becomes shorter": Case(
            look(seen(**FULL, growth=None, throughput_per_second=2.0, arrivals_per_second=0.0)), problems=["waits_unexplained"]
        ),
        "one less waits": Case(look(seen(**FULL, growth=-0.2)), problems=["waits_unexplained"]),
        "it becomes shorter, and not in time": Case(look(seen(ready=250_000, growth=-1.0)), problems=["waits_unexplained"]),
        "it stays as long": Case(look(seen(**FULL)), problems=["waits_unexplained"]),
        "how it grows is not told": Case(
            look(seen(**FULL, growth=None, throughput_per_second=None)),
            unknown=["event_storm", "too_few_workers", "waits_unexplained"],
        ),
        "how many wait is not told": Case(look(seen(ready=None)), unknown=None),
        "the queue is not seen": Case(UNSEEN, unknown=None),
    },
)  # fmt: skip


@pytest.mark.parametrize(
    ("queue", "cause"), [(seen(ready=250, growth=-1.0), "draining"), (seen(stuck=2, running=5), "late_jobs")]
)
def test_what_needs_nobody_is_told(queue, cause):
    result = diagnose("worker_queue", look(queue), **SYSTEM)
    assert [one["cause"] for one in result["findings"] if one.get("summary")] == [cause], result["findings"]


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_concluded[few wait]"
WRONG_CAUSE_ROW = "test_concluded[the database is held up]"
NO_TELEMETRY_ROW = "test_concluded[the queue is not seen]"
