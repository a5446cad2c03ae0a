"""The runbook db_pool on the real stack, for every cause: named, planned, fixed, proven, and not touched again."""

from __future__ import annotations

import contextlib
import json
import re
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from plays import Play

from ansible_collections.oncall.runbooks.tests.support.lab_parts import IDLE_SECONDS, a_transaction_held
from ansible_collections.oncall.runbooks.tests.support.lab_parts import session as session_of
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab import Lab
from lab.database import connect
from lab.measure import request

CAUSES = [
    # fault, cause, remedy, services that may restart
    pytest.param(
        *("idle_in_transaction", "idle_in_transaction", "end_idle_in_transaction", set()),
        marks=pytest.mark.covers("LP-3-4"),
    ),
    pytest.param(
        *("leaked_sessions", "leaked_sessions", "end_leaked_sessions", set()),
        marks=pytest.mark.covers("SY-3-3", "SY-3-7"),
    ),
    ("long_queries", "long_queries", "cancel_long_queries", set()),
    pytest.param("blocker", "blocker", "end_blocker", set(), marks=pytest.mark.covers("JO-2-4")),
    pytest.param("matview_refresh", "matview_refresh", "cancel_refresh", set(), marks=pytest.mark.covers("LP-3-6")),
    pytest.param(
        "pool_leak", "pool_leak", "restart_application", {"api"}, marks=pytest.mark.covers("SY-3-5", "JO-2-2")
    ),
    pytest.param("pool_too_small", "pool_too_small", "raise_pool_size", {"api"}, marks=pytest.mark.covers("LP-3-5")),
    pytest.param(
        *("max_connections", "max_connections_reached", "raise_max_connections", {"database"}),
        marks=pytest.mark.covers("SY-3-6"),
    ),
]
# What a setting is after its remedy.
RAISED: dict[str, Callable[[Lab], tuple[int, int]]] = {
    "raise_pool_size": lambda lab: (lab.pool()["max"], 35),
    "raise_max_connections": lambda lab: (max_connections(lab), 200),
}


def max_connections(lab: Lab) -> int:
    with connect(lab.layout, "oncall") as connection:
        (shown,) = connection.execute("SHOW max_connections").fetchone() or ("0",)
    return int(shown)


def state_of(lab: Lab) -> dict[str, Any]:
    """What a look must not change: processes, settings, the ledger."""
    with connect(lab.layout, "oncall") as connection:
        settings = connection.execute("SELECT name, setting FROM pg_settings ORDER BY name").fetchall()
    ledger = Path(lab.home) / "oncall"
    return {
        "pids": {name: service["pid"] for name, service in lab.status()["services"].items()},
        "settings": settings,
        "files": {str(path): path.read_bytes() for path in [*ledger.glob("*"), lab.supervisor.program_file("api")]},
    }


def test_healthy(healthy_lab, player):
    before = state_of(healthy_lab)
    play = player.play()
    assert (play.code, play.outcome) == (0, "healthy"), play.output
    assert play.causes() == play.causes("unknown") == []
    assert state_of(healthy_lab) == before


# What a person sees of a run that helps.
STEPS = ["looking", "found", "waiting", "looking", "found", "asking", "acting", "changed", "proving"]


def steps_of(play: Play) -> list[str]:
    """The steps as they were shown; several changes in a row are one."""
    steps = re.findall(r"^(\w+): +\[lab\] ", play.output, re.MULTILINE)
    return [step for step, before in zip(steps, ["", *steps], strict=False) if step != before]


@pytest.mark.covers("LP-3-2")
def test_high_usage_is_left_alone(healthy_lab, player):
    healthy_lab.inject("high_usage")
    before = state_of(healthy_lab)
    play = player.play()
    assert (play.code, play.outcome) == (0, "healthy"), play.output
    assert "0 requests wait: no action" in play.run["summary"]
    assert state_of(healthy_lab) == before


