# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The remedy ledger: what ran on this host, whether it helped, and whether a runbook may act now.

One SQLite file on the managed host, where any number of controllers meet. Works with SQLite 3.7.17 and later.
Whatever cannot be read or written refuses; nothing is let through because nobody could look, and a damaged
file is never removed or replaced.
"""

from __future__ import annotations

import json
import os
import stat
import time
from contextlib import closing, contextmanager
from pathlib import Path

from ansible_collections.oncall.runbooks.plugins.module_utils.text import one_line

SCHEMA_VERSION = 1
DAY_SECONDS = 86400
KEEP_SECONDS = 90 * DAY_SECONDS
OUTCOMES = ["healthy", "planned", "resolved", "unresolved", "blocked", "advised", "unknown"]
REMEDY_STATES = ["done", "failed", "rolled_back", "rollback_failed", "not_started"]

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["claim", "complete", "hold", "release", "info"], "required": True},
    "path": {"type": "path", "default": "/var/lib/oncall/ledger.sqlite"},
    "timeout_seconds": {"type": "float", "default": 5.0},
    "run_id": {"type": "str"},
    "runbook": {"type": "str"},
    "remedies": {
        "type": "list",
        "elements": "dict",
        "options": {
            "remedy": {"type": "str", "required": True},
            "cause": {"type": "str", "required": True},
            "targets": {"type": "list", "elements": "raw", "default": []},
            "undo": {"type": "raw"},
            "state": {"type": "str", "choices": REMEDY_STATES},
            "helped": {"type": "bool"},
            "rolled_back": {"type": "bool", "default": False},
        },
    },
    "plan_hash": {"type": "str", "default": ""},
    "owner": {"type": "str", "default": ""},
    "lock_seconds": {"type": "int", "default": 1800},
    "cooldown_seconds": {"type": "int", "default": 300},
    "budget_count": {"type": "int", "default": 6},
    "budget_window_seconds": {"type": "int", "default": 3600},
    "ineffective_limit": {"type": "int", "default": 2},
    "ineffective_window_seconds": {"type": "int", "default": 86400},
    "override": {"type": "str", "default": ""},
    "outcome": {"type": "str", "choices": OUTCOMES},
    "reason": {"type": "str"},
    "by": {"type": "str", "default": ""},
    "until_seconds": {"type": "int"},
}
REQUIRED_IF = [
    ("state", "claim", ("run_id", "runbook", "remedies")),
    ("state", "complete", ("run_id", "outcome")),
    ("state", "hold", ("reason",)),
]
LIMITS = (
    "cooldown_seconds",
    "budget_count",
    "budget_window_seconds",
    "ineffective_limit",
    "ineffective_window_seconds",
)

# A window longer than what is kept would silently see less than it was asked to.
_RANGES = {
    "lock_seconds": (1, KEEP_SECONDS),
    "cooldown_seconds": (0, KEEP_SECONDS),
    "budget_count": (0, 10**6),
    "budget_window_seconds": (0, KEEP_SECONDS),
    "ineffective_limit": (0, 10**6),
    "ineffective_window_seconds": (0, KEEP_SECONDS),
    "until_seconds": (1, 3650 * DAY_SECONDS),
}
_SCHEMA = (
    "CREATE TABLE claims (id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, runbook TEXT NOT NULL,"
    " owner TEXT NOT NULL, plan_hash TEXT NOT NULL, state TEXT NOT NULL, started_at REAL NOT NULL,"
    " expires_at REAL NOT NULL, finished_at REAL, outcome TEXT NOT NULL DEFAULT '', override TEXT NOT NULL,"
    " passed_guards TEXT NOT NULL, lock_lost INTEGER NOT NULL DEFAULT 0)",
    "CREATE TABLE remedies (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " claim_id INTEGER NOT NULL REFERENCES claims (id), remedy TEXT NOT NULL, cause TEXT NOT NULL,"
    " targets TEXT NOT NULL, undo TEXT NOT NULL, state TEXT NOT NULL, helped INTEGER,"
    " rolled_back INTEGER NOT NULL DEFAULT 0)",
    "CREATE TABLE holds (id INTEGER PRIMARY KEY AUTOINCREMENT, reason TEXT NOT NULL, held_by TEXT NOT NULL,"
    " since_at REAL NOT NULL, until_at REAL, lifted_at REAL)",
    "CREATE INDEX claims_run_id ON claims (run_id)",
    "CREATE INDEX remedies_claim_id ON remedies (claim_id)",
    "PRAGMA user_version = 1",
)
_KEEP_IT = (
    "keep the file: restore a backup, or move it away to start an empty ledger, which forgets this host's"
    " locks, holds and cooldowns"
)
_NEXT_STEPS = (
    ("locked", "another process is using it: try again, fuser names the process"),
    ("malformed", _KEEP_IT),
    ("not a database", _KEEP_IT),
    ("no such table", _KEEP_IT),
    ("no such column", _KEEP_IT),
    ("full", "free space or raise the quota, then try again"),
    ("space", "free space or raise the quota, then try again"),
    ("i/o error", "look at the disk, its free space and the kernel log, then try again"),
    ("", "make the path usable for this user (become), or set another path, the same for all controllers"),
)


class _Unusable(Exception):
    """The ledger cannot be used; the text says why and what to do next."""


class Ledger:
    """The ledger of one host.

    Args:
        path: absolute path of the SQLite file.
        timeout_seconds: how long to wait for another process that is using the file.
        now: a function giving the time as seconds since the epoch, by default this host's clock.
        check_mode: decide as always, on a copy in memory, and write nothing.

    Every method returns plain data with ``available`` (the ledger could be read and written), ``reason`` (one
    line, empty when there is nothing to say) and ``changed`` (a record was written; in check mode: would be).

    Raises:
        ValueError: a parameter is out of range. Nothing else is raised.
    """

    def __init__(self, path, timeout_seconds=5, now=time.time, check_mode=False):
        # A relative path would be another ledger, with no locks in it, for every working directory.
        if not Path(path).is_absolute() or "\0" in path:
            raise ValueError(f"path must be absolute, not {one_line(repr(path))}")
        if not 0 <= timeout_seconds <= 600:
            raise ValueError(f"timeout_seconds must be from 0 to 600, not {timeout_seconds}")
        self.path = path
        self.timeout_seconds = timeout_seconds
        self.check_mode = check_mode
        self._now = now

    def claim(
        self,
        run_id,
        runbook,
        remedies,
        plan_hash="",
        owner="",
        lock_seconds=1800,
        cooldown_seconds=300,
        budget_count=6,
        budget_window_seconds=3600,
        ineffective_limit=2,
        ineffective_window_seconds=DAY_SECONDS,
        override="",
    ):
        """Ask to start ``remedies`` (a list of ``{remedy, cause, targets, undo}``) as one atomic decision.

        Returns:
            ``available``, ``changed``, ``granted``, ``guard`` (lock, interrupted, hold, cooldown, budget,
            ineffective or ledger; empty when granted), ``reason``, ``claim_id`` (None unless written) and
            ``passed_guards``, a list of ``{guard, reason}`` that only the override let pass.
        """
        request = {
            "run_id": _named("run_id", run_id),
            "runbook": _named("runbook", runbook),
            "remedies": _checked_remedies(remedies),
            "plan_hash": plan_hash or "",
            "owner": owner or "",
            "override": (override or "").strip(),
            "lock_seconds": lock_seconds,
            "cooldown_seconds": cooldown_seconds,
            "budget_count": budget_count,
            "budget_window_seconds": budget_window_seconds,
            "ineffective_limit": ineffective_limit,
            "ineffective_window_seconds": ineffective_window_seconds,
        }
        _check_ranges(request)
        if not request["remedies"]:
            raise ValueError("remedies is empty: name at least one remedy to claim")
        refused = {"granted": False, "guard": "ledger", "claim_id": None, "passed_guards": []}
        return self._answer("claim", refused, lambda db, now: self._claim(db, now, request), create=True)

    def complete(self, run_id, outcome, remedies=()):
        """Record how a run ended; ``remedies`` is a list of ``{remedy, cause, state, helped, rolled_back}``.

        It counts for the newest claim of ``run_id``. The same again changes nothing.

        Returns:
            ``available``, ``changed``, ``recorded``, ``reason``, ``claim_id``, ``warning`` (``lock_lost``
            when the lock had expired or was released before, or empty) and ``not_claimed``, the names of
            remedies that were recorded although the claim did not hold them.
        """
        _named("run_id", run_id)
        remedies = _checked_remedies(remedies)
        if outcome not in OUTCOMES:
            raise ValueError(f"outcome must be one of {', '.join(OUTCOMES)}, not {one_line(repr(outcome))}")
        for entry in remedies:
            if entry.get("state") not in REMEDY_STATES:
                raise ValueError(f"the state of remedy {entry['remedy']} must be one of {', '.join(REMEDY_STATES)}")
        result: dict = {"recorded": False, "claim_id": None, "warning": "", "not_claimed": []}
        return self._answer("complete", result, lambda db, now: _complete(db, now, run_id, outcome, remedies))

    def hold(self, reason, by="", until_seconds=None):
        """Refuse every claim from now on, without end or for ``until_seconds``.

        A hold of the same reason and person is renewed, never shortened.

        Returns:
            ``available``, ``changed``, ``reason`` and ``holds``, all active holds as in :meth:`info`.
        """
        _named("reason", reason)
        _check_ranges({"until_seconds": until_seconds} if until_seconds is not None else {})
        return self._answer(
            "hold",
            {"holds": []},
            lambda db, now: _hold(db, now, reason, by or "", until_seconds),
            create=True,
        )

    def release(self, run_id=None):
        """Free the unfinished or interrupted claims of ``run_id``, or lift all holds when it is None.

        Returns:
            ``available``, ``changed``, ``reason``, ``released`` (claims as in :meth:`info`) and ``lifted``
            (holds as in :meth:`info`).
        """
        if run_id is not None and not run_id.strip():
            raise ValueError("run_id is empty: name a run, or leave run_id out to lift the hold")
        work = _lift if run_id is None else lambda db, now: _release(db, now, run_id)
        return self._answer("release", {"released": [], "lifted": []}, work)

    def info(self, runbook="", remedies=(), **limits):
        """Read the ledger; a missing file is an empty ledger and stays missing.

        Args:
            runbook, remedies: what a claim would ask for; without them ``status`` leaves out the cooldown and
                the ineffective guard.
            limits: cooldown_seconds, budget_count and so on, as for :meth:`claim`.

        Returns:
            ``available``, ``changed`` (False), ``reason``, ``holds`` (active ones), ``unfinished`` (claims
            that hold the lock or were interrupted), ``claims`` (the last 20, newest first) and ``status``:
            would a claim be ``refused`` now, by which ``guard``, for what ``reason``.
        """
        defaults: dict = ARGUMENT_SPEC
        request = {name: defaults[name]["default"] for name in LIMITS}
        request.update(limits, runbook=runbook or "", remedies=_checked_remedies(remedies))
        _check_ranges(request)
        status = {"refused": True, "guard": "ledger", "reason": ""}
        result = {"holds": [], "unfinished": [], "claims": [], "status": status}
        result = self._answer("info", result, lambda db, now: _info(db, now, request), read_only=True)
        if not result["available"]:
            result["status"] = dict(status, reason=result["reason"])
        return result

    def _claim(self, db, now, request):
        _prune(db, now)
        lock = _lock_refusal(db)
        if lock:
            return {"guard": "lock", "reason": lock}
        refusals = _refusals(db, now, request)
        if refusals and not request["override"]:
            return dict(refusals[0])
        values = [request[name] for name in ("run_id", "runbook", "owner", "plan_hash", "override")]
        claim_id = db.execute(
            "INSERT INTO claims (run_id, runbook, owner, plan_hash, override, state, started_at, expires_at,"
            " passed_guards) VALUES (?, ?, ?, ?, ?, 'claimed', ?, ?, ?)",
            [*values, now, now + request["lock_seconds"], json.dumps(refusals)],
        ).lastrowid
        for entry in request["remedies"]:
            _insert_remedy(db, claim_id, entry, "claimed")
        return {
            "granted": True,
            "changed": True,
            "guard": "",
            "claim_id": None if self.check_mode else claim_id,
            "passed_guards": refusals,
        }

    def _answer(self, doing, result, work, create=False, read_only=False):
        """``result`` updated with what ``work(db, now)`` returned, decided and written in one transaction."""
        result = dict({"available": True, "changed": False, "reason": ""}, **result)
        try:
            import sqlite3
        except ImportError as error:
            back = f"{one_line(error)}; install Python's sqlite3 for the interpreter Ansible uses on this host"
            return self._unavailable(result, doing, back)
        try:
            with self._opened(sqlite3, create, read_only) as db:
                now = float(self._now())
                _settle(db, now)
                decided = work(db, now)
                # Only what is on the disk counts: a failing COMMIT leaves the refusal in place.
                db.execute("COMMIT")
        except _Unusable as error:
            return self._unavailable(result, doing, str(error))
        # Damaged rows surface as errors of conversion; they refuse like a damaged page does.
        except (sqlite3.Error, OSError, ValueError, TypeError, LookupError, ArithmeticError) as error:
            back = getattr(error, "strerror", None) or str(error)
            return self._unavailable(result, doing, f"{one_line(back)}; {_next_step(back)}")
        return dict(result, **decided)

    def _unavailable(self, result, doing, back):
        reason = one_line(f"ledger {self.path}: {doing} was not possible: {back}", limit=800)
        return dict(result, available=False, reason=reason)

    @contextmanager
    def _opened(self, sqlite3, create, read_only):
        """A connection in a transaction: to the file, or to a copy in memory where nothing may be written."""
        present = _present(self.path)
        if create and not present and not self.check_mode:
            self._create(sqlite3)
            present = _present(self.path)
        if present and not read_only and not self.check_mode:
            with self._connected(sqlite3, self.path) as db:
                db.execute("BEGIN IMMEDIATE")
                _check_ledger(db)
                yield db
            return
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            db.row_factory = sqlite3.Row
            if present:
                with self._connected(sqlite3, self.path) as source:
                    # backup() would wait for ever for a lock; this read waits timeout_seconds and keeps it.
                    source.execute("BEGIN")
                    _check_ledger(source)
                    source.backup(db)
            else:
                _create_schema(db)
            db.execute("BEGIN")
            yield db

    @contextmanager
    def _connected(self, sqlite3, path):
        # mode=rw: never creates the file, yet rolls back what a killed process left half written.
        uri = "file://" + path.replace("%", "%25").replace("?", "%3f").replace("#", "%23") + "?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=self.timeout_seconds, isolation_level=None)) as db:
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA synchronous = FULL")
            yield db

    def _create(self, sqlite3):
        """Put a complete, empty ledger in place, unless somebody else is quicker.

        It appears under its name only when complete, so an empty file always is a loss and can be refused.
        """
        import tempfile

        wanted = Path(self.path)
        _make_private(wanted.parent)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{wanted.name}.", suffix=".new", dir=str(wanted.parent))
        os.close(descriptor)
        try:
            with self._connected(sqlite3, temporary) as db:
                _create_schema(db)
            os.link(temporary, self.path)
        except FileExistsError:
            pass
        finally:
            Path(temporary).unlink()


def apply(params, check_mode=False):
    """Do what the module parameters ``params`` (see ARGUMENT_SPEC) say and return that method's result."""
    ledger = Ledger(params["path"], params["timeout_seconds"], check_mode=check_mode)
    state = params["state"]
    limits = {name: params[name] for name in LIMITS}
    if state == "claim":
        names = ("run_id", "runbook", "remedies", "plan_hash", "owner", "lock_seconds", "override")
        return ledger.claim(**{name: params[name] for name in names}, **limits)
    if state == "complete":
        return ledger.complete(params["run_id"], params["outcome"], params["remedies"] or ())
    if state == "hold":
        return ledger.hold(params["reason"], params["by"], params["until_seconds"])
    if state == "release":
        return ledger.release(params["run_id"])
    return ledger.info(params["runbook"], params["remedies"] or (), **limits)


