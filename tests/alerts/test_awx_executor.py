"""The executor for AWX against a server that answers as AWX does, and against one that does not."""

from __future__ import annotations

import dataclasses
import functools
import json
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from awx_survey import survey

from ansible_collections.oncall.runbooks.tests.support.fake_awx.http import Trouble
from ansible_collections.oncall.runbooks.tests.support.fake_awx.jobs import Course
from ansible_collections.oncall.runbooks.tests.support.fake_awx.server import TOKEN, FakeAwx
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from oncall import OncallError
from oncall.serve import api_calls, checks
from oncall.serve.api_calls import CallFailed
from oncall.serve.play import awx as executor_module
from oncall.serve.play.awx import AwxExecutor
from oncall.serve.play.awx_api import AwxApi
from oncall.serve.play.executor import CANCELED, INTERRUPTED, Order
from oncall.serve.settings import Awx, Route, Settings

LOOK = Order("e1r1", "db_pool", "shop", acts=False)
ACT = Order("e1r2", "db_pool", "shop", acts=True, plan_hashes=("p0123456789abcde",), may_act=("db_pool",))
FINE = {"healthy", "resolved", "planned", "advised"}
CONTEXT = functools.cache(ssl.create_default_context)
# Without a time in the queue, so that a quick cancel finds it running.
FOR_EVER = ((0.0, "running"),)
IN_QUEUE = ((0.0, "pending"),)


def published(outcome: str, acts: bool = True, **changed: object) -> dict:
    """What the role ``run`` publishes."""
    step = {"remedy": "end_blocker", "cause": "blocker", "risk": "low", "targets": ["pid 7"]}
    acted = outcome in ("resolved", "unresolved")
    run = {
        "run_id": "1", "runbook": "db_pool", "host": "shop", "outcome": outcome, "summary": f"it is {outcome}",
        "started_at": 1.0, "seconds": 2.0, "check_mode": not acts, "findings": [], "findings_after": [],
        "plan": {"hash": "p0123456789abcde", "risk": "low", "steps": [{**step, "available": True}]},
        "actions": [{**step, "state": "done", "helped": outcome == "resolved", "seconds": 1.0}] if acted else [],
        "guard": None, "notes": [], "hand_over": [], "escalation": "",
    }  # fmt: skip
    return {"oncall": {"shop": {"db_pool": {**run, **changed}}}}


def course(status: str, artifacts: object, **more: object) -> Course:
    """A job that ends soon."""
    return Course((*FOR_EVER, (0.025, status)), artifacts, **more)


@pytest.fixture
def awx(monkeypatch):
    """A server with one job template, and an executor that looks at it often."""
    monkeypatch.setattr(executor_module, "LOOK_EVERY_SECONDS", 0.01)
    # Making one anew takes longer than all the rest of a request.
    monkeypatch.setattr(api_calls.ssl, "create_default_context", CONTEXT)
    server = FakeAwx()
    make_template(server, "oncall")
    yield server
    server.stop()


@pytest.fixture
def short(monkeypatch):
    """A function: has it give up soon what never comes. Everything else may take as long as on a busy machine."""

    def shorten(lost: float = 0, launching: float = 0, timeout: float = 0) -> None:
        for module, name, seconds in (
            (executor_module, "LOST_SECONDS", lost),
            (executor_module, "LAUNCHING_SECONDS", launching),
            (api_calls, "TIMEOUT_SECONDS", timeout),
        ):
            if seconds:
                monkeypatch.setattr(module, name, seconds)

    return shorten


def make_template(server: FakeAwx, organization: str, **fields: object) -> dict:
    of = server.add("organizations", name=organization)["id"]
    project = server.add("projects", name=f"runbooks of {organization}", organization=of)
    project["playbook_files"] = ("playbooks/db_pool.yml",)
    asks = {f"ask_{name}_on_launch": True for name in ("limit", "job_type", "variables")}
    given = {"name": "db_pool", "project": project["id"], "playbook": "playbooks/db_pool.yml", **asks, **fields}
    template = server.add("job_templates", survey_enabled=True, **given)
    # As extensions/awx makes it: AWX refuses what does not fit.
    server.surveys[template["id"]] = survey("db_pool")
    return template


