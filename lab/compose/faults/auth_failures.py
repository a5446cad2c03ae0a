# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of the identity provider that the API has not read again."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

from lab import inventory
from lab.compose.target import Fault, Target
from lab.layout import LabError
from lab.rights import right

# So many users try, each with a token of now.
USERS = 30


def _me(target: Target) -> int:
    """The status of a question that only somebody who is logged in may ask, with a token of now."""
    login = inventory.of_auth(target.layout)["login"]
    assert isinstance(login, dict)
    asked = urllib.request.Request(login["url"], json.dumps(login["body"]).encode(), {"User-Agent": "browser"})
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            token = json.load(answer)["access_token"]
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "browser"}
        with urllib.request.urlopen(urllib.request.Request(login["route"], headers=headers), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)
    except OSError as error:
        raise LabError(f"the API does not answer: {error}") from None


def _rotate(target: Target) -> None:
    # It has to know the keys of before.
    target.wait(lambda: _me(target) == 200, what="a login")
    target.ask_provider("/debug/rotate", "POST")
    for _user in range(USERS):
        _me(target)


def _is_refused(target: Target) -> tuple[bool, str]:
    status = _me(target)
    return status == 401, f"a token of now is answered {status}"


def _restart(target: Target) -> None:
    target.recreate("api")


FAULTS = {
    "stale_keys": Fault(
        "the identity provider changed its keys, and the API has the old ones",
        _rotate,
        _is_refused,
        _restart,
        rights={"auth_failures": right("stale_keys", "read_keys_again")},
    )
}
