# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded lab, for those tests of ``oncall serve`` that break it, databases in its PostgreSQL, and what watches it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded_lab import healthy_lab, lab, player
from psycopg import sql
from waiting import until

from lab.database import connect
from lab.tools.alertmanager import Alertmanager, ensure_alertmanager
from lab.tools.prometheus import Prometheus, ensure_prometheus, hurried

__all__ = ["healthy_lab", "lab", "player"]

EXTENSION = Path(__file__).resolve().parents[2] / "extensions" / "prometheus"
TIMES = 20


@pytest.fixture
def database(healthy_lab) -> Iterator[str]:
    """The URL of an empty database."""
    name = f"oncall_{uuid.uuid4().hex[:8]}"
    with connect(healthy_lab.layout, "postgres") as session:
        # Copying one takes as long as the disk takes.
        session.execute("SET statement_timeout = 0")
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        info = session.info
        yield f"postgresql://{info.user}:{info.password}@127.0.0.1:{info.port}/{name}"
        # Dropping one ends its sessions, and gives up after five seconds: on a busy machine, they take longer to end.
        of_it = "FROM pg_stat_activity WHERE datname = %s"
        session.execute(f"SELECT pg_terminate_backend(pid) {of_it}", [name])
        until(lambda: session.execute(f"SELECT count(*) = 0 {of_it}", [name]).fetchone()[0])
        session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def alertmanager(serving, tmp_path) -> Iterator[Alertmanager]:
    """With the example's configuration, but for who the people are; ``serving`` is that of the test."""
    from ansible_collections.oncall.runbooks.tests.support.debian_programs import program

    folder = tmp_path / "alertmanager"
    folder.mkdir()
    (folder / "oncall-token").write_text((serving.home / "tokens").read_text().split()[0])
    text = (EXTENSION / "alertmanager.yml").read_text()
    text = text.replace("http://127.0.0.1:9095", f"http://127.0.0.1:{serving.port}")
    text = text.replace("https://people.example", "http://127.0.0.1:9").replace(
        "https://dead-mans-switch.example", "http://127.0.0.1:9"
    )
    found = Alertmanager(program(ensure_alertmanager), folder, hurried(text, TIMES))
    try:
        found.wait_until_ready()
        yield found
    finally:
        found.stop()


@pytest.fixture
def prometheus(healthy_lab, alertmanager, tmp_path) -> Iterator[Prometheus]:
    """Which looks at the lab's API, with the rules of the extension a minute of which is three seconds here."""
    from ansible_collections.oncall.runbooks.tests.support.debian_programs import program

    folder = tmp_path / "prometheus"
    folder.mkdir()
    rules = []
    for name in ("db_pool", "oncall"):
        rules.append(folder / f"{name}.yml")
        rules[-1].write_text(hurried((EXTENSION / "rules" / f"{name}.yml").read_text(), TIMES))
    jobs = {"api": [f"127.0.0.1:{healthy_lab.layout.ports['api']}"]}
    found = Prometheus(
        program(ensure_prometheus), folder / "data", jobs, instance="lab", rules=rules, alertmanager=alertmanager.place
    )
    try:
        yield found
    finally:
        found.stop()
