# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of what has to do with tokens for writing into a system that is read-only."""

from __future__ import annotations

SETTINGS = r"""
  break_glass:
    description:
      - How the system is read-only and how it lets somebody write all the same, as the variable C(system_break_glass) of the role system says it.
      - C(start), the request that gives a token. C(url), C(method) (V(POST)), C(body), C(headers), C(auth), C(status) and C(timeout_seconds) as
        M(oncall.runbooks.api_info) takes them (V(PUT), V(PATCH) and V(DELETE) as well), with C({reason}), C({ttl_minutes}) and C({ttl_seconds}) in
        URL, body and headers. C(token), C(id) and C(expires), where its answer has the token (V(token)), its id and when it ends, such as V(data.token).
      - C(header), the header in which the token is sent (V(X-Break-Glass-Token)).
      - C(revoke), the request that revokes one, with C({id}), or with C({token}) in body or headers. Without it a token ends by itself alone.
        Without C({id}) only the task itself can revoke, and no later run.
      - C(open), a list of the tokens that are open. C(rows), where the answer has the list; C(id) and C(reason), where each row has them.
      - C(read_only), what shows whether the system is read-only. C(field), where the answer has it.
      - C(writes), requests by name that somebody may want to send in an emergency, each with C(done), what shows that it is done (C(url),
        C(equals) and C(field), which the answer has to have also before), and C(why), in words.
      - Put what is secret into a vault. It is never shown, and a token is in no result, no file and no argument of a program.
    type: dict
    required: true
  directory:
    description: The state directory of the managed host. What was given is noted in C(break_glass) there, without the token.
    type: path
    required: true
  timeout_seconds:
    description: Time in seconds for each answer.
    type: float
    default: 10
"""


OPTIONS = (
    SETTINGS
    + r"""
  writes:
    description: The names of the writes to look at.
    type: list
    elements: str
    default: []
""".lstrip("\n")
)


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
    # Of those that act.
    ACTING: str = "options:" + SETTINGS