def objection(status, uid):
    """Why a file with this ``os.stat_result`` cannot be the ledger of user ``uid``, or an empty text."""
    if stat.S_ISLNK(status.st_mode):
        return "it is a symbolic link; set path to the file itself"
    if not stat.S_ISREG(status.st_mode):
        return "it is not a regular file; set path to a file"
    if status.st_uid not in (uid, 0):
        return f"it belongs to uid {status.st_uid}, not to uid {uid} or root; look who made it, then chown it"
    if stat.S_IMODE(status.st_mode) & 0o022:
        return f"others may write to it (mode {stat.S_IMODE(status.st_mode):04o}); look who did, then chmod 600"
    if status.st_size == 0:
        return f"it is empty, which a ledger never is; {_KEEP_IT}"
    return ""


def cooldown_refusal(attempts, now, request):
    """Why one of the remedies rests: the same one of the same runbook was started too recently."""
    asked = {entry["remedy"] for entry in request["remedies"]}
    for attempt in attempts:
        ends = attempt["started_at"] + request["cooldown_seconds"]
        if attempt["runbook"] == request["runbook"] and attempt["remedy"] in asked and now < ends:
            return (
                f"{_short(attempt['remedy'])} of {_short(attempt['runbook'])} was started at"
                f" {utc(attempt['started_at'])} by run {_short(attempt['run_id'])}, less than"
                f" {request['cooldown_seconds']} s ago; possible again at {utc(ends)}, or with override"
            )
    return ""