@pytest.fixture
def executor(awx, tmp_path):
    """A function: an executor with these settings."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")

    def make(organization: str = "oncall", queue_seconds: float = 3600, **route: object) -> AwxExecutor:
        target = Awx(awx.url, str(tmp_path / "token"), organization, queue_seconds=queue_seconds)
        routes = {"db_pool": Route(**{"variables": {"run_max_risk": "low"}, **route})}
        return AwxExecutor(Settings(inventories=("shop,",), state_directory=str(tmp_path), runbooks=routes, awx=target))

    return make


def status_of(awx: FakeAwx, job: int) -> str:
    return awx.items["jobs"][job]["shown"]()["status"]


# ------------------------------------------------------------------ what a job comes to
@pytest.mark.parametrize(
    ("order", "status", "outcome", "helped"),
    [
        (LOOK, "successful", "healthy", {}),
        (LOOK, "successful", "planned", {}),
        (LOOK, "successful", "advised", {}),
        (LOOK, "failed", "unknown", {}),
        (ACT, "successful", "healthy", {}),
        (ACT, "successful", "resolved", {"db_pool": True}),
        (ACT, "failed", "unresolved", {"db_pool": False}),
        (ACT, "failed", "blocked", {}),
    ],
)
def test_what_the_runbook_published_is_what_came_of_it(awx, executor, order, status, outcome, helped):
    awx.courses["db_pool"] = course(status, published(outcome, order.acts))
    told = executor().play(order, threading.Event())
    assert (told.outcome, told.summary, told.helped) == (outcome, f"it is {outcome}", helped)
    assert told.plan_hashes == (("p0123456789abcde",) if outcome == "planned" else ())
    (job,) = awx.launches
    assert told.result is not None and told.result["awx_job"] == job["id"]
    assert told.result["hosts"][0]["runs"][0]["outcome"] == outcome
    json.dumps(told.result)
    assert (job["limit"], job["job_type"]) == ("shop", "run" if order.acts else "check")
    variables = json.loads(job["extra_vars"])
    assert variables.pop("run_plan", None) == ("p0123456789abcde" if order.acts else None)
    assert variables.pop("run_may_act", None) == (["db_pool"] if order.acts else None)
    assert variables == {
        "run_max_risk": "low", "run_fail_on": ["unresolved", "blocked", "unknown"], "oncall_run": order.run, "run_host": "shop",
    }  # fmt: skip


def test_a_runbook_that_was_handed_over_to_is_told_as_well(awx, executor):
    handed = published("planned", acts=False, hand_over=["db_down"])
    owner = published("planned", acts=False, runbook="db_down")["oncall"]["shop"]["db_pool"]
    handed["oncall"]["shop"]["db_down"] = owner
    awx.courses["db_pool"] = course("successful", handed)
    told = executor().play(LOOK, threading.Event())
    assert (told.outcome, told.summary) == ("planned", "it is planned; db_down: it is planned")
    assert told.planned == ("db_pool", "db_down")


def test_one_that_was_handed_over_to_and_may_not_act(awx, executor):
    handed = published("advised", hand_over=["db_down"], plan={})
    guard = {"name": "may_act", "reason": "db_down may not act in this run"}
    handed["oncall"]["shop"]["db_down"] = published("blocked", runbook="db_down", guard=guard)["oncall"]["shop"][
        "db_pool"
    ]
    awx.courses["db_pool"] = course("failed", handed)
    told = executor().play(ACT, threading.Event())
    assert (told.outcome, told.helped, told.planned, told.plan_hashes) == (
        "blocked", {}, ("db_down",), ("p0123456789abcde",),
    )  # fmt: skip


@pytest.mark.parametrize("outcome", sorted(FINE))
@pytest.mark.parametrize("order", [LOOK, ACT], ids=["look", "act"])
def test_a_job_that_failed_is_never_fine(awx, executor, order, outcome):
    actions = {} if order.acts else {"actions": []}
    awx.courses["db_pool"] = course("failed", published(outcome, order.acts, **actions), explanation="lost\nthe host")
    told = executor().play(order, threading.Event())
    assert told.outcome == "unknown"
    assert told.summary.endswith(f"published {outcome}, and failed: lost the host")


@pytest.mark.parametrize(("order", "outcome"), [(LOOK, "unknown"), (ACT, INTERRUPTED)], ids=["look", "act"])
@pytest.mark.parametrize("status", ["error", "canceled"])
def test_a_job_that_came_to_no_end(awx, executor, order, outcome, status):
    awx.courses["db_pool"] = course(status, published("healthy", order.acts), explanation="the node is gone")
    told = executor().play(order, threading.Event())
    assert (told.outcome, told.helped) == (outcome, {})
    assert told.summary == f"AWX job {awx.launches[0]['id']} is {status}: the node is gone"


HEALTHY = published("healthy", acts=False)["oncall"]["shop"]["db_pool"]
DEEP = json.loads("[" * 900 + "]" * 900)


def of_shop(runs: object) -> dict:
    return {"oncall": {"shop": runs}}


@pytest.mark.parametrize(
    "artifacts",
    [
        {},
        None,
        "$hidden due to Ansible no_log flag$",
        [HEALTHY],
        7,
        {"oncall": None},
        {"oncall": "healthy"},
        {"oncall": ["shop"]},
        {"oncall": {"another": {"db_pool": {**HEALTHY, "host": "another"}}}},
        {"oncall": {"shop ": {"db_pool": HEALTHY}}},
        of_shop(None),
        of_shop("healthy"),
        of_shop([HEALTHY]),
        of_shop({"db_pool": None}),
        of_shop({"db_pool": "healthy"}),
        of_shop({"db_pool": []}),
        of_shop({"cache": {**HEALTHY, "runbook": "cache"}}),
        of_shop({"db_pool": {**HEALTHY, "runbook": "cache"}}),
        of_shop({"db_pool": {**HEALTHY, "host": "another"}}),
        of_shop({"db_pool": {**HEALTHY, "check_mode": False}}),
        of_shop({"db_pool": {**HEALTHY, "check_mode": "yes"}}),
        *(of_shop({"db_pool": {key: value for key, value in HEALTHY.items() if key != left_out}})
          for left_out in ("outcome", "summary", "runbook", "host", "check_mode")),
        *(of_shop({"db_pool": {**HEALTHY, "outcome": outcome}})
          for outcome in ("", "HEALTHY", "healthy ", "fine", None, 0, True, ["healthy"], {"healthy": 1})),
        of_shop({"db_pool": {**HEALTHY, "hand_over": 7}}),
        of_shop({"db_pool": {**HEALTHY, "hand_over": ["cache"]}, "cache": {**HEALTHY, "outcome": "odd"}}),
        of_shop({"db_pool": {**HEALTHY, "findings": "none"}}),
        of_shop({"db_pool": {**HEALTHY, "findings": [{}]}}),
        of_shop({"db_pool": {**HEALTHY, "plan": [1]}}),
        of_shop({"db_pool": {**HEALTHY, "plan": {"steps": [[]]}}}),
        of_shop({"db_pool": {**HEALTHY, "actions": {"a": 1}}}),
        of_shop({"db_pool": {**HEALTHY, "guard": "hold"}}),
        of_shop({"db_pool": {**HEALTHY, "evidence": DEEP}}),
        published("resolved", acts=False),
    ],
)  # fmt: skip
def test_what_no_runbook_publishes_is_unknown(awx, executor, artifacts):
    awx.courses["db_pool"] = course("successful", artifacts)
    told = executor().play(LOOK, threading.Event())
    assert told.outcome == "unknown"
    assert told.summary.startswith(f"AWX job {awx.launches[0]['id']} published")
    assert "\n" not in told.summary and len(told.summary) < 400
    assert told.helped == {}


# ------------------------------------------------------------------ canceled
@pytest.mark.parametrize(("order", "outcome"), [(LOOK, CANCELED), (ACT, INTERRUPTED)], ids=["look", "act"])
@pytest.mark.parametrize("first", ["", "500", "drop"])
def test_canceled_by_us(awx, executor, order, outcome, first):
    awx.courses["db_pool"] = Course(FOR_EVER)
    if first:
        how = {"how": "drop"} if first == "drop" else {"status": 500, "body": "{}"}
        awx.troubles = [Trouble("POST", "/cancel/", times=3, **how)]
    cancel = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        playing = pool.submit(executor().play, order, cancel)
        until(lambda: awx.launches)
        cancel.set()
        told = playing.result(90)
    job = awx.launches[0]["id"]
    assert (told.outcome, told.summary) == (outcome, f"AWX job {job} is canceled")
    assert status_of(awx, job) == "canceled"


@pytest.mark.parametrize(("order", "outcome"), [(LOOK, "unknown"), (ACT, INTERRUPTED)], ids=["look", "act"])
def test_killed_after_its_time(awx, executor, order, outcome):
    awx.courses["db_pool"] = Course(FOR_EVER)
    told = executor(timeout_seconds=0.1).play(order, threading.Event())
    job = awx.launches[0]["id"]
    assert (told.outcome, told.summary) == (outcome, f"AWX job {job} is killed after its time")
    assert status_of(awx, job) == "canceled"


def test_one_that_ends_before_it_can_be_canceled_is_told_as_it_ended(awx, executor):
    awx.courses["db_pool"] = Course((*FOR_EVER, (0.2, "successful")), published("resolved"))
    # AWX takes the request when the job has ended, and answers 405.
    awx.troubles = [Trouble("POST", "/cancel/", status=502)]
    cancel = threading.Event()
    cancel.set()
    told = executor().play(ACT, cancel)
    assert (told.outcome, told.helped) == ("resolved", {"db_pool": True})


@pytest.mark.parametrize("refused", [False, True])
def test_one_that_does_not_end_is_not_waited_for(awx, executor, short, refused):
    short(lost=0.3)
    awx.courses["db_pool"] = Course(FOR_EVER, canceling_seconds=None)
    if refused:
        awx.troubles = [Trouble("POST", "/cancel/", status=403, body='{"detail": "You may not."}')]
    cancel = threading.Event()
    cancel.set()
    told = executor().play(ACT, cancel)
    job = awx.launches[0]["id"]
    assert (told.outcome, told.summary) == (INTERRUPTED, f"AWX job {job} is canceled, and does not end")


# ------------------------------------------------------------------ before it starts
def canceled_in_queue(awx, order, playing) -> object:
    cancel = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(playing.play, order, cancel)
        until(lambda: awx.launches)
        cancel.set()
        return told.result(90)


@pytest.mark.parametrize("order", [LOOK, ACT], ids=["look", "act"])
def test_a_job_that_is_canceled_before_it_starts_did_nothing(awx, executor, order):
    awx.courses["db_pool"] = Course(IN_QUEUE)
    told = canceled_in_queue(awx, order, executor())
    job = awx.launches[0]["id"]
    assert (told.outcome, told.summary) == (CANCELED, f"AWX job {job} is canceled before it started; nothing ran")
    assert told.nothing_ran


def test_one_that_starts_although_awx_calls_it_canceled_may_have_acted(awx, executor):
    awx.courses["db_pool"] = Course(IN_QUEUE, starts_late=True)
    told = canceled_in_queue(awx, ACT, executor())
    assert (told.outcome, told.nothing_ran) == (INTERRUPTED, False)


@pytest.mark.parametrize("order", [LOOK, ACT], ids=["look", "act"])
@pytest.mark.parametrize("status", ["failed", "error"])
def test_a_job_that_failed_before_it_started_did_nothing(awx, executor, order, status):
    awx.courses["db_pool"] = Course((*IN_QUEUE, (0.02, status)), explanation="Previous Task Failed: the project")
    told = executor().play(order, threading.Event())
    job = awx.launches[0]["id"]
    assert (told.outcome, told.summary) == (
        "unknown", f"AWX job {job} is {status} before it started; nothing ran: Previous Task Failed: the project",
    )  # fmt: skip
    assert told.nothing_ran


def test_time_in_the_queue_is_not_the_time_of_the_run(awx, executor):
    # The run may take a tenth of a second, and waits three times as long to begin.
    states = (*IN_QUEUE, (0.15, "waiting"), (0.3, "running"), (0.31, "successful"))
    awx.courses["db_pool"] = Course(states, published("resolved"))
    told = executor(timeout_seconds=0.1).play(ACT, threading.Event())
    assert told.outcome == "resolved"
    assert told.queued_seconds > 0.1 and told.result["seconds"] == pytest.approx(0.01, abs=0.001)


def test_a_job_that_waits_too_long_in_the_queue_is_canceled_and_did_nothing(awx, executor):
    awx.courses["db_pool"] = Course(IN_QUEUE)
    told = executor(queue_seconds=0.05).play(ACT, threading.Event())
    job = awx.launches[0]["id"]
    assert (told.outcome, told.nothing_ran) == ("unknown", True)
    assert told.summary == f"AWX job {job} is canceled after its time in AWX's queue before it started; nothing ran"
    assert status_of(awx, job) == "canceled"


# ------------------------------------------------------------------ why a job failed
LEDGER = {
    "host": "shop",
    "task": "claim | Ask the ledger",
    "res": {"msg": "no postgres://oncall:hunter2@db/x\n at all"},
}
PASSED_OVER = {"host": "shop", "task": "Look", "ignore_errors": True, "res": {"msg": "never mind"}}
AWAY = {"host": "shop", "task": "Look", "res": {"msg": "ssh: no route to host", "unreachable": True}}
HIDDEN = {"host": "shop", "task": "Log in", "res": {"censored": "the output has been hidden"}}
TRACE = "Traceback (most recent call last):\n  File x\nRuntimeError: token=hunter2 of the registry is refused"


@pytest.mark.parametrize(
    ("told_by_awx", "why"),
    [
        ({"events": (("runner_on_failed", LEDGER, ""),)}, "claim | Ask the ledger: no postgres://********@db/x at all"),
        ({"events": (("runner_on_failed", LEDGER, ""), ("runner_on_failed", PASSED_OVER, ""))},
         "claim | Ask the ledger: no postgres://********@db/x at all"),
        ({"events": (("runner_on_failed", LEDGER, ""), ("runner_on_unreachable", AWAY, ""))}, "Look: ssh: no route to host"),
        ({"events": (("runner_on_failed", HIDDEN, "fatal: [shop]: FAILED!"),)}, "Log in: fatal: [shop]: FAILED!"),
        ({"events": (("runner_on_ok", LEDGER, ""),)}, ""),
        ({"explanation": "Job terminated due to timeout"}, "Job terminated due to timeout"),
        ({"traceback": TRACE}, "RuntimeError: token=******** of the registry is refused"),
        ({"events": (("runner_on_unreachable", AWAY, ""),), "explanation": "lost", "processing_seconds": 0.05},
         "Look: ssh: no route to host; lost"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", ["failed", "error"])
def test_why_a_job_failed_is_told_without_its_secrets(awx, executor, status, told_by_awx, why):
    awx.courses["db_pool"] = course(status, {}, **told_by_awx)
    told = executor().play(ACT, threading.Event())
    how = "published nothing about shop" if status == "failed" else "is error"
    assert told.summary == f"AWX job {awx.launches[0]['id']} {how}{why and ': '}{why}"


def test_where_awx_does_not_say_what_a_job_did_its_own_words_have_to_do(awx, executor):
    awx.courses["db_pool"] = course("failed", {}, explanation="the node is gone")
    awx.troubles = [Trouble("GET", "/job_events/", status=403, body='{"detail": "You may not."}')]
    assert executor().play(ACT, threading.Event()).summary.endswith("about shop: the node is gone")


def test_where_a_job_is_and_how_it_is_shown_while_it_goes_on(awx, executor):
    lines: list[str] = []
    awx.courses["db_pool"] = course("successful", published("resolved"))
    told = executor().play(dataclasses.replace(ACT, tell=lines.append), threading.Event())
    job = awx.launches[0]["id"]
    address = f"{awx.url}/#/jobs/playbook/{job}/output"
    assert lines == [f"AWX job {job} goes on: {address}"]
    assert (told.result["awx_job"], told.result["awx_url"]) == (job, address)


# ------------------------------------------------------------------ what AWX takes
def test_a_variable_that_the_survey_refuses_is_said_before_the_launch(awx, executor):
    with pytest.raises(OncallError) as raised:
        executor(variables={"run_verify_seconds": "900", "run_max_risk": "some"}).play(ACT, threading.Event())
    assert str(raised.value) == (
        "the survey of the job template db_pool refuses run_max_risk: it has to be one of low, medium, high; "
        "the survey of the job template db_pool refuses run_verify_seconds: it has to be a number, and is text"
    )
    assert awx.writes == []


def test_awx_refuses_a_plan_that_is_a_list(awx, executor):
    """What was sent before; the imitation answers as AWX 24.6.1 does."""
    template = awx.named("job_templates", "db_pool")["id"]
    asked = {"limit": "shop", "job_type": "run", "extra_vars": {"run_plan": ["p0"]}}
    with pytest.raises(CallFailed, match=r"400: .*\[\"Value \['p0'\] for 'run_plan' expected to be a string.\"\]"):
        executor()._api.one(f"/api/v2/job_templates/{template}/launch/", asked)


def test_what_is_in_an_answer_of_awx_is_masked(awx, executor):
    awx.troubles = [Trouble("POST", "/launch/", status=400, body='{"detail": "postgres://oncall:hunter2@db/x"}')]
    with pytest.raises(OncallError, match=r"AWX did not launch it: .*\*{8}@db/x") as raised:
        executor().play(ACT, threading.Event())
    assert "hunter2" not in str(raised.value)


def test_a_project_whose_update_failed_keeps_every_launch_away(awx, executor):
    awx.named("projects", "runbooks of oncall")["status"] = "failed"
    with pytest.raises(OncallError, match="Missing a revision to run due to failed project update"):
        executor().play(ACT, threading.Event())


@pytest.mark.parametrize(
    ("role", "says"), [("", "AWX has 0 job templates db_pool"), ("Read", "answers 403: .*permission")]
)
def test_a_token_without_the_role(awx, executor, tmp_path, role, says):
    template = awx.named("job_templates", "db_pool")["id"]
    awx.people["token-of-serve"] = {("job_templates", template, role)} if role else set()
    (tmp_path / "token").write_text("token-of-serve")
    with pytest.raises(OncallError, match=says):
        executor().play(ACT, threading.Event())
    awx.people["token-of-serve"] = {("job_templates", template, "Execute")}
    awx.courses["db_pool"] = course("failed", {}, events=(("runner_on_failed", AWAY, ""),))
    assert executor().play(ACT, threading.Event()).summary.endswith("Look: ssh: no route to host")


CHECKED = """
inventories: ["shop,"]
state_directory: state
executor: awx
awx: {{url: "{url}", token_file: token, organization: oncall}}
runbooks:
  cache: {{mode: "off"}}
  db_pool:
    mode: approve
    variables:
      run_max_risk: low
      {variable}