@pytest.mark.covers("LP-3-2", "LP-3-3")
@pytest.mark.parametrize(("fault", "cause", "remedy", "restarted"), CAUSES)
def test_cause(healthy_lab, player, fault, cause, remedy, restarted):
    lab = healthy_lab
    lab.inject(fault)
    before = state_of(lab)

    diagnosed = player.play(run_until="diagnose")
    assert (diagnosed.code, diagnosed.outcome) == (0, "planned"), diagnosed.output
    assert diagnosed.causes() == [cause]
    shown = diagnosed.run["evidence"]
    assert (shown["pool"]["max"], shown["pool"]["waiting"] > 0) == (25, True)
    longest = shown["longest_sessions"]
    assert longest == sorted(longest, key=lambda one: -(one["query_seconds"] or 0))
    assert all(one["pid"] and one["state"] != "idle" and len(one["query"]) <= 80 for one in longest)

    planned = player.play("--check", "--diff")
    assert (planned.code, planned.outcome) == (0, "planned"), planned.output
    assert [step["remedy"] for step in planned.run["plan"]["steps"]] == [remedy]
    assert planned.run["plan"]["hash"] in planned.output
    assert state_of(lab) == before

    fixed = player.play()
    assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
    assert [(a["remedy"], a["state"], a["helped"]) for a in fixed.run["actions"]] == [(remedy, "done", True)]
    steps = steps_of(fixed)
    # A machine that is busy needs more than one look until the signal is gone.
    assert steps[: len(STEPS)] == STEPS and set(steps[len(STEPS) :]) <= {"found", "proving"}, steps
    after = state_of(lab)
    assert {name for name, pid in after["pids"].items() if pid != before["pids"][name]} == restarted
    assert lab.pool()["waiting"] == 0
    if remedy in RAISED:
        found, wanted = RAISED[remedy](lab)
        assert found == wanted

    again = player.play()
    assert (again.code, again.outcome) == (0, "healthy"), again.output
    assert state_of(lab)["files"] == after["files"]


def test_a_fix_that_does_not_help_is_rolled_back(healthy_lab, player):
    lab = healthy_lab
    lab.inject("overload")
    before = state_of(lab)
    play = player.play(run_verify_timeout_seconds=5)
    assert (play.code, play.outcome) == (2, "unresolved"), play.output
    (action,) = play.run["actions"]
    assert (action["remedy"], action["state"], action["helped"]) == ("raise_pool_size", "rolled_back", False)
    program = str(lab.supervisor.program_file("api"))
    assert state_of(lab)["files"][program] == before["files"][program]
    assert lab.pool()["max"] == 25
    assert play.run["escalation"]


@pytest.mark.covers("SY-3-6")
def test_a_larger_server_that_does_not_help_is_put_back(healthy_lab, player):
    lab = healthy_lab
    lab.inject("max_connections")
    # One more, which is taken at once. Longer than those take who were cut off by the restart.
    play = player.play(db_pool_max_connections_raise_to=101, run_verify_seconds=8, run_verify_timeout_seconds=20)
    assert (play.code, play.outcome) == (2, "unresolved"), play.output
    assert [(one["remedy"], one["state"]) for one in play.run["actions"]] == [("raise_max_connections", "rolled_back")]
    until(lambda: request(lab.layout, "/metrics")[0] == 200)
    assert max_connections(lab) == 100
    with connect(lab.layout) as connection:
        left = connection.execute(
            "SELECT 1 FROM pg_file_settings WHERE sourcefile LIKE '%auto.conf' AND name = 'max_connections'"
        )
        assert left.fetchall() == []


@pytest.mark.covers("JO-2-2")
def test_the_limit_in_a_connection_string_is_raised(healthy_lab, player):
    lab = healthy_lab
    # It puts the settings back to what they were, so it comes first.
    lab.inject("pool_too_small")
    file = lab.supervisor.program_file("api")
    url = re.search(r'DATABASE_URL="([^"]*)"', file.read_text())
    assert url
    text = file.read_text().replace('PG_POOL_MAX="25"', 'PG_POOL_MAX="0"')
    file.write_text(text.replace(url[1], f"{url[1]}?connection_limit=25"))
    lab.supervisor.load("api")
    until(lambda: request(lab.layout, "/metrics")[0] == 200 and lab.pool()["waiting"] > 0)
    assert lab.pool()["max"] == 25
    play = player.play(db_pool_size_variable="DATABASE_URL", db_pool_size_url_parameter="connection_limit")
    assert (play.code, play.outcome, play.causes()) == (0, "resolved", ["pool_too_small"]), play.output
    assert [(one["remedy"], one["helped"]) for one in play.run["actions"]] == [("raise_pool_size", True)]
    assert lab.pool()["max"] == 35
    assert f"{url[1]}?connection_limit=35" in file.read_text()
    assert "A pool above 35 is a case for PgBouncer" in str(play.run["findings"])


