# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One write of the inventory into a system that is read-only."""

from __future__ import annotations

from .granted import NotGranted, sweep
from .issuer import IssuerError, asked
from .look import is_done
from .needed import token_where_read_only
from .spec import PLACE, checked, grant_of


class NotWritten(Exception):
    """Why nothing was written, or why it is not known, in one line. ``record`` is that of the token, or None."""

    def __init__(self, message, record=None):
        super().__init__(message)
        self.record = record


def write(params):
    """Write, with a token where the system is read-only.

    Args:
        params: of the module ``break_glass_write``.

    Returns:
        A dict ``changed``, ``status`` (of HTTP, or None), ``break_glass`` (the record of the token, or None) and ``swept`` (records of those that
        were left by earlier runs).

    Raises:
        ValueError: the inventory cannot be used.
        NotWritten: it was not written.
    """
    settings, want = checked(params["break_glass"]), grant_of(params["grant"])
    name, seconds = params["write"], params["timeout_seconds"]
    if name not in settings["writes"]:
        raise ValueError(
            f"{PLACE}.writes: there is no write {name}; there are {', '.join(settings['writes']) or 'none'}"
        )
    one, place = settings["writes"][name], f"{PLACE}.writes.{name}"
    swept = [_told(record) for record in sweep(settings, params["directory"], seconds)]
    nothing = {"changed": False, "status": None, "break_glass": None, "swept": swept}
    done = is_done(name, one, seconds)
    if done["value"] is None:
        raise NotWritten(f"not written, because nobody would know whether it is done: {done['reason']}")
    if done["value"]:
        return nothing
    # It is given no longer than the token lives.
    limit = min(seconds, want["ttl_seconds"])
    needed = {"settings": params["break_glass"], "grant": want, "by": params["by"], "directory": params["directory"]}
    failure, status = None, None
    try:
        with token_where_read_only(needed, seconds) as grant:
            try:
                status, _body, _headers = asked(place, _request(one), {}, limit, headers=grant.headers)
            except IssuerError as error:
                failure = error
    except (IssuerError, NotGranted) as error:
        raise NotWritten(str(error)) from None
    if failure is not None:
        raise NotWritten(str(failure), grant.told())
    return dict(nothing, changed=True, status=status, break_glass=grant.told())


def _request(one):
    return {key: value for key, value in one.items() if key not in ("done", "why")}


def _told(record):
    return {key: value for key, value in record.items() if key not in ("path", "held")}