"""


@pytest.mark.parametrize(
    ("variable", "says"),
    [
        ("run_verify_seconds: 900", ""),
        ('run_verify_seconds: "900"', r"serve.yml:12: runbooks.db_pool.variables.run_verify_seconds: "
         "the survey of the job template db_pool refuses run_verify_seconds: it has to be a number, and is text"),
        ("run_plan: [a, b]", r"serve.yml:12: runbooks.db_pool.variables.run_plan: .* has to be text, and is a list"),
    ],
)  # fmt: skip
def test_a_check_of_the_settings_asks_awx_what_it_takes(awx, tmp_path, variable, says):
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "token").write_text(TOKEN)
    file = tmp_path / "serve.yml"
    file.write_text(CHECKED.format(url=awx.url, variable=variable))
    if not says:
        assert "is right" in checks.check(file)[0]
    else:
        with pytest.raises(OncallError, match=says):
            checks.check(file)
    assert awx.writes == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"name": "another"}, r"serve.yml:8: runbooks.db_pool: AWX has 0 job templates db_pool"),
        ({"ask_limit_on_launch": False}, "does not ask on launch: ask_limit_on_launch"),
    ],
)
def test_a_check_names_a_job_template_that_does_not_fit(awx, tmp_path, changed, says):
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "token").write_text(TOKEN)
    awx.named("job_templates", "db_pool").update(changed)
    file = tmp_path / "serve.yml"
    file.write_text(CHECKED.format(url=awx.url, variable="run_verify_seconds: 1"))
    with pytest.raises(OncallError, match=says):
        checks.check(file)
    awx.stop()
    with pytest.raises(OncallError, match="AWX does not say what it takes: "):
        checks.check(file)
    awx.start()


# ------------------------------------------------------------------ AWX does not answer
ODD_ANSWERS = [
    Trouble("GET", "/jobs/", how="drop", times=3),
    Trouble("GET", "/jobs/", how="hang", times=1),
    Trouble("GET", "/jobs/", how="half", times=3),
    Trouble("GET", "/jobs/", how="noise", times=3),
    Trouble("GET", "/jobs/", status=500, body="<html>", times=3),
    Trouble("GET", "/jobs/", status=401, body='{"detail": "expired"}', times=3),
    Trouble("GET", "/jobs/", status=404, body="{}", times=3),
    Trouble("GET", "/jobs/", status=200, body="no json", times=3),
    Trouble("GET", "/jobs/", status=200, body="[]", times=3),
    Trouble("GET", "/jobs/", status=200, body="", times=3),
    Trouble("GET", "/jobs/", status=200, body='{"status": ["successful"]}', times=3),
    Trouble("GET", "/jobs/", status=200, body="[" * 100_000, times=3),
    Trouble("GET", "/jobs/", status=302, body="", times=3),
]


@pytest.mark.parametrize("trouble", ODD_ANSWERS, ids=lambda one: one.how or f"{one.status} {one.body[:10]}")
def test_looks_that_fail_for_a_while_change_nothing(awx, executor, short, trouble):
    short(timeout=1 if trouble.how == "hang" else 0)
    awx.courses["db_pool"] = course("successful", published("resolved"))
    awx.troubles = [Trouble(trouble.method, trouble.path, trouble.how, trouble.status, trouble.body, trouble.times)]
    told = executor().play(ACT, threading.Event())
    assert (told.outcome, told.helped) == ("resolved", {"db_pool": True})
    assert awx.troubles[0].times == 0
    assert len(awx.launches) == 1


@pytest.mark.parametrize(("order", "outcome"), [(LOOK, "unknown"), (ACT, INTERRUPTED)], ids=["look", "act"])
def test_awx_goes_away_and_does_not_come_back(awx, executor, short, order, outcome):
    short(lost=0.3)
    awx.courses["db_pool"] = Course(FOR_EVER)
    with ThreadPoolExecutor(1) as pool:
        playing = pool.submit(executor().play, order, threading.Event())
        until(lambda: awx.launches)
        awx.stop()
        told = playing.result(90)
        awx.start()
    assert told.outcome == outcome
    assert told.summary.startswith(f"AWX job {awx.launches[0]['id']} was lost sight of: ")


def test_awx_goes_away_and_comes_back(awx, executor):
    awx.courses["db_pool"] = Course((*FOR_EVER, (0.15, "successful")), published("resolved"))
    with ThreadPoolExecutor(1) as pool:
        playing = pool.submit(executor().play, ACT, threading.Event())
        until(lambda: awx.launches)
        awx.stop()
        threading.Timer(0.2, awx.start).start()
        assert playing.result(90).outcome == "resolved"


def test_a_token_that_is_gone_for_a_moment(awx, executor, tmp_path):
    awx.courses["db_pool"] = Course((*FOR_EVER, (0.1, "successful")), published("resolved"))
    with ThreadPoolExecutor(1) as pool:
        playing = pool.submit(executor().play, ACT, threading.Event())
        until(lambda: awx.launches)
        (tmp_path / "token").rename(tmp_path / "new")
        threading.Timer(0.2, (tmp_path / "new").rename, [tmp_path / "token"]).start()
        assert playing.result(90).outcome == "resolved"


# ------------------------------------------------------------------ the launch
@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"name": "another"}, "AWX has 0 job templates db_pool; extensions/awx makes one"),
        ({"ask_limit_on_launch": False}, "does not ask on launch: ask_limit_on_launch"),
        ({"ask_variables_on_launch": False, "ask_job_type_on_launch": False},
         "does not ask on launch: ask_job_type_on_launch, ask_variables_on_launch"),
        ({"job_slice_count": 2}, "the job template db_pool is sliced"),
    ],
)  # fmt: skip
def test_a_template_that_does_not_fit_is_not_launched(awx, executor, changed, says):
    awx.named("job_templates", "db_pool").update(changed)
    with pytest.raises(OncallError, match=says):
        executor().play(ACT, threading.Event())
    assert awx.writes == []


def test_of_two_templates_of_one_name_none_is_launched(awx, executor):
    make_template(awx, "others")
    with pytest.raises(OncallError, match="AWX has 2 job templates db_pool"):
        executor(organization="").play(ACT, threading.Event())
    assert awx.writes == []
    awx.courses["db_pool"] = course("successful", published("resolved"))
    assert executor("others").play(ACT, threading.Event()).outcome == "resolved"


@pytest.mark.parametrize("order", [LOOK, ACT], ids=["look", "act"])
@pytest.mark.parametrize(
    "trouble",
    [
        Trouble("GET", "/job_templates/", status=500),
        Trouble("GET", "/job_templates/", how="drop"),
        Trouble("GET", "/job_templates/", how="half"),
        Trouble("GET", "/job_templates/", status=200, body='{"results": [7]}'),
        Trouble("GET", "/job_templates/", status=200, body='{"detail": "?"}'),
        Trouble("POST", "/launch/", status=400, body='{"variables_needed_to_start": ["missing"]}'),
        Trouble("POST", "/launch/", status=401, body='{"detail": "no"}'),
        Trouble("POST", "/launch/", status=403, body='{"detail": "no"}'),
        Trouble("POST", "/launch/", status=404, body='{"detail": "Not found."}'),
        Trouble("POST", "/launch/", status=302),
    ],
    ids=lambda one: f"{one.method} {one.how or one.status}",
)
def test_what_was_not_begun_says_why(awx, executor, order, trouble):
    awx.troubles = [trouble]
    with pytest.raises(
        OncallError, match=str(trouble.status) if not trouble.how and trouble.status != 200 else "job_templates"
    ):
        executor().play(order, threading.Event())
    assert awx.launches == []


def test_a_survey_that_wants_an_answer_refuses_the_launch(awx, executor):
    template = awx.named("job_templates", "db_pool")
    question = {"question_name": "why", "variable": "why", "type": "text", "required": True}
    awx.surveys[template["id"]] = {"name": "", "description": "", "spec": [question]}
    with pytest.raises(OncallError, match=r"refuses why: it is required, and is not given"):
        executor().play(ACT, threading.Event())


def test_a_wrong_token(awx, executor, tmp_path):
    (tmp_path / "token").write_text("secret-4711")
    with pytest.raises(OncallError, match="answers 401") as raised:
        executor().play(ACT, threading.Event())
    assert "secret-4711" not in str(raised.value)
    (tmp_path / "token").unlink()
    with pytest.raises(OncallError, match="cannot read"):
        executor().play(ACT, threading.Event())


@pytest.mark.parametrize("how", ["late", "half"])
def test_a_launch_whose_answer_is_lost_is_found_again_and_followed(awx, executor, short, how):
    short(timeout=1 if how == "late" else 0)
    awx.courses["db_pool"] = course("successful", published("resolved"))
    awx.troubles = [Trouble("POST", "/launch/", how=how)]
    told = executor().play(ACT, threading.Event())
    assert (told.outcome, len(awx.launches)) == ("resolved", 1)


@pytest.mark.parametrize(("order", "outcome"), [(LOOK, "unknown"), (ACT, INTERRUPTED)], ids=["look", "act"])
@pytest.mark.parametrize(
    "trouble",
    [
        Trouble("POST", "/launch/", status=500),
        Trouble("POST", "/launch/", how="drop"),
        Trouble("POST", "/launch/", how="hang"),
        Trouble("POST", "/launch/", how="noise"),
        Trouble("POST", "/launch/", status=201, body='{"job": true}'),
        Trouble("POST", "/launch/", status=201, body='{"job": "7", "ignored_fields": {}}'),
        Trouble("POST", "/launch/", status=201, body="null"),
    ],
    ids=lambda one: f"{one.how or one.status} {one.body[:10]}",
)
def test_a_launch_that_nobody_knows_of_is_never_fine(awx, executor, short, order, outcome, trouble):
    short(launching=0.1, timeout=1 if trouble.how == "hang" else 0)
    awx.troubles = [trouble]
    told = executor().play(order, threading.Event())
    assert told.outcome == outcome
    assert told.summary.startswith("nobody knows whether AWX launched it: ")


@pytest.mark.parametrize("order", [LOOK, ACT], ids=["look", "act"])
@pytest.mark.parametrize("ask", ["limit", "job_type", "variables"])
def test_a_job_that_is_another_than_was_asked_for_is_canceled(awx, executor, monkeypatch, order, ask):
    """Somebody changes the template between the look at it and the launch."""
    template = awx.named("job_templates", "db_pool")
    template.update({f"ask_{ask}_on_launch": False, "job_type": "run" if order is LOOK else "check"})
    awx.courses["db_pool"] = Course(FOR_EVER)
    monkeypatch.setattr(AwxApi, "template", lambda _self, _runbook: template)
    told = executor(timeout_seconds=1).play(order, threading.Event())
    job = awx.launches[0]["id"]
    name = "extra_vars" if ask == "variables" else ask
    assert (told.outcome, told.summary) == (
        INTERRUPTED, f"AWX job {job} is canceled, as AWX did not heed {name}",
    )  # fmt: skip
    assert status_of(awx, job) == "canceled"


@pytest.mark.parametrize(("limit", "job_type"), [("", "check"), ("all", "check"), ("shop", "run")])
def test_a_job_that_only_its_own_fields_give_away_is_canceled(awx, executor, limit, job_type):
    awx.courses["db_pool"] = Course(FOR_EVER)
    playing = executor(timeout_seconds=1)
    template = awx.named("job_templates", "db_pool")
    job = playing._api.one(f"/api/v2/job_templates/{template['id']}/launch/", {"limit": limit, "job_type": job_type})[
        "job"
    ]
    told_so = {"job": job, "ignored_fields": {}, "limit": limit, "job_type": job_type}
    awx.troubles = [Trouble("POST", "/launch/", status=201, body=json.dumps(told_so))]
    assert playing.play(LOOK, threading.Event()).outcome == INTERRUPTED
    assert status_of(awx, job) == "canceled"


@pytest.mark.parametrize("order", [LOOK, ACT], ids=["look", "act"])
def test_another_job_than_was_asked_for_is_never_fine_even_where_it_ended_well(awx, executor, monkeypatch, order):
    template = awx.named("job_templates", "db_pool")
    template["ask_limit_on_launch"] = False
    awx.courses["db_pool"] = Course(((0.0, "successful"),), published("healthy", order.acts))
    monkeypatch.setattr(AwxApi, "template", lambda _self, _runbook: template)
    assert executor().play(order, threading.Event()).outcome == INTERRUPTED


# ------------------------------------------------------------------ after a crash of the service
def test_a_job_that_goes_on_after_a_crash_is_found_again_and_followed(awx, executor):
    awx.courses["db_pool"] = Course((*FOR_EVER, (0.3, "successful")), published("resolved"))
    before = executor()
    path = f"/api/v2/job_templates/{awx.named('job_templates', 'db_pool')['id']}/launch/"
    for order in (LOOK, ACT, Order("e2r1", "db_pool", "other", acts=True)):
        before._api.one(path, before._asked(order))
    awx.add(
        "job_templates", **{**awx.named("job_templates", "db_pool"), "name": "cache", "ask_variables_on_launch": True}
    )

    told = executor().take_up(ACT, threading.Event())
    assert told is not None and told.result is not None
    assert (told.outcome, told.helped, told.result["awx_job"]) == ("resolved", {"db_pool": True}, awx.launches[1]["id"])
    assert len(awx.launches) == 3
    assert executor().take_up(Order("e1r3", "db_pool", "shop", acts=True), threading.Event()) is None


def test_a_job_that_a_person_launched_again_is_not_the_one_of_the_run(awx, executor):
    awx.courses["db_pool"] = course("successful", published("resolved"))
    executor().play(ACT, threading.Event())
    awx.courses["db_pool"] = Course(FOR_EVER)
    again = executor()._api.one(f"/api/v2/jobs/{awx.launches[0]['id']}/relaunch/", {})
    assert again["launch_type"] == "relaunch" and again["extra_vars"] == awx.launches[0]["extra_vars"]
    told = executor().take_up(ACT, threading.Event())
    assert (told.outcome, told.result["awx_job"]) == ("resolved", awx.launches[0]["id"])


def test_a_job_is_looked_for_until_awx_answers(awx, executor, short):
    awx.troubles = [Trouble("GET", "/jobs/", status=503, times=3), Trouble("GET", "/jobs/", how="half", times=2)]
    assert executor().take_up(ACT, threading.Event()) is None
    awx.troubles = [Trouble("GET", "/jobs/", status=503)]
    short(lost=0.3)
    told = executor().take_up(ACT, threading.Event())
    assert told is not None and told.outcome == INTERRUPTED
    assert told.summary.startswith("nobody knows whether its job in AWX goes on: ")
