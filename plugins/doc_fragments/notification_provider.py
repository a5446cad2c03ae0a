# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of everything that looks at providers of notifications."""

from __future__ import annotations

OPTIONS = r"""
  channels:
    description:
      - The channels by name, as C(system_notification_providers) of the role system says them. Each is a dictionary with C(providers), a list
        in the order in which they are to be used, and where wanted the following keys.
      - C(from), the bare address that mail is sent from, and C(domain), that of the sender. A provider may have its own.
      - C(queue), the key in C(system_queues) of the queue that messages wait in.
      - C(switch), how the application is told which provider to use. See the role system.
      - C(records), which records of the domain matter, of V(spf), V(dkim) and V(dmarc), all of them by default; C(resolvers), addresses of
        the resolvers to ask instead of those of the host.
      - Each provider is a dictionary with C(name) and C(kind). It may have C(value), what the switch calls it (C(name) otherwise); C(url),
        another base than the usual one, as of a region; C(status_page), a key in C(system_status_pages); C(dkim_selectors), a list; C(spf), the
        domain that SPF has to include; C(key_variable), the environment variable in which the application has the secret.
      - C(kind=sendgrid) and C(kind=mailgun) need C(api_key), the latter C(domain) too.
      - C(kind=ses) needs C(access_key), C(secret_key) and C(region), and has C(session_token).
      - C(kind=postmark) needs C(token), that of a server.
      - C(kind=twilio) needs C(account_sid) and C(auth_token), and has C(api_key_sid), to which C(auth_token) then is the secret.
      - C(kind=smtp) needs C(host) and C(from), and has C(tls) (V(starttls), V(implicit) or V(none)), C(port), C(user), C(password) and
        C(ca_file).
      - C(kind=slack) needs C(token) or C(webhook_url).
      - Put what is secret into a vault. It is never shown.
    type: dict
    required: true
  failures:
    description: So many checks in a row that fail make a provider C(failing), and it is not checked further.
    type: int
    default: 1
  samples:
    description: How often a provider is checked that does not fail so often, at most 60.
    type: int
    default: 1
  window_seconds:
    description: The time in seconds over which these checks are spread.
    type: float
    default: 0
  marks_directory:
    description: Folder on the managed host in which a run of the runbook notes what it did to a channel; empty for none.
    type: path
    default: ""
  timeout_seconds:
    description: Time in seconds for each check.
    type: float
    default: 10
"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