def budget_refusal(attempts, now, request):
    """Why there are too many: the remedies started on this host in the window and those asked for."""
    window, budget = request["budget_window_seconds"], request["budget_count"]
    started = sorted(entry["started_at"] for entry in attempts if now < entry["started_at"] + window)
    asked = max(1, len(request["remedies"]))
    excess = len(started) + asked - budget
    if excess <= 0:
        return ""
    again = "ask for fewer or raise budget_count"
    if excess <= len(started):
        again = f"possible again at {utc(started[excess - 1] + window)}"
    return (
        f"{len(started)} remedies were started on this host in the last {window} s, {asked} more asked for,"
        f" the budget is {budget}; {again}, or with override"
    )


def ineffective_refusal(attempts, now, request):
    """Why more of the same is useless: it did not help against this cause, time after time.

    An attempt of unknown effect neither counts nor excuses the others.
    """
    limit, window = request["ineffective_limit"], request["ineffective_window_seconds"]
    for asked in request["remedies"] if limit else ():
        # One claim is one attempt, on however many targets, and helped when it helped on one of them.
        verdicts: dict = {}
        for entry in attempts:
            same = (entry["runbook"], entry["remedy"], entry["cause"])
            if same != (request["runbook"], asked["remedy"], asked["cause"]):
                continue
            if entry["claim_state"] != "completed" or now >= entry["started_at"] + window:
                continue
            helped = _helped(entry)
            if helped is not None:
                before = verdicts.get(entry["claim_id"], (False, entry))[0]
                verdicts[entry["claim_id"]] = (before or helped, entry)
        last = [verdicts[claim_id] for claim_id in sorted(verdicts, reverse=True)[:limit]]
        if len(last) == limit and not any(helped for helped, _entry in last):
            newest, oldest = last[0][1], last[-1][1]
            return (
                f"{_short(asked['remedy'])} did not help against {_short(asked['cause'])} the last"
                f" {limit} times since {utc(oldest['started_at'])}, last at {utc(newest['started_at'])} by"
                f" run {_short(newest['run_id'])}; look for another cause, use override, or wait until"
                f" {utc(oldest['started_at'] + window)}"
            )
    return ""


