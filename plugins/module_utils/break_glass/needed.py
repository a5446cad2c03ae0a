# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A token where the system is read-only, and none where it is not."""

from __future__ import annotations

import contextlib

from .granted import Grant, granted
from .issuer import IssuerError
from .look import is_read_only
from .spec import checked, grant_of


@contextlib.contextmanager
def token_where_read_only(needed, timeout_seconds):
    """Have a token for what is done within, where one is needed.

    Args:
        needed: a dict ``settings``, ``grant``, ``by`` and ``directory``, as the module ``connector_action`` takes it.
        timeout_seconds: for each answer.

    Yields:
        A :class:`granted.Grant`, which has neither headers nor a record where the system is not read-only.

    Raises:
        ValueError: the inventory cannot be used.
        IssuerError: it cannot be seen whether the system is read-only.
        granted.NotGranted: there is no token.
    """
    settings, want = checked(needed["settings"]), grant_of(needed["grant"])
    read_only = is_read_only(settings, timeout_seconds)
    if read_only["reason"]:
        raise IssuerError(
            f"it is not known whether the system is read-only, so nothing was sent: {read_only['reason']}"
        )
    if read_only["value"] is False:
        yield Grant({}, {})
        return
    with granted(settings, want, needed["by"], needed["directory"], timeout_seconds) as grant:
        yield grant
