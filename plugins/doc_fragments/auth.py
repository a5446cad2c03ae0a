# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of what looks at who gets into an application."""

from __future__ import annotations

OPTIONS = r"""
  auth:
    description:
      - How users get in, as the variable C(system_auth) of the role system says it. Every key may be left out.
      - C(service), the key in C(system_services) of what checks tokens; C(logs), a list of such keys whose logs say why tokens are refused
        (C(service) alone); C(access_log), the key of the one whose log has every request with its status (C(service)). C(reload) and
        C(session_service) are for those who act on it.
      - C(login), one login with a canary, an account that is there for nothing else. C(url), C(method) (V(POST)), C(body), C(headers), C(auth) and
        C(status) as M(oncall.runbooks.api_info) takes them; C(token), where the answer has the token, such as V(data.access_token), or C(cookie),
        the name of the cookie that it sets, or both; C(route), a URL on the same host that only somebody who is logged in may read; C(locked), the
        status codes of an account that is locked or asked too often (V([423, 429])).
      - C(issuer), the URL of the identity provider as it is in C(iss) of a token; C(jwks_url), where its keys are, where the discovery document
        does
        not say so on the same host; C(audience), what C(aud) of a token has to hold.
      - Put the canary's password into a vault. Neither it nor a token is shown, logged or in an argument of a program.
    type: dict
    required: true
  services:
    description: The services of C(system_services) that C(auth) names.
    type: dict
    default: {}
  lately_seconds:
    description: The time in seconds over which requests in the log count.
    type: float
    default: 900
  log_lines:
    description: So many of the last lines of each log are read, and of these 8 MiB at most.
    type: int
    default: 20000
  marks_directory:
    description: >-
      Folder on the managed host in which refused logins of the canary are noted, so that looking never locks it out; empty for none, and then
      nothing
      keeps count.
    type: path
    default: ""
  probe_refused_limit:
    description: The canary does not log in again when it was refused so often within C(probe_window_seconds). Keep it below what locks an account.
    type: int
    default: 2
  probe_window_seconds:
    description: The time in seconds for which a refused login counts.
    type: float
    default: 3600
  timeout_seconds:
    description: Time in seconds for the login with its route, for the identity provider, and for the logs, which are looked at side by side.
    type: float
    default: 10
"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
