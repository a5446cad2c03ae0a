# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A break-glass token that a run has left: it was killed with all that it had begun."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path

from lab import inventory
from lab.compose.target import Fault, Target
from lab.layout import LabError
from lab.rights import right

REFERENCE = "1ab0" * 4


def _folder(target: Target) -> Path:
    return target.layout.home / "oncall" / "break_glass"


def _ask(target: Target, key: str, body: object = None) -> dict[str, object]:
    given = inventory.of_break_glass(target.layout)[key]
    assert isinstance(given, dict)
    headers = {"Authorization": f"Bearer {given['auth']['bearer']}"}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(given["url"], data, headers), timeout=10) as answer:
            found: dict[str, object] = json.load(answer)
            return found
    except OSError as error:
        raise LabError(f"the API gives no token: {error}") from None


def _leave(target: Target) -> None:
    seconds = 3000
    given = _ask(target, "start", {"reason": f"a fault of the lab [oncall {REFERENCE}]", "ttl_seconds": seconds})
    now = time.time()
    folder = _folder(target)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    told = {
        "reference": REFERENCE,
        "who": "lab",
        "why": "a fault of the lab",
        "given_at_seconds": now,
        "expires_at_seconds": now + seconds,
        "revoked_at_seconds": None,
        "state": "open",
        "how": "",
        "id": given["id"],
    }
    (folder / f"{REFERENCE}.json").write_text(json.dumps(told))


def _is_open(target: Target) -> tuple[bool, str]:
    tokens = _ask(target, "open")["tokens"]
    return f"oncall {REFERENCE}" in json.dumps(tokens), f"the API lists {tokens}"


def _forget(target: Target) -> None:
    (_folder(target) / f"{REFERENCE}.json").unlink(missing_ok=True)
    # Its tokens are in its memory.
    target.recreate("api")


FAULTS = {
    "token_left": Fault(
        "a run left a break-glass token that is open",
        _leave,
        _is_open,
        _forget,
        rights={"break_glass": right("tokens_left", "revoke")},
    )
}
