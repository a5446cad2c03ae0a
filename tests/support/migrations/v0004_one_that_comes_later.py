# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration that only the tests know: a column, a name, a table, an index, and what was written before moves along."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("oncall_runs", sa.Column("attempt", sa.Integer, nullable=False, server_default="1"))
    with op.batch_alter_table("oncall_episodes") as table:
        table.alter_column("note", new_column_name="remark", existing_type=sa.Text, existing_nullable=False)
        table.alter_column("fingerprint", nullable=True, existing_type=sa.Text)
    op.execute("UPDATE oncall_episodes SET remark = 'moved ' || host")
    op.create_table(
        "oncall_pages", sa.Column("id", sa.Integer, primary_key=True), sa.Column("episode", sa.Text, nullable=False)
    )
    op.execute("INSERT INTO oncall_pages (episode) SELECT id FROM oncall_episodes")
    op.drop_index("oncall_runs_open", "oncall_runs")
    op.create_index("oncall_runs_node", "oncall_runs", ["node", "ended_at"])