@pytest.mark.covers("IE-6-2")
def test_idle_sessions_are_ended_by_psql_in_the_container_of_the_database(healthy_lab, player, docker):
    lab = healthy_lab
    lab.inject("leaked_sessions")
    before = state_of(lab)
    reach = {"host": "127.0.0.1", "port": lab.layout.ports["database"], "name": "labpics", "user": "oncall"}
    reach |= {"password": lab.layout.secrets()["oncall"], "service": "database", **docker}
    play = player.play(system_database=reach)
    assert (play.code, play.outcome, play.causes()) == (0, "resolved", ["leaked_sessions"]), play.output
    assert [(one["remedy"], one["helped"]) for one in play.run["actions"]] == [("end_leaked_sessions", True)]
    counted = {one["application_name"]: one for one in play.run["evidence"]["applications"]}
    assert counted["reports"]["sessions"] >= 60
    assert len(play.run["actions"][0]["details"]["terminated"]) >= 50
    assert state_of(lab)["pids"] == before["pids"]
    assert lab.layout.secrets()["oncall"] not in play.output + str(play.run)


def ended(pid: int) -> bool:
    """Whether a session's process is gone, without asking a server that may be full."""
    return not Path("/proc", str(pid)).exists()


@pytest.fixture
def server_settings(healthy_lab):
    """Starts the server anew with other settings, and once more without them."""

    def restart(statement: str) -> None:
        with connect(healthy_lab.layout) as connection:
            connection.execute(statement)
        healthy_lab.supervisor.restart("database")
        until(lambda: request(healthy_lab.layout, "/readyz")[0] == 200, 180)

    def apply(**settings: str) -> None:
        with connect(healthy_lab.layout) as connection:
            for name, value in settings.items():
                connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        restart("SELECT 1")

    yield apply
    restart("ALTER SYSTEM RESET ALL")


@contextlib.contextmanager
def more_requests_than_connections(lab: Lab) -> Iterator[None]:
    """Requests that read orders, from more clients than the pool has connections, until some of them wait."""
    done = threading.Event()

    def client() -> None:
        while not done.wait(0.2):
            request(lab.layout, "/orders", seconds=60)

    clients = [threading.Thread(target=client, daemon=True) for _ in range(32)]
    for one in clients:
        one.start()
    try:
        until(lambda: lab.pool()["waiting"] > 0 and lab.pool()["in_use"] == lab.pool()["max"], 180)
        yield
    finally:
        done.set()


END_ANYBODY = {"when": "true", "summary": "end it", "remedy": "end_blocker", "risk": "medium"}


def start_of(lab: Lab, session: psycopg.Connection[Any]) -> str:
    with connect(lab.layout, "oncall") as connection:
        row = connection.execute(
            "SELECT extract(epoch FROM backend_start)::text FROM pg_stat_activity WHERE pid = %s",
            [session.info.backend_pid],
        ).fetchone()
    assert row
    return str(row[0])


def test_a_prepared_transaction_is_named_and_nothing_is_done_about_it(healthy_lab, player, server_settings):
    lab = healthy_lab
    server_settings(max_prepared_transactions="5")
    with session_of(lab, "transfer", autocommit=True) as session:
        session.execute("BEGIN")
        session.execute("LOCK TABLE orders")
        session.execute("PREPARE TRANSACTION 'order-17'")
        session.execute("BEGIN")
        session.execute("INSERT INTO jobs VALUES (9001, 'digest')")
        session.execute("PREPARE TRANSACTION 'in nobody''s way'")
    try:
        with more_requests_than_connections(lab):
            time.sleep(3)
            before = state_of(lab)
            play = player.play()
            assert (play.code, play.outcome) == (0, "advised"), play.output
            assert play.causes() == ["prepared_transaction"]
            assert "(order-17)" in play.run["summary"]
            assert play.run["actions"] == []
            assert state_of(lab)["pids"] == before["pids"]
            assert lab.pool()["max"] == 25
            # The ledger has nothing to say about advice.
            planned = player.play(run_until="plan", run_budget_count=0)
            assert (planned.outcome, planned.run["notes"]) == ("planned", []), planned.output
    finally:
        with session_of(lab, "transfer", autocommit=True) as session:
            session.execute("ROLLBACK PREPARED 'order-17'")
            session.execute("ROLLBACK PREPARED 'in nobody''s way'")
    until(lambda: lab.pool()["waiting"] == 0, 180)


