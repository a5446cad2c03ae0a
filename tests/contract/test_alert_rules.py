"""The alert rules agree with the runbooks: every alert has its rule, its thresholds, its tests and its page."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from collection import ROOT, RUNBOOKS, load

EXTENSION = ROOT / "extensions" / "prometheus"
README = (EXTENSION / "README.md").read_text()
SEVERITIES = ("low", "medium", "high", "critical")
# It always fires.
WATCHDOG = "Watchdog"
# That nobody asks is what these find.
FIRE_WITHOUT_DATA = {WATCHDOG, "OncallDown"}

# Which variables of its runbook a rule agrees with; none where it fires for something that is there or not.
THRESHOLDS: dict[str, tuple[str, ...]] = {
    "BackupStale": ("backup_max_age_seconds",),
    "BackupFailed": (),
    "AuthFailuresHigh": ("auth_failures_refused_ratio", "auth_failures_min_refused"),
    "CacheHitRateLow": ("cache_hit_ratio", "cache_min_lookups", "cache_cold_seconds"),
    "CertificateNotRenewed": ("certificate_expiry_urgent_days",),
    "CertificateExpiresSoon": ("certificate_expiry_soon_days",),
    "CrashLoop": ("crash_loop_restarts",),
    "ContainerRestarting": ("crash_loop_restarts",),
    "DbPoolHighUsage": ("db_pool_high_usage_ratio",),
    "DiskUsageHigh": ("disk_full_used_ratio", "disk_full_inodes_ratio"),
    "HighErrorRate": ("error_rate_ratio", "error_rate_min_answers"),
    "High5xxRate": ("error_rate_min_answers",),
    "ElevatedLatency": ("latency_p95_seconds", "latency_min_requests"),
    "PaymentUpdatesMissing": ("payment_webhook_look_back_seconds",),
    "PaymentWebhookFailing": (),
    "HighCpuUsage": ("resource_usage_cpu_ratio",),
    "HighMemoryUsage": ("resource_usage_memory_ratio",),
    "DeploymentFailed": ("rollback_recent_seconds",),
    "WorkerQueueBackup": ("worker_queue_depth",),
    "JobHeartbeatStale": ("job_scheduler_grace_seconds",),
    "DeadLetterBacklog": ("job_scheduler_dead",),
    "WorkflowStalled": ("stalled_workflow_limit_seconds",),
    "ConnectorSyncLag": ("sync_lag_limit_seconds", "sync_lag_limit_bytes"),
    "NotificationDeliveryFailing": ("notification_provider_failing", "notification_provider_failing_ratio"),
    "NotificationBacklog": ("notification_provider_depth",),
    **dict.fromkeys(("ApiDown", "HealthCheckFailing", "PortConflict", "OomKill", "DbPoolExhausted"), ()),
    **dict.fromkeys(("MigrationsNotCurrent",), ()),
    **dict.fromkeys(("CircuitBreakerOpen", "BreakGlassTokenLeft"), ()),
    **dict.fromkeys(("CacheDisabled", "RedisDown", "DatabaseConnectionFailure", "DatabaseDown"), ()),
    **dict.fromkeys(("DiskFull", "DiskWriteFailures"), ()),
}
WORDS = {"and", "or", "unless", "by", "on", "without", "ignoring", "group_left", "offset", "bool"}


def rules() -> dict[str, tuple[str, dict[str, Any]]]:
    """Alert -> the name of its file and its rule; a name twice is an error."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for path in sorted((EXTENSION / "rules").glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            assert group["name"] == path.stem
            for rule in group["rules"]:
                assert rule["alert"] not in found
                found[rule["alert"]] = (path.stem, rule)
    return found


RULES = rules()
OF_RUNBOOKS = {alert: rule for alert, (_, rule) in RULES.items() if "runbook" in rule["labels"]}


def meta(runbook: str) -> dict[str, Any]:
    return load("roles", runbook, "meta", "runbook.yml")


