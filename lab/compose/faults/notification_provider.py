# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail that a provider does not take, while another one would."""

from __future__ import annotations

from lab.compose.target import Fault, Target
from lab.rights import right

COUNT = 20


def _revoke(target: Target) -> None:
    target.ask_provider("/debug/behave?mail_key_revoked=1", "POST")
    target.sql("INSERT INTO events (kind) SELECT 'mail' FROM generate_series(1, %s)", COUNT)
    failed = "SELECT 1 FROM events WHERE kind = 'mail' AND status = 'failed' HAVING count(*) >= %s"
    target.wait(lambda: target.sql(failed, COUNT), what="the mail to fail")


def _fails(target: Target) -> tuple[bool, str]:
    """Whether a new message fails, by whichever provider the worker sends."""
    ((event,),) = target.sql("INSERT INTO events (kind) VALUES ('mail') RETURNING id")
    ended = "SELECT status, error FROM events WHERE id = %s AND ended_at IS NOT NULL"
    target.wait(lambda: target.sql(ended, event), what="the end of a message")
    ((status, error),) = target.sql(ended, event)
    return status == "failed", f"a message is {status}: {error or 'the provider took it'}"


def _forget(target: Target) -> None:
    target.sql("DELETE FROM events")
    target.sql("UPDATE event_queue SET paused = false")


FAULTS = {
    "mail_key_revoked": Fault(
        "the provider of mail takes the key no more, and mail fails",
        _revoke,
        _fails,
        _forget,
        rights={
            "notification_provider": right("credentials", "fall_back", also="messages_fail"),
            "worker_queue": right(also="jobs_fail", healthy=True),
        },
    )
}
