# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of the service. A change of a table needs a migration: `schema` says how."""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()

INBOX = sa.Table(
    "oncall_inbox",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("received_at", sa.Float, nullable=False),
    sa.Column("alerts", sa.LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
EPISODES = sa.Table(
    "oncall_episodes",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("runbook", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("alert", sa.Text, nullable=False),
    sa.Column("mode", sa.Text, nullable=False),
    # queued, running, waiting (for a person), ended
    sa.Column("state", sa.Text, nullable=False),
    # check, or act on a plan
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("outcome", sa.Text, nullable=False, default=""),
    sa.Column("summary", sa.Text, nullable=False, default=""),
    sa.Column("plan_hash", sa.Text, nullable=False, default=""),
    sa.Column("result", sa.Text, nullable=False, default=""),
    sa.Column("received_at", sa.Float, nullable=False),
    sa.Column("seen_at", sa.Float, nullable=False),
    sa.Column("queued_at", sa.Float, nullable=False),
    sa.Column("resolved_at", sa.Float),
    sa.Column("ended_at", sa.Float),
    sa.Column("until", sa.Float),
    sa.Column("cancel", sa.Text, nullable=False, default=""),
    sa.Column("note", sa.Text, nullable=False, default=""),
    sa.Column("runs", sa.Integer, nullable=False, default=0),
)
RUNS = sa.Table(
    "oncall_runs",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("episode", sa.Text, nullable=False, index=True),
    sa.Column("runbook", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("acts", sa.Boolean, nullable=False),
    sa.Column("node", sa.Text, nullable=False),
    sa.Column("admitted_at", sa.Float, nullable=False, index=True),
    # Set right before the playbook is started: from here on it may have changed something.
    sa.Column("began_at", sa.Float),
    sa.Column("ended_at", sa.Float),
    sa.Column("outcome", sa.Text, nullable=False, default=""),
)
# For which other episodes a run looks as well: alerts of one incident.
SHARES = sa.Table(
    "oncall_shares",
    METADATA,
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("episode", sa.Text, primary_key=True, index=True),
    # The variables that the run was given, as a digest.
    sa.Column("given", sa.Text, nullable=False),
)
# What a run applied, by the runbook that owns it: the run's own, or a runbook that took over.
REMEDIES = sa.Table(
    "oncall_remedies",
    METADATA,
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("runbook", sa.Text, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    # Whether it was proven.
    sa.Column("helped", sa.Boolean, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
QUARANTINE = sa.Table(
    "oncall_quarantine",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("alert", sa.Text, nullable=False),
    sa.Column("first_at", sa.Float, nullable=False),
    sa.Column("last_at", sa.Float, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
)
CONTROL = sa.Table(
    "oncall_control",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
# The nodes that share the database, each with its lease.
NODES = sa.Table(
    "oncall_nodes",
    METADATA,
    sa.Column("node", sa.Text, primary_key=True),
    # Of the lease: a later one has a higher one. It tells one lease of a node from another.
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("renewals", sa.BigInteger, nullable=False),
    # After so many without a renewal it is over, by the settings of the node that has it.
    sa.Column("seconds", sa.Float, nullable=False),
    # The process that has it, among all of all machines.
    sa.Column("holder", sa.Text, nullable=False),
    # For people: no clock decides who lives.
    sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=False),
)
sa.Index("oncall_episodes_state", EPISODES.c.state, EPISODES.c.queued_at)
sa.Index("oncall_runs_open", RUNS.c.ended_at)
