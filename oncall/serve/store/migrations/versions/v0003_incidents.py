# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Incidents have timelines, what is worked out of them, words to be found by, messages, and the episodes and runs that belong to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "oncall_timeline",
        sa.Column("incident", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("written_at", sa.Float, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "oncall_incidents",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False, unique=True),
        sa.Column("system", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("runbook", sa.Text, nullable=False),
        sa.Column("assignee", sa.Text, nullable=False),
        sa.Column("opened_at", sa.Float, nullable=False),
        sa.Column("first_acknowledged_at", sa.Float),
        sa.Column("mitigated_at", sa.Float),
        sa.Column("resolved_at", sa.Float),
        sa.Column("closed_at", sa.Float),
        sa.Column("reopenings", sa.Integer, nullable=False),
        sa.Column("alerts", sa.Integer, nullable=False),
        sa.Column("figures", sa.Text, nullable=False),
        sa.Column("head_number", sa.Integer, nullable=False),
        sa.Column("head_hash", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    term = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
    op.create_table(
        "oncall_incident_terms",
        sa.Column("term", term, primary_key=True),
        sa.Column("incident", sa.Text, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "oncall_incident_parts",
        sa.Column("what", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("incident", sa.Text, nullable=False, index=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "oncall_outbox",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("incident", sa.Text, nullable=False, index=True),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("timer", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("next_at", sa.Float, nullable=False),
        sa.Column("begun_at", sa.Float),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    for column in ("state", "system", "severity", "assignee"):
        op.create_index(f"oncall_incidents_{column}", "oncall_incidents", [column, "opened_at"])
    op.create_index("oncall_incidents_opened", "oncall_incidents", ["opened_at"])
    op.create_index("oncall_timeline_kind", "oncall_timeline", ["kind", "at"])
    op.create_index("oncall_outbox_state", "oncall_outbox", ["state", "next_at"])
    op.create_index("oncall_outbox_begun", "oncall_outbox", ["begun_at"])
