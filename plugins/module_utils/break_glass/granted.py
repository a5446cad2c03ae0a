# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A token for one task, which is revoked when that is over, also where it fails or is killed.

A process of its own, the keeper, asks for the token, hands it over and waits. It revokes it when the task says that it is done, when the task is
gone (its end of a pipe is closed then, whatever ended it), and when the time is over. It belongs to no terminal and no session of the
play. Where the keeper is gone itself, the task revokes; where both are, the next run on the host does, and the token ends by itself.

The token is in the memory of these two processes, and nowhere else.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import time

from . import journal
from .issuer import IssuerError, can_revoke, open_ones, revoke, start

# Seconds between the attempts to revoke.
_PAUSES = (0.0, 1.0, 3.0, 8.0)
_MOST_BYTES = 16384


class NotGranted(Exception):
    """Why there is no token, in one line."""


class Grant:
    """A token in use.

    Attributes:
        headers: what the task sends besides, which nobody may read.
        record: what may be told: who, why, when. ``revoked`` is None until that is known.
    """

    def __init__(self, headers, record):
        self.headers, self.record = headers, record

    def told(self):
        """What may be told of it; None where no token was asked for."""
        return dict(self.record) or None


@contextlib.contextmanager
def granted(settings, want, who, directory, timeout_seconds):
    """Have a token for what is done within.

    Args:
        settings: as :func:`spec.checked` gives it.
        want: as :func:`spec.grant_of` gives it.
        who: by whom it is asked for, for the record.
        directory: the state directory of the host, for the journal.
        timeout_seconds: for each answer of the issuer.

    Yields:
        A :class:`Grant`. Its record is whole afterwards.

    Raises:
        NotGranted: there is none, and nothing was begun.
    """
    try:
        folder = journal.folder_of(directory)
    except OSError as error:
        raise NotGranted(
            f"a token cannot be recorded in {directory}/break_glass ({error.strerror}), so none is asked for"
        ) from None
    journal.forget_old(directory)
    record = {
        "reference": secrets.token_hex(8),
        "who": who,
        "why": want["reason"],
        "ttl_seconds": want["ttl_seconds"],
        "given_at_seconds": time.time(),
        "expires_at_seconds": time.time() + want["ttl_seconds"],
        "revoked_at_seconds": None,
        "state": "asking",
        "how": "",
        "id": "",
    }
    keeper = _Keeper(settings, record, folder, timeout_seconds)
    answer = keeper.heard(timeout_seconds + 5)
    if answer is None or "error" in answer:
        keeper.close()
        raise NotGranted(answer["error"] if answer else "the process that asks for the token does not answer")
    token = answer.pop("token")
    grant = Grant({settings["header"]: token}, {**record, **answer})
    try:
        yield grant
    finally:
        keeper.say_done()
        ended = keeper.heard(len(_PAUSES) * (timeout_seconds + 5) + sum(_PAUSES))
        if ended is None:
            # It was killed.
            ended = _revoked(settings, grant.record, token, timeout_seconds, "by the task, as its keeper was gone")
            with contextlib.suppress(OSError):
                entry = journal.Entry(folder / f"{record['reference']}.json", {**grant.record, **ended})
                entry.close()
        grant.record.update(ended)
        keeper.close()