def utc(seconds):
    """Seconds since the epoch as ``2026-01-31T12:00:00Z``; None stays None."""
    return None if seconds is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _helped(entry):
    # A remedy that failed to run cannot have helped, even where nobody looked afterwards.
    if entry["helped"] is None and entry["state"] in ("failed", "rollback_failed"):
        return False
    return None if entry["helped"] is None else bool(entry["helped"])


def _short(text, limit=80):
    return one_line(text, limit=limit)


def _who(claim):
    owner = _short(claim["owner"]) or "owner not named"
    return f"run {_short(claim['run_id'])} ({_short(claim['runbook'])}, {owner})"


def _named(name, value):
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be a text that is not empty")
    return value


def _check_ranges(values):
    for name, (low, high) in _RANGES.items():
        value = values.get(name, low)
        if value is None or not low <= value <= high:
            raise ValueError(f"{name} must be from {low} to {high}, not {value}")


def _checked_remedies(remedies):
    for entry in remedies or ():
        _named("remedy", entry.get("remedy"))
        _named("cause", entry.get("cause"))
    return list(remedies or ())


def _next_step(back):
    return next(step for sign, step in _NEXT_STEPS if sign in back.lower())


def _present(path):
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return False
    found = objection(status, os.geteuid())
    if found:
        raise _Unusable(found)
    return True


