# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger's records: claims and holds as plain documents, times as seconds since the epoch."""

from __future__ import annotations

import json

from .spec import KEEP_SECONDS

# 2026-01-01. A clock that says less is one that has not been set since the machine started, and will be.
_PLAUSIBLE = 1767225600
SCHEMA_VERSION = 1
SCHEMA = (
    "CREATE TABLE claims (claim_id INTEGER PRIMARY KEY, run_id TEXT NOT NULL, runbook TEXT NOT NULL,"
    " owner TEXT NOT NULL, plan_hash TEXT NOT NULL, state TEXT NOT NULL, outcome TEXT NOT NULL,"
    " started_at REAL NOT NULL, expires_at REAL NOT NULL, finished_at REAL, lock_lost INTEGER NOT NULL,"
    " override TEXT NOT NULL, passed_guards TEXT NOT NULL, remedies TEXT NOT NULL)",
    'CREATE TABLE holds (reason TEXT NOT NULL, "by" TEXT NOT NULL, since REAL NOT NULL, until REAL)',
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


class Records:
    """All claims, newest first, and the active holds, newest first, as they are ``now``.

    All of them are read each time, so that damage anywhere is found before anything is decided.

    Args:
        db: a connection in a transaction, or None for an empty ledger.
        now: seconds since the epoch.
        write: whether what is put is written; otherwise it is dropped.
    """

    def __init__(self, db, now, write):
        self.now = now
        self._db = db
        self._write = write
        if db and write and now > _PLAUSIBLE:
            self._take_back(now)
        claims = db.execute("SELECT * FROM claims ORDER BY claim_id DESC").fetchall() if db else []
        holds = db.execute("SELECT * FROM holds ORDER BY rowid").fetchall() if db else []
        self.claims = [_claim(row, now) for row in claims]
        self.holds = [dict(row) for row in holds if row["until"] is None or row["until"] > now]
        # Made with the first claim that has one: a ledger of before, and a controller that knows none, go on without.
        fenced = db and db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'fences'").fetchone()
        rows = db.execute("SELECT source, token FROM fences").fetchall() if fenced else []
        self.fences = {row["source"]: int(row["token"]) for row in rows}

    def _take_back(self, now):
        """Have what was recorded in the future begin now, once.

        It counts as now as long as the clock says so. Where the clock was ahead, by a year perhaps, it would count as now for a
        year: no cooldown, no lock and no hold would ever end.
        """
        self._db.execute(
            "UPDATE claims SET expires_at = expires_at - started_at + :now, finished_at = min(finished_at, :now),"
            # A text is more than any number, and damage to be found.
            " started_at = :now WHERE started_at > :now AND typeof(started_at) = 'real'",
            {"now": now},
        )
        self._db.execute(
            "UPDATE holds SET until = until - since + :now, since = :now WHERE since > :now AND typeof(since) = 'real'",
            {"now": now},
        )

    def put_claim(self, claim):
        """Write a new (``claim_id`` None) or changed claim, forget the old ones; the number of the claim."""
        if not self._write:
            return claim["claim_id"]
        self._db.execute("DELETE FROM claims WHERE finished_at < ?", [self.now - KEEP_SECONDS])
        values = dict(claim, **{name: json.dumps(claim[name]) for name in ("passed_guards", "remedies")})
        return self._db.execute(
            "INSERT OR REPLACE INTO claims VALUES (:claim_id, :run_id, :runbook, :owner, :plan_hash, :state,"
            " :outcome, :started_at, :expires_at, :finished_at, :lock_lost, :override, :passed_guards, :remedies)",
            values,
        ).lastrowid

    def put_fence(self, source, token):
        """Let no claim of this source with a lower token be made any more; forget sources that are long gone."""
        if self._write:
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS fences (source TEXT PRIMARY KEY, token INTEGER NOT NULL, at REAL NOT NULL)"
            )
            self._db.execute("DELETE FROM fences WHERE at < ?", [self.now - KEEP_SECONDS])
            self._db.execute("INSERT OR REPLACE INTO fences VALUES (?, ?, ?)", [source, token, self.now])

    def put_holds(self, holds):
        """Write all holds there are from now on, newest first."""
        if self._write:
            self._db.execute("DELETE FROM holds")
            self._db.executemany("INSERT INTO holds VALUES (:reason, :by, :since, :until)", holds)


def _claim(row, now):
    claim = dict(row, lock_lost=bool(row["lock_lost"]))
    claim.update({name: json.loads(row[name]) for name in ("passed_guards", "remedies")})
    # A start in the future is a clock that was set back: it counts as now, and the lock keeps its length.
    ahead = max(0, row["started_at"] - now)
    claim.update(started_at=row["started_at"] - ahead, expires_at=row["expires_at"] - ahead)
    if claim["state"] == "claimed" and claim["expires_at"] <= now:
        claim["state"] = "interrupted"
    return claim
