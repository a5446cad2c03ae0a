# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of incidents. A change of a table needs a migration: `oncall.serve.store.schema` says how.

Only the timeline is the truth. What is beside it can be made of it anew, and is there so that a list needs no timeline.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from ...serve.store.tables import METADATA

# A beginning of a word is looked for by its place in the alphabet, which has to be that of the bytes.
TERM = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")

TIMELINE = sa.Table(
    "oncall_timeline",
    METADATA,
    sa.Column("incident", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("written_at", sa.Float, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("words", sa.Text, nullable=False),
    # JSON as it was hashed.
    sa.Column("data", sa.Text, nullable=False),
    sa.Column("previous", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    # The entries of an incident lie together.
    sqlite_with_rowid=False,
)
INCIDENTS = sa.Table(
    "oncall_incidents",
    METADATA,
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
    # What is counted of runs, of whether they helped, and of whom they woke, and which runbooks looked: JSON.
    sa.Column("figures", sa.Text, nullable=False),
    # An append checks both.
    sa.Column("head_number", sa.Integer, nullable=False),
    sa.Column("head_hash", sa.Text, nullable=False),
    # The whole incident: JSON.
    sa.Column("record", sa.Text, nullable=False),
)
# Words of incidents, for the search.
TERMS = sa.Table(
    "oncall_incident_terms",
    METADATA,
    sa.Column("term", TERM, primary_key=True),
    sa.Column("incident", sa.Text, primary_key=True),
    sqlite_with_rowid=False,
)
# Which incident an episode, a run or a record belongs to: each to one, whoever attaches it.
PARTS = sa.Table(
    "oncall_incident_parts",
    METADATA,
    sa.Column("what", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("incident", sa.Text, nullable=False, index=True),
    sqlite_with_rowid=False,
)
# Messages, each to one person by one channel. What became of them is in the timeline; here is what is still to be done.
OUTBOX = sa.Table(
    "oncall_outbox",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("incident", sa.Text, nullable=False, index=True),
    sa.Column("person", sa.Text, nullable=False),
    # The name of the channel; of an address of a person, that it is one, and which: never the address.
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("timer", sa.Text, nullable=False),
    # waiting, sending, sent, dead, unknown, dropped
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("next_at", sa.Float, nullable=False),
    # When it was last begun to be sent.
    sa.Column("begun_at", sa.Float),
    # That began to send it.
    sa.Column("node", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    # What the other side calls it.
    sa.Column("reference", sa.Text, nullable=False),
    # What its template is given: JSON.
    sa.Column("content", sa.Text, nullable=False),
)
for _column in ("state", "system", "severity", "assignee"):
    sa.Index(f"oncall_incidents_{_column}", INCIDENTS.c[_column], INCIDENTS.c.opened_at)
sa.Index("oncall_incidents_opened", INCIDENTS.c.opened_at)
sa.Index("oncall_timeline_kind", TIMELINE.c.kind, TIMELINE.c.at)
sa.Index("oncall_outbox_state", OUTBOX.c.state, OUTBOX.c.next_at)
sa.Index("oncall_outbox_begun", OUTBOX.c.begun_at)