class _Keeper:
    """The other process, as the task sees it."""

    def __init__(self, settings, record, folder, timeout_seconds):
        self._answers, answers = os.pipe()
        control, self._control = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            # Whatever happens, nothing of the task goes on in here.
            try:
                _become_a_daemon({answers, control})
                _keep(settings, record, folder, timeout_seconds, answers, control)
            finally:
                os._exit(0)
        os.close(answers)
        os.close(control)
        self._read = b""

    def heard(self, seconds):
        """The next line that it says, or None."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._read:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._answers], [], [], left)[0]:
                return None
            data = os.read(self._answers, _MOST_BYTES)
            if not data:
                return None
            self._read += data
        line, _end, self._read = self._read.partition(b"\n")
        return json.loads(line)

    def say_done(self):
        with contextlib.suppress(OSError):
            os.write(self._control, b"done\n")

    def close(self):
        os.close(self._control)
        os.close(self._answers)
        with contextlib.suppress(OSError):
            os.waitpid(self.pid, os.WNOHANG)


def _become_a_daemon(kept):
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    # The one who began the task waits until nobody can write to these.
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    for number in range(3, 256):
        if number not in kept:
            with contextlib.suppress(OSError):
                os.close(number)


def _keep(settings, record, folder, timeout_seconds, answers, control):
    def say(**told):
        with contextlib.suppress(OSError):
            os.write(answers, json.dumps(told).encode() + b"\n")

    try:
        entry = journal.Entry(folder / f"{record['reference']}.json", record)
    except OSError as error:
        say(error=f"a token cannot be recorded in {folder} ({error.strerror}), so none is asked for")
        return
    try:
        given = start(settings, record["why"], record["ttl_seconds"], record["reference"], timeout_seconds)
    except IssuerError as error:
        # It may have been given all the same, where no answer came or a server on the way failed: then it ends by itself, or is found by
        # its reference. Whoever refuses says so with a status of 400 to 499.
        is_refused = error.status is not None and 400 <= error.status < 500 and error.status != 408
        entry.note(state="not_given" if is_refused else "asking", how=str(error))
        say(error=str(error))
        return
    token = given.pop("token")
    known = {"id": given["id"], "state": "open"}
    if given["expires_at_seconds"] is not None:
        known["expires_at_seconds"] = given["expires_at_seconds"]
    entry.note(**known)
    say(token=token, **known)
    ended = _told(control, entry.told["expires_at_seconds"] - time.time())
    how = {"done": "after the task", "gone": "as the task was gone", "late": "as its time was over"}[ended]
    told = _revoked(settings, entry.told, token, timeout_seconds, how)
    entry.note(**told)
    say(**told)


def _told(control, seconds):
    """Wait until the task is done or gone, or the time is over."""
    if not select.select([control], [], [], max(0.0, seconds))[0]:
        return "late"
    return "done" if os.read(control, 16) else "gone"


def _revoked(settings, record, token, timeout_seconds, how):
    """Revoke a token, and what came of it: ``state``, ``revoked_at_seconds`` and ``how``."""
    if not can_revoke(settings, record["id"], token):
        why = (
            "the inventory has no system_break_glass.revoke"
            if settings["revoke"] is None
            else "the answer had no id to revoke it by"
        )
        return {"state": "ends_by_itself", "how": f"not revoked: {why}; it ends by itself"}
    said = ""
    for pause in _PAUSES:
        time.sleep(pause)
        try:
            revoke(settings, record["id"], token, record["reference"], timeout_seconds)
        except IssuerError as error:
            said = str(error)
            if time.time() >= record["expires_at_seconds"]:
                break
            continue
        return {"state": "revoked", "revoked_at_seconds": time.time(), "how": how}
    return {"state": "open", "how": f"not revoked: {said}"}


def sweep(settings, directory, timeout_seconds, only=None):
    """Revoke what was left on this host: tokens that nobody has any more, and that have not ended by themselves.

    Args:
        only: their references; None for all.

    Returns:
        The records of those that were left, each as it is now.
    """
    known = [one for one in journal.read(directory)[0] if only is None or one["reference"] in only]
    listed = {}
    if settings["open"] is not None and known:
        with contextlib.suppress(IssuerError):
            listed = {one["reference"]: one["id"] for one in open_ones(settings, timeout_seconds) if one["reference"]}
    left = [one for one in known if journal.is_left(one, time.time()) or journal.is_open_all_the_same(one, listed)]
    return [_swept(settings, one, listed, timeout_seconds) for one in left]


def _swept(settings, told, listed, timeout_seconds):
    entry = journal.taken_over(told)
    if entry is None:
        return dict(told, how="another run revokes it")
    try:
        identity = entry.told["id"] or listed.get(entry.told["reference"], "")
        if not can_revoke(settings, identity, ""):
            return dict(entry.told, how="it cannot be revoked without the token, which nobody has; it ends by itself")
        entry.note(
            **_revoked(settings, dict(entry.told, id=identity), "", timeout_seconds, "by a later run, as it was left")
        )
        return dict(entry.told)
    finally:
        entry.close()