def test_a_commit_that_waits_for_a_standby_is_never_ended(healthy_lab, player, server_settings):
    lab = healthy_lab
    server_settings(wal_level="replica", max_wal_senders="2", synchronous_standby_names="gone")
    with contextlib.closing(session_of(lab, "migrate", autocommit=True)) as session:
        session.execute("SET synchronous_commit = on")
        session.execute("BEGIN")
        session.execute("LOCK TABLE orders")
        session.execute("INSERT INTO jobs VALUES (9002, 'digest')")
        # Its locks stay for as long as the commit waits.
        session.pgconn.send_query(b"COMMIT")
        session.pgconn.flush()
        with more_requests_than_connections(lab):
            time.sleep(3)
            play = player.play()
            assert (play.code, play.outcome) == (0, "advised"), play.output
            assert play.causes() == ["synchronous_standby_missing"]
            assert "(none connected, asked for are gone)" in play.run["summary"]
            assert play.run["actions"] == []
            own = {
                "mine": {
                    **END_ANYBODY,
                    "targets": [{"pid": session.info.backend_pid, "backend_start": start_of(lab, session)}],
                }
            }
            tried = player.play(db_pool_extra_causes=own, run_verify_timeout_seconds=1)
            assert "waits for a synchronous standby" in json.dumps(tried.run["actions"]), tried.output
            assert not ended(session.info.backend_pid)
        with connect(lab.layout) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
            connection.execute("SELECT pg_reload_conf()")
        until(lambda: lab.pool()["waiting"] == 0, 180)


def test_what_another_application_does_is_not_held_against_the_pool(healthy_lab, player):
    lab = healthy_lab
    with contextlib.ExitStack() as stack:
        queries = [stack.enter_context(contextlib.closing(session_of(lab, "nightly-etl"))) for _ in range(13)]
        idle = [stack.enter_context(contextlib.closing(session_of(lab, "sidekiq"))) for _ in range(26)]
        for one in queries:
            one.pgconn.send_query(b"SELECT pg_sleep(120)")
            one.pgconn.flush()
        lab.inject("pool_too_small")
        time.sleep(IDLE_SECONDS)
        before = state_of(lab)
        unknown = player.play(db_pool_applications=["web"])
        assert (unknown.code, unknown.outcome) == (0, "advised"), unknown.output
        assert unknown.causes() == ["application_unknown"]
        assert state_of(lab)["pids"] == before["pids"]
        fixed = player.play()
        assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
        assert fixed.causes() == ["pool_too_small"]
        assert not any(ended(one.info.backend_pid) for one in [*queries, *idle])
        with connect(lab.layout, "oncall") as connection:
            running = (
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'nightly-etl' AND state = 'active'"
            )
            assert connection.execute(running).fetchone() == (13,)


def test_sessions_that_tell_no_state_leave_it_open_what_is_wrong(healthy_lab, player):
    lab = healthy_lab
    before = state_of(lab)
    with connect(lab.layout) as connection:
        connection.execute("ALTER ROLE oncall SET track_activities = off")
        try:
            session = session_of(lab, "quiet", "oncall", autocommit=True)
        finally:
            connection.execute("ALTER ROLE oncall RESET track_activities")
    with contextlib.closing(session):
        session.execute("SELECT 1")
        play = player.play()
        assert (play.code, play.outcome) == (2, "unknown"), play.output
        assert {"idle_in_transaction", "blocker"} <= set(play.causes("unknown"))
        assert "1 sessions of oncall tell no state" in play.run["summary"]
        assert "RESET track_activities" in play.run["summary"]
        assert state_of(lab)["pids"] == before["pids"]


def test_a_restart_that_would_cut_off_a_backup_is_left_to_a_person(healthy_lab, player):
    lab = healthy_lab
    with contextlib.closing(session_of(lab, "pgBackRest [backup]", autocommit=True)) as backup:
        lab.inject("max_connections")
        before = state_of(lab)
        play = player.play()
        assert (play.code, play.outcome, play.run["guard"]["name"]) == (2, "blocked", "risk"), play.output
        assert [(step["remedy"], step["risk"]) for step in play.run["plan"]["steps"]] == [
            ("raise_max_connections", "high")
        ]
        assert "would cut off pgBackRest [backup] of app in labpics" in play.output
        assert state_of(lab)["pids"] == before["pids"]
        assert not ended(backup.info.backend_pid)