def families(expression: str) -> set[str]:
    """The metrics that an expression names."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|on|ignoring|group_left) \([^)]*\)|\boffset \w+", " ", bare)
    return set(re.findall(r"\b[A-Za-z_]\w*\b(?!\s*\()", bare)) - WORDS


def told() -> list[str]:
    """What the README says the rules need; ``*`` stands for any end."""
    rows = re.search(r"## The families\n(.*?)\n## ", README, re.S)
    assert rows
    return [name for row in re.findall(r"^\| (`.*?) \|", rows[1], re.M) for name in re.findall(r"`([\w*]+)`", row)]


def base(family: str) -> str:
    return re.sub(r"_(bucket|count|sum)$", "", family)


def unit_tests(alert: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The tests that ask for an alert, and what they expect of it."""
    tests = yaml.safe_load((EXTENSION / "tests" / f"{RULES[alert][0]}.yml").read_text())["tests"]
    return [(test, asked) for test in tests for asked in test["alert_rule_test"] if asked["alertname"] == alert]


def test_every_alert_of_a_runbook_has_its_rule():
    wanted = {alert: (runbook, runbook) for runbook in RUNBOOKS for alert in meta(runbook)["alerts"]}
    assert {alert: (RULES[alert][0], rule["labels"]["runbook"]) for alert, rule in OF_RUNBOOKS.items()} == wanted


def test_the_other_rules_are_about_the_service_itself():
    assert {name for alert, (name, _) in RULES.items() if alert not in OF_RUNBOOKS} == {"oncall"}


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_severities_are_those_of_the_runbook(runbook):
    severity = meta(runbook)["severity"]
    found = {RULES[alert][1]["labels"]["severity"] for alert in meta(runbook)["alerts"]}
    # An early warning may be less. A runbook without an alert is run by a person.
    assert severity in found or not found
    assert all(SEVERITIES.index(one) <= SEVERITIES.index(severity) for one in found)


@pytest.mark.parametrize("alert", RULES)
def test_its_labels_and_annotations(alert):
    rule = RULES[alert][1]
    assert set(rule["labels"]) - {"runbook"} == {"severity"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    page, _, heading = rule["annotations"]["runbook_url"].partition("#")
    text = (ROOT / page).read_text()
    if heading:
        headings = re.findall(r"^#+ (.+)$", text, re.M)
        assert heading in {re.sub(r"[^\w -]", "", line).lower().replace(" ", "-") for line in headings}
        assert f"| `{alert}` |" in text
    else:
        assert f"`{alert}`" in text


@pytest.mark.parametrize("alert", OF_RUNBOOKS)
def test_its_page_is_that_of_its_runbook(alert):
    rule = OF_RUNBOOKS[alert]
    assert rule["annotations"]["runbook_url"] == f"roles/{rule['labels']['runbook']}/README.md"


@pytest.mark.parametrize("alert", OF_RUNBOOKS)
def test_it_is_one_alert_for_a_host(alert):
    """What is left of the labels is said by the unit tests: `instance`, and nothing that makes a second run of it."""
    for _, asked in unit_tests(alert):
        for expected in asked["exp_alerts"]:
            assert set(expected["exp_labels"]) == {"instance", "runbook", "severity"}


@pytest.mark.parametrize("alert", RULES)
def test_it_is_tested_to_fire_and_not_to(alert):
    asked = unit_tests(alert)
    assert [one for _, one in asked if one["exp_alerts"]]
    if alert != WATCHDOG:
        # Below the threshold or healthy, with data; and without any.
        assert [one for test, one in asked if not one["exp_alerts"] and test.get("input_series")]
    if alert not in FIRE_WITHOUT_DATA:
        assert [one for test, one in asked if not one["exp_alerts"] and not test.get("input_series")]


def test_of_every_alert_of_a_runbook_it_is_known_which_thresholds_it_has():
    assert set(THRESHOLDS) == set(OF_RUNBOOKS)


@pytest.mark.parametrize("alert", THRESHOLDS)
def test_its_thresholds_are_the_defaults_of_the_runbook(alert):
    runbook, rule = RULES[alert]
    expression = rule["expr"]
    # Numbers that something is compared with, and the lengths of windows in seconds.
    numbers = {float(number) for number in re.findall(r"[<>=] ([0-9.]+)\b", expression)}
    numbers |= {3600.0 * float(hours) for hours in re.findall(r"\[([0-9]+)h", expression)}
    defaults = load("roles", runbook, "defaults", "main.yml")
    assert {name: float(defaults[name]) for name in THRESHOLDS[alert] if float(defaults[name]) not in numbers} == {}


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ('sum by (instance) (rate(a_total{x="b_total"}[5m])) / on (instance) c > 0.5', {"a_total", "c"}),
        ('label_replace(a or b offset 15m, "x", "$1", "y", "(.+)")', {"a", "b"}),
        ("a and ignoring (state) b unless max_over_time(c[1h:1m]) == bool 1", {"a", "b", "c"}),
    ],
)
def test_families_are_found(expression, named):
    assert families(expression) == named