def _make_private(directory):
    # Path.mkdir(parents=True) would leave the parents open to everybody.
    if directory.is_dir():
        return
    if directory != directory.parent:
        _make_private(directory.parent)
    directory.mkdir(mode=0o700, exist_ok=True)


def _create_schema(db):
    db.execute("BEGIN")
    for statement in _SCHEMA:
        db.execute(statement)
    db.execute("COMMIT")


def _check_ledger(db):
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise _Unusable(
            f"its schema version is {version}, this collection knows {SCHEMA_VERSION}; update the collection"
            " on the controller"
        )
    if version < 1:
        raise _Unusable(f"it is not a ledger (schema version {version}); set path to another file")
    found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise _Unusable(f"quick_check found: {one_line(found)}; {_KEEP_IT}")


def _settle(db, now):
    """Bring the records in line with the clock.

    Times in the future are a clock that was set back. They are written anew as now, or a cooldown would last
    until the clock has caught up.
    """
    db.execute(
        "UPDATE claims SET expires_at = expires_at - (started_at - ?), started_at = ? WHERE started_at > ?",
        [now] * 3,
    )
    db.execute("UPDATE claims SET finished_at = ? WHERE finished_at > ?", [now] * 2)
    db.execute("UPDATE holds SET until_at = until_at - (since_at - ?), since_at = ? WHERE since_at > ?", [now] * 3)
    db.execute("UPDATE claims SET state = 'interrupted' WHERE state = 'claimed' AND expires_at <= ?", [now])