@pytest.mark.covers("SY-3-3")
def test_idle_pools_are_left_alone_where_others_fill_the_server(healthy_lab, player):
    lab = healthy_lab
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(contextlib.closing(session_of(lab, "billing"))) for _ in range(10)]
        time.sleep(IDLE_SECONDS + 2)
        lab.inject("max_connections")
        play = player.play("--check")
        assert (play.code, play.outcome) == (0, "planned"), play.output
        assert play.causes() == ["max_connections_reached"]
        assert "billing of app 10" in play.run["summary"]
        assert not any(ended(one.info.backend_pid) for one in idle)


def test_while_one_run_acts_another_is_blocked(healthy_lab, player):
    lab = healthy_lab
    # Both sessions are there from the start: a busy machine may take long to give one, and it has to count in time.
    with a_transaction_held(lab) as first_pid, contextlib.closing(session_of(lab, "forgetful")) as other:
        # Longer than the second session takes to count as one: the first run goes on for as long as that one is there.
        first = player.start(run_verify_seconds=8, run_verify_timeout_seconds=180)
        until(lambda: ended(first_pid), 180)
        other.execute("SELECT 1")
        time.sleep(IDLE_SECONDS)
        second = player.play(run_confirm_seconds=0, run_override="a live lock is not to be passed")
        assert (second.code, second.outcome) == (2, "blocked"), second.output
        assert second.run["guard"]["name"] == "lock"
        assert not ended(other.info.backend_pid)
        other.rollback()
        done = first.wait()
    assert (done.code, done.outcome) == (0, "resolved"), done.output


def test_of_two_runs_started_at_once_one_acts(healthy_lab, player, old_transaction):
    plays = [started.wait() for started in [player.start() for _ in range(2)]]
    assert sum(len(play.run["actions"]) for play in plays) == 1, [play.output for play in plays]
    assert "resolved" in {play.outcome for play in plays}
    assert {play.outcome for play in plays} <= {"resolved", "blocked", "healthy"}
    assert ended(old_transaction)


def test_only_the_approved_plan_is_acted_on(healthy_lab, player, old_transaction):
    planned = player.play("--check")
    blocked = player.play(run_plan="p0123456789abcde", run_override="no way around the approval")
    assert (blocked.code, blocked.outcome, blocked.run["guard"]["name"]) == (2, "blocked", "plan"), blocked.output
    assert not ended(old_transaction)
    acted = player.play(run_plan=planned.run["plan"]["hash"])
    assert (acted.code, acted.outcome) == (0, "resolved"), acted.output
    assert ended(old_transaction)


def test_above_the_allowed_risk(healthy_lab, player):
    healthy_lab.inject("pool_too_small")
    before = state_of(healthy_lab)
    play = player.play(run_max_risk="low")
    assert (play.code, play.outcome, play.run["guard"]["name"]) == (2, "blocked", "risk"), play.output
    assert state_of(healthy_lab) == before


def test_a_hold_blocks_and_an_override_with_a_reason_passes_it(healthy_lab, player, old_transaction, tmp_path):
    play = tmp_path / "hold.yml"
    ledger = {"path": "{{ run_ledger_path }}", "state": "{{ wanted }}", "reason": "database move", "by": "test"}
    play.write_text(
        json.dumps(
            [
                {
                    "hosts": "all",
                    "gather_facts": False,
                    "vars": {"run_ledger_path": "{{ system_state_directory }}/ledger.sqlite3"},
                    "tasks": [{"oncall.runbooks.ledger": dict(ledger.items())}],
                }
            ]
        )
    )
    assert player.play(playbook=str(play), wanted="hold").code == 0
    blocked = player.play()
    assert (blocked.code, blocked.outcome, blocked.run["guard"]["name"]) == (2, "blocked", "hold"), blocked.output
    assert "database move" in blocked.run["summary"]
    assert player.play(run_fail_on=["unknown"]).code == 0
    passed = player.play(run_override="the move is over")
    assert (passed.code, passed.outcome) == (0, "resolved"), passed.output
    assert [one["guard"] for one in passed.run["passed_guards"]] == ["hold"]
    assert passed.run["override"] == "the move is over"
    released = player.play(playbook=str(play), wanted="release")
    assert released.code == 0, released.output