def test_the_page_tells_of_every_family_and_of_no_other():
    used = {base(family) for _, rule in RULES.values() for family in families(rule["expr"])}
    patterns = {name: re.compile(name.replace("*", r"\w*")) for name in told()}
    assert sorted(family for family in used if not any(one.fullmatch(family) for one in patterns.values())) == []
    assert sorted(name for name, one in patterns.items() if not any(map(one.fullmatch, used))) == []


def test_what_the_application_tells_is_named_as_in_the_lab():
    named = dict(re.findall(r"^\| `(app_\w+)` \|.*\| `(\w+)` \|$", README, re.M))
    assert len(named) > 10
    lab = load("inventories", "lab", "host_vars", "lab.yml")["system_metrics"]
    # The lab does not tell this one.
    assert {family: name for family, name in named.items() if lab.get(name) != family} == {
        "app_db_connected": "db_connected"
    }


def test_an_alert_is_inhibited_only_by_one_of_the_same_runbook():
    rules_of = load("extensions", "prometheus", "alertmanager.yml")["inhibit_rules"]
    pairs = []
    for rule in rules_of:
        (source,), (target,) = (
            [re.fullmatch(r'alertname =~? "([\w|]+)"', text) for text in rule[side]]
            for side in ("source_matchers", "target_matchers")
        )
        pairs += [(source[1], one, rule["equal"]) for one in target[1].split("|")]
    assert pairs
    for source, target, equal in pairs:
        assert (RULES[source][0], equal) == (RULES[target][0], ["instance"])
        assert source != target


def test_what_the_service_tells_of_itself_is_named_as_it_tells_it():
    source = (ROOT / "oncall" / "serve" / "metrics.py").read_text()
    named = {family for _, rule in RULES.values() for family in families(rule["expr"]) if family.startswith("oncall_")}
    assert len(named) > 5
    assert sorted(name for name in named if f'"{name.removesuffix("_total")}"' not in source) == []
    results = re.search(r'result=~"([^"]+)"', RULES["OncallNotificationsTurnedAway"][1]["expr"])
    assert results
    assert [result for result in results[1].split("|") if f'"{result}"' not in source] == []


def test_whoever_needs_a_person_is_told():
    outcomes = set(re.findall(r'outcome=~"([^"]+)"', RULES["OncallEscalation"][1]["expr"]))
    # As run escalates, and what only the service knows.
    assert outcomes == {"advised|blocked|unresolved|unknown|interrupted|expired"}
    page = (ROOT / "docs" / "architecture.md").read_text()
    escalated = re.search(r"^10\. `run_escalation_tasks` run for (.*?)\. ", page, re.M | re.S)
    assert escalated
    assert {*re.findall(r"`(\w+)`", escalated[1]), "interrupted", "expired"} == set(outcomes.pop().split("|"))
