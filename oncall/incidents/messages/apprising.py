# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends one message by apprise, in a process of its own. Standard input has it, as JSON; each line of standard output is what is known by then.

It is run as a file, and imports nothing of the package. apprise tells only whether it worked. Whether what failed can be tried again is seen at
the two ways by which its services send: HTTP and SMTP.
"""

from __future__ import annotations

import json
import sys
from typing import Any

# To start Python and import apprise, on a busy machine.
START_SECONDS = 20.0


class Seen:
    """What left this process, and what came back."""

    def __init__(self) -> None:
        self.is_connected = False
        self.done: list[int] = []
        self.failed: list[tuple[str, str, int, Any]] = []

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Whether anything was ever connected to; a look-up of a name is none."""
        if event == "socket.connect":
            self.is_connected = True


def _watch(seen: Seen) -> None:
    import smtplib

    import requests

    sys.addaudithook(seen.audit)
    send = requests.adapters.HTTPAdapter.send

    def watched(self: Any, request: Any, **options: Any) -> Any:
        try:
            answer = send(self, request, **options)
        except requests.exceptions.ConnectTimeout:
            seen.failed.append(("failed", "no connection within its time", 0, None))
            raise
        except requests.exceptions.ConnectionError as error:
            # Refused, no such host, no certificate: nothing of the message has left.
            reason = type(getattr(error.args[0] if error.args else None, "reason", None)).__name__
            is_begun = not isinstance(error, requests.exceptions.SSLError) and reason not in (
                "NewConnectionError",
                "NameResolutionError",
                "ConnectTimeoutError",
            )
            seen.failed.append(
                (
                    "unknown" if is_begun else "failed",
                    "the connection was lost" if is_begun else "no connection",
                    0,
                    None,
                )
            )
            raise
        except requests.RequestException as error:
            seen.failed.append(("unknown", f"no answer: {type(error).__name__}", 0, None))
            raise
        code = answer.status_code
        if code >= 400:
            result = (
                "unknown"
                if code in (502, 504)
                else "failed"
                if code >= 500 or code in (408, 420, 425, 429)
                else "refused"
            )
            seen.failed.append((result, f"it answers {code}", code, answer.headers.get("Retry-After")))
        elif request.method not in ("GET", "HEAD", "OPTIONS"):
            seen.done.append(code)
        return answer

    requests.adapters.HTTPAdapter.send = watched  # type: ignore[method-assign,assignment]
    sendmail = smtplib.SMTP.sendmail

    def mailed(self: Any, *arguments: Any, **options: Any) -> Any:
        try:
            answer = sendmail(self, *arguments, **options)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _words in error.recipients.values()]
            seen.failed.append(
                (
                    "failed" if all(400 <= code < 500 for code in codes) else "refused",
                    f"it answers {codes[0]}",
                    codes[0],
                    None,
                )
            )
            raise
        except smtplib.SMTPResponseException as error:
            seen.failed.append(
                (
                    "failed" if 400 <= error.smtp_code < 500 else "refused",
                    f"it answers {error.smtp_code}",
                    error.smtp_code,
                    None,
                )
            )
            raise
        except Exception as error:
            seen.failed.append(("unknown", f"no answer: {type(error).__name__}", 0, None))
            raise
        seen.done.append(250)
        return answer

    smtplib.SMTP.sendmail = mailed  # type: ignore[method-assign]


def judged(is_sent: bool, seen: Seen) -> dict[str, Any]:
    """What is known: the worst of what was seen, for where one part may have arrived the whole is not sent again."""
    if is_sent:
        return {"result": "sent", "why": "apprise has sent it"}
    if seen.failed:
        order = ("unknown", "refused", "failed")
        result, why, status, retry = min(seen.failed, key=lambda one: order.index(one[0]))
        if seen.done and result != "unknown":
            result, why = "unknown", f"{why}, after another part was taken"
        seconds = float(retry) if retry is not None and str(retry).isascii() and str(retry).isdigit() else None
        return {"result": result, "why": why, "status": status, "retry_after": seconds}
    if seen.done or seen.is_connected:
        return {"result": "unknown", "why": "apprise says that it failed, and not how far it came"}
    return {"result": "failed", "why": "apprise has sent nothing"}


def _say(said: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def _main() -> None:
    asked = json.load(sys.stdin)
    sys.path[:] = asked["path"]
    import apprise

    seen = Seen()
    _watch(seen)
    sender = apprise.Apprise()
    if not sender.add(asked["address"]):
        _say({"result": "refused", "why": "apprise knows no such address"})
        return
    _say({"result": "unknown", "why": f"no answer within {asked['seconds']:g} s"})
    try:
        is_sent = bool(
            sender.notify(
                title=asked["subject"], body=asked["body"], notify_type=asked["tone"], body_format=apprise.NotifyFormat.TEXT, interpret_escapes=False,
                timeout=asked["seconds"],
            )
        )  # fmt: skip
    except Exception as error:
        seen.failed.append(("unknown", type(error).__name__, 0, None))
        is_sent = False
    if not is_sent and not seen.failed and not seen.done and seen.is_connected:
        return
    _say(judged(is_sent, seen))


if __name__ == "__main__":
    _main()