def _prune(db, now):
    old = "SELECT id FROM claims WHERE state IN ('completed', 'released') AND finished_at < ?"
    before = [now - KEEP_SECONDS]
    db.execute(f"DELETE FROM remedies WHERE claim_id IN ({old})", before)  # noqa: S608 (a constant)
    db.execute(f"DELETE FROM claims WHERE id IN ({old})", before)  # noqa: S608 (a constant)
    db.execute("DELETE FROM holds WHERE lifted_at < ? OR until_at < ?", before * 2)


def _lock_refusal(db):
    claim = db.execute("SELECT * FROM claims WHERE state = 'claimed' ORDER BY id DESC LIMIT 1").fetchone()
    if claim is None:
        return ""
    return (
        f"{_who(claim)} has been acting on this host since {utc(claim['started_at'])} and holds the lock"
        f" until {utc(claim['expires_at'])}; wait for it, or if that run is known to be dead, free it with"
        f" state: release and run_id: {_short(claim['run_id'])}"
    )


def _refusals(db, now, request):
    """All guards but the lock that refuse, as a list of ``{guard, reason}`` in their order."""
    attempts = _attempts(db, now, request)
    found = (
        ("interrupted", _interrupted_refusal(db)),
        ("hold", _hold_refusal(db, now)),
        ("cooldown", cooldown_refusal(attempts, now, request)),
        ("budget", budget_refusal(attempts, now, request)),
        ("ineffective", ineffective_refusal(attempts, now, request)),
    )
    return [{"guard": guard, "reason": reason} for guard, reason in found if reason]


def _attempts(db, now, request):
    widest = max(request[name] for name in LIMITS if name.endswith("_seconds"))
    return db.execute(
        "SELECT c.id AS claim_id, c.run_id, c.runbook, c.state AS claim_state, c.started_at,"
        " r.remedy, r.cause, r.state, r.helped FROM remedies r JOIN claims c ON c.id = r.claim_id"
        " WHERE c.started_at >= ? AND r.state != 'not_started' ORDER BY c.id DESC, r.id",
        [now - widest],
    ).fetchall()


