# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often a login of ours was refused lately, so that looking never locks the canary out.

A run looks several times: before it acts, and until it is proven. Each look probes once at most. Where the password is wrong, each probe is a
wrong login, and a server may lock the account after a few. So what was refused is noted on the host, and counts for all runs there.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
import time
from pathlib import Path

_MOST_BYTES = 4096


class MayNot(Exception):
    """Why no probe may be sent now, in one line."""


@contextlib.contextmanager
def probe(directory, about, limit, window_seconds):
    """Hold the right to one probe. It counts as refused, also where this process is killed, unless it is said that it was not.

    Args:
        directory: the state directory of the host; empty: nothing is noted.
        about: what is logged in to, and as whom; only a hash of it is kept.
        limit: so many refused ones within the window, and no other is sent.
        window_seconds: how long one counts.

    Yields:
        A function that takes what came of it: ``in`` (whoever is let in has no refused logins behind him any more), or ``unclear`` (an answer
        that is about no password).

    Raises:
        MayNot: none may be sent.
    """
    if not directory:
        yield lambda _came: None
        return
    path = Path(directory) / f"auth-probe-{hashlib.sha256(about.encode()).hexdigest()[:16]}.json"
    descriptor = _opened(path)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise MayNot("not probed: another look logs in with the canary just now; look again") from None
        now = time.time()
        # One from the future counts as well: a clock that was wrong must not open the way to more.
        before = [at for at in _noted(descriptor, path) if at > now - window_seconds]
        if len(before) >= limit:
            wait = max(0.0, window_seconds - (now - sorted(before)[-limit]))
            raise MayNot(
                f"not probed: the canary was refused {len(before)} times within {window_seconds:.0f} s, and another wrong login might lock it; "
                f"set its password right (system_auth.login.body), then delete {path}, or wait {wait:.0f} s"
            )
        _write(descriptor, [*before, now])
        came = []
        yield came.append
        if came:
            _write(descriptor, [] if came[-1] == "in" else before)
    finally:
        os.close(descriptor)


def _opened(path):
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(str(path), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise MayNot(
            f"not probed: {path} cannot be written, so that nobody counts refused logins ({error.strerror})"
        ) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise MayNot(f"not probed: {path} is no file")
    return descriptor


def _noted(descriptor, path):
    text = os.pread(descriptor, _MOST_BYTES, 0)
    if not text:
        return []
    try:
        found = json.loads(text)
        return [float(at) for at in found["refused_at_seconds"]]
    except (ValueError, KeyError, TypeError):
        raise MayNot(
            f"not probed: {path} cannot be read, so that nobody knows how often the canary was refused; delete it"
        ) from None


def _write(descriptor, times):
    data = json.dumps({"refused_at_seconds": [round(at, 1) for at in times[-50:]]}).encode()
    os.pwrite(descriptor, data, 0)
    os.ftruncate(descriptor, len(data))
    os.fsync(descriptor)