@pytest.mark.covers("LP-3-4")
def test_what_is_published_and_recorded(healthy_lab, player, old_transaction):
    play = player.play(run_escalation_tasks="", db_pool_idle_in_transaction_seconds=5)
    assert play.outcome == "resolved"
    stats = play.output.split("CUSTOM STATS")[1]
    assert '"resolved"' in stats and '"lab"' in stats
    for path in (play.record, play.record.with_suffix(".md")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert play.run["actions"][0]["details"]["terminated"] == [old_transaction]
    text = play.record.with_suffix(".md").read_text()
    assert "## Whether it helped\n\n- idle_in_transaction is gone: end_idle_in_transaction helped\n" in text


def test_a_person_is_told(healthy_lab, player, tmp_path):
    told = tmp_path / "told"
    hook = tmp_path / "hook.yml"
    copy = {"content": "{{ run_state.outcome }} {{ run_state.guard.name }}", "dest": str(told), "mode": "0600"}
    hook.write_text(json.dumps([{"name": "Tell", "ansible.builtin.copy": copy}]))
    healthy_lab.inject("pool_too_small")
    play = player.play(run_max_risk="low", run_escalation_tasks=str(hook))
    assert play.outcome == "blocked", play.output
    assert told.read_text() == "blocked risk"
    assert "escalated" in play.run["notes"]
    play = player.play(run_max_risk="low", run_escalation_tasks=str(tmp_path / "missing.yml"))
    assert play.outcome == "blocked"
    assert any("escalation failed" in note for note in play.run["notes"])


def a_play(tmp_path: Path, **play: Any) -> str:
    path = tmp_path / "play.yml"
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, **play}]))
    return str(path)


def test_the_entry_point_remediate_acts_on_an_approved_plan_only(healthy_lab, player, old_transaction, tmp_path):
    include = {"ansible.builtin.include_role": {"name": "oncall.runbooks.db_pool", "tasks_from": "remediate"}}
    playbook = a_play(tmp_path, tasks=[include])
    for nothing in ([], "", [""]):
        blocked = player.play(playbook=playbook, run_plan=nothing)
        assert (blocked.code, blocked.outcome, blocked.run["guard"]["name"]) == (2, "blocked", "plan"), blocked.output
    assert not ended(old_transaction)
    plan = player.play(run_until="plan").run["plan"]["hash"]
    acted = player.play("-e", f"run_plan={plan}", playbook=playbook)
    assert (acted.code, acted.outcome) == (0, "resolved"), acted.output


def test_check_mode_of_the_play_alone_changes_nothing(healthy_lab, player, old_transaction, tmp_path):
    playbook = a_play(tmp_path, check_mode=True, roles=["oncall.runbooks.db_pool"])
    play = player.play(playbook=playbook)
    assert (play.code, play.outcome) == (0, "planned"), play.output
    assert not ended(old_transaction)


def test_the_strategy_free(healthy_lab, player, old_transaction, tmp_path):
    playbook = a_play(tmp_path, strategy="free", roles=["oncall.runbooks.db_pool"])
    play = player.play(playbook=playbook)
    assert (play.code, play.outcome) == (0, "resolved"), play.output


def test_the_same_runbook_twice_in_one_play(healthy_lab, player, old_transaction, tmp_path):
    include = {"ansible.builtin.include_role": {"name": "oncall.runbooks.db_pool"}}
    play = player.play(playbook=a_play(tmp_path, tasks=[include] * 3))
    assert [run["outcome"] for run in play.runs] == ["resolved", "healthy", "healthy"], play.output


def test_a_diagnosis_that_fails_after_the_remedy_loses_neither_rollback_nor_outcome(healthy_lab, player):
    lab = healthy_lab
    lab.inject("pool_too_small")
    broken = {
        "when": "__db_pool_capacity | float > 30",
        "summary": "larger now",
        "remedy": "restart_application",
        "risk": "{{ 'no such risk' }}",
    }
    # As from an inventory: what comes in with -e as JSON is trusted as well.
    play = player.play(db_pool_extra_causes={"broken": broken})
    assert (play.code, play.outcome) == (2, "unresolved"), play.output
    (action,) = play.run["actions"]
    assert (action["remedy"], action["state"]) == ("raise_pool_size", "rolled_back")
    assert lab.pool()["max"] == 25


def test_a_variable_on_the_command_line_does_not_turn_a_remedy_elsewhere(healthy_lab, player):
    lab = healthy_lab
    lab.inject("pool_leak")
    before = state_of(lab)
    play = player.play(service_name="database", run_verify_timeout_seconds=3)
    assert (play.code, play.outcome) == (2, "unresolved"), play.output
    assert "service_name is database" in play.run["summary"]
    assert state_of(lab)["pids"] == before["pids"]