def _interrupted_refusal(db):
    claim = db.execute("SELECT * FROM claims ORDER BY id DESC LIMIT 1").fetchone()
    if claim is None or claim["state"] != "interrupted":
        return ""
    remedies = ", ".join(
        f"{_short(entry['remedy'])} for {_short(entry['cause'])}"
        f" (undo {_short(json.dumps(entry['undo'], ensure_ascii=False), 120)})"
        for entry in _remedies(db, claim["id"])
    )
    return (
        f"{_who(claim)} started at {utc(claim['started_at'])} and did not say how it ended before its lock"
        f" ran out at {utc(claim['expires_at'])}; in progress: {_short(remedies, 300)}; look at the host,"
        f" undo what is half done, then use state: release and run_id: {_short(claim['run_id'])}"
    )


def _active_holds(db, now):
    return db.execute(
        "SELECT * FROM holds WHERE lifted_at IS NULL AND (until_at IS NULL OR until_at > ?) ORDER BY id DESC",
        [now],
    ).fetchall()


def _hold_refusal(db, now):
    holds = _active_holds(db, now)
    if not holds:
        return ""
    newest = holds[0]
    until = f" until {utc(newest['until_at'])}" if newest["until_at"] is not None else ""
    more = f" (and {len(holds) - 1} more holds)" if len(holds) > 1 else ""
    return (
        f"held by {_short(newest['held_by']) or 'somebody not named'} since {utc(newest['since_at'])}{until}:"
        f" {_short(newest['reason'], 200)}{more}; lift it with state: release without run_id, or use override"
    )


def _insert_remedy(db, claim_id, entry, state):
    db.execute(
        "INSERT INTO remedies (claim_id, remedy, cause, targets, undo, state, helped, rolled_back)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            claim_id,
            entry["remedy"],
            entry["cause"],
            json.dumps(entry.get("targets") or []),
            json.dumps(entry.get("undo")),
            state,
            *_effect(entry),
        ],
    )


def _effect(entry):
    helped = entry.get("helped")
    return (None if helped is None else int(bool(helped)), int(bool(entry.get("rolled_back"))))


def _complete(db, now, run_id, outcome, remedies):
    claim = db.execute("SELECT * FROM claims WHERE run_id = ? ORDER BY id DESC LIMIT 1", [run_id]).fetchone()
    if claim is None:
        return {"reason": f"the ledger has no claim of run {_short(run_id)}: nothing recorded; see state: info"}
    claimed: dict = {}
    for row in db.execute("SELECT * FROM remedies WHERE claim_id = ? ORDER BY id", [claim["id"]]).fetchall():
        claimed.setdefault((row["remedy"], row["cause"]), []).append(row)
    changed, not_claimed = False, []
    for entry in remedies:
        rows = claimed.get((entry["remedy"], entry["cause"]))
        if not rows:
            _insert_remedy(db, claim["id"], entry, entry["state"])
            not_claimed.append(entry["remedy"])
            changed = True
            continue
        row, new = rows.pop(0), (entry["state"], *_effect(entry))
        if new != (row["state"], row["helped"], row["rolled_back"]):
            db.execute("UPDATE remedies SET state = ?, helped = ?, rolled_back = ? WHERE id = ?", [*new, row["id"]])
            changed = True
    first = claim["state"] != "completed"
    lock_lost = bool(claim["lock_lost"]) or claim["state"] in ("interrupted", "released")
    if first or claim["outcome"] != outcome:
        db.execute(
            "UPDATE claims SET state = 'completed', outcome = ?, lock_lost = ?, finished_at = ? WHERE id = ?",
            [outcome, int(lock_lost), now if first else claim["finished_at"], claim["id"]],
        )
        changed = True
    lost = f"{_who(claim)} no longer had the lock when it ended: another run may have acted meanwhile"
    return {
        "changed": changed,
        "recorded": True,
        "claim_id": claim["id"],
        "warning": "lock_lost" if lock_lost else "",
        "reason": lost if lock_lost else "",
        "not_claimed": not_claimed,
    }


def _hold(db, now, reason, by, until_seconds):
    until = None if until_seconds is None else now + until_seconds
    same = [hold for hold in _active_holds(db, now) if (hold["reason"], hold["held_by"]) == (reason, by)]
    if not same:
        db.execute(
            "INSERT INTO holds (reason, held_by, since_at, until_at) VALUES (?, ?, ?, ?)",
            [reason, by, now, until],
        )
    # Asked for again at once it is the same hold, though its end would be some seconds later.
    elif not _lasts(same[0]["until_at"], until, 0 if until is None else min(60, until_seconds / 10)):
        db.execute("UPDATE holds SET until_at = ? WHERE id = ?", [until, same[0]["id"]])
    else:
        return {"holds": _hold_documents(db, now)}
    return {"changed": True, "holds": _hold_documents(db, now)}


def _lasts(end, wanted, tolerance):
    return end is None or (wanted is not None and wanted - end <= tolerance)


def _lift(db, now):
    lifted = _hold_documents(db, now)
    db.execute(
        "UPDATE holds SET lifted_at = ? WHERE lifted_at IS NULL AND (until_at IS NULL OR until_at > ?)",
        [now, now],
    )
    return {"changed": bool(lifted), "lifted": lifted}


def _release(db, now, run_id):
    claims = db.execute("SELECT * FROM claims WHERE run_id = ? ORDER BY id DESC", [run_id]).fetchall()
    unfinished = [claim["id"] for claim in claims if claim["state"] in ("claimed", "interrupted")]
    for claim_id in unfinished:
        db.execute("UPDATE claims SET state = 'released', finished_at = ? WHERE id = ?", [now, claim_id])
    released = [_claim_document(db, claim_id) for claim_id in unfinished]
    reason = "" if claims else f"the ledger has no claim of run {_short(run_id)}: nothing to free"
    return {"changed": bool(unfinished), "reason": reason, "released": released}


def _info(db, now, request):
    lock = _lock_refusal(db)
    refusals = [{"guard": "lock", "reason": lock}] if lock else _refusals(db, now, request)
    status = {"refused": bool(refusals), "guard": "", "reason": ""}
    status.update(*refusals[:1])
    unfinished = db.execute(
        "SELECT id FROM claims WHERE state IN ('claimed', 'interrupted') ORDER BY id DESC LIMIT 20"
    ).fetchall()
    newest = db.execute("SELECT id FROM claims ORDER BY id DESC LIMIT 20").fetchall()
    return {
        "holds": _hold_documents(db, now),
        "unfinished": [_claim_document(db, row["id"]) for row in unfinished],
        "claims": [_claim_document(db, row["id"]) for row in newest],
        "status": status,
    }


def _hold_documents(db, now):
    return [
        {
            "reason": hold["reason"],
            "by": hold["held_by"],
            "since": utc(hold["since_at"]),
            "until": utc(hold["until_at"]),
        }
        for hold in _active_holds(db, now)
    ]


def _claim_document(db, claim_id):
    claim = db.execute("SELECT * FROM claims WHERE id = ?", [claim_id]).fetchone()
    document = {
        name: claim[name] for name in ("run_id", "runbook", "owner", "plan_hash", "state", "outcome", "override")
    }
    document.update({name: utc(claim[name]) for name in ("started_at", "expires_at", "finished_at")})
    document.update(
        claim_id=claim["id"],
        lock_lost=bool(claim["lock_lost"]),
        passed_guards=json.loads(claim["passed_guards"]),
        remedies=_remedies(db, claim_id),
    )
    return document


def _remedies(db, claim_id):
    rows = db.execute("SELECT * FROM remedies WHERE claim_id = ? ORDER BY id", [claim_id]).fetchall()
    return [
        {
            "remedy": row["remedy"],
            "cause": row["cause"],
            "targets": json.loads(row["targets"]),
            "undo": json.loads(row["undo"]),
            "state": row["state"],
            "helped": None if row["helped"] is None else bool(row["helped"]),
            "rolled_back": bool(row["rolled_back"]),
        }
        for row in rows
    ]
