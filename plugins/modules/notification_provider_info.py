#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell whether providers of notifications would take a message."""

from __future__ import annotations

DOCUMENTATION = r"""
module: notification_provider_info
version_added: 0.2.0
short_description: Tell whether providers of notifications would take a message
description:
  - Asks SendGrid, Mailgun, Amazon SES, Postmark, Twilio, Slack or a server of SMTP whether the credentials are valid, the account may send and
    anything of its quota is left, by calls that send nothing. A conversation over SMTP ends before a recipient is named.
  - Looks up the records (SPF, DKIM, DMARC) of the domains that mail is sent from.
  - A good answer does not prove that mail arrives. What a kind of provider cannot be asked is in RV(channels.providers.not_told).
  - Each check logs in. Where a provider locks an account after some wrong passwords, keep O(failures) below that.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.notification_provider
"""

EXAMPLES = r"""
- name: Would a mail be taken
  oncall.runbooks.notification_provider_info:
    channels:
      mail:
        from: noreply@shop.example
        domain: shop.example
        providers:
          - {name: sendgrid, kind: sendgrid, api_key: "{{ vault_sendgrid_key }}", dkim_selectors: [s1, s2]}
          - name: relay
            kind: smtp
            host: smtp.relay.example
            user: shop
            password: "{{ vault_relay_password }}"
    failures: 3
    samples: 5
    window_seconds: 8
  register: told

- name: Say which would not
  ansible.builtin.debug:
    msg: "{{ told.channels.mail.providers | rejectattr('state', 'equalto', 'good') | map(attribute='reason') | list }}"
"""

RETURN = r"""
available: {description: Whether anything is known of at least one provider., returned: always, type: bool}
reason: {description: "Why not, in one line.", returned: when available is false, type: str}
complete: {description: Whether all was seen., returned: always, type: bool}
limits: {description: "What was not, and why, a line each.", returned: always, type: list, elements: str}
channels:
  description: Each channel by its name.
  returned: always
  type: dict
  contains:
    queue: {description: "Its queue in C(system_queues), or empty.", type: str}
    current:
      description: >-
        The name of the provider that the application says it uses, empty where it names another one. Null where no command and no URL says it
        (C(switch.show)).
      type: str
    current_reason: {description: "Why it could not be asked, or empty.", type: str}
    mark:
      description: >-
        What an earlier run noted. C(paused), whether it paused the queue and did not let it go on; C(limited), whether it slowed it down;
        C(turned), whether it turned to another provider, and C(fell_back), whether that was not the first one. All are null where that
        could not be read, with C(reason). C(age_seconds), since when it is turned, and C(queue_age_seconds), since when the queue is paused
        or slowed down.
      type: dict
    records:
      description: >-
        The records of its domains. Each has C(record) (V(spf), V(dkim) or V(dmarc)), C(name), C(found) (null where no resolver tells), C(problem)
        (V(missing), V(several), V(wrong) or empty) and C(reason).
      type: list
      elements: dict
    providers:
      description: Its providers in their order.
      type: list
      elements: dict
      contains:
        name: {description: As in the inventory., type: str}
        kind: {description: As in the inventory., type: str}
        position: {description: "Its place in the order, from 1.", type: int}
        state:
          description: >-
            C(good), every check passed; C(failing), as many failed in a row as O(failures); C(unsteady), some failed; C(unknown), nothing could be
            told.
          type: str
        error:
          description: >-
            Of the last check, empty where it passed. C(credentials), C(forbidden) (the key is not for this), C(suspended), C(quota),
            C(rate_limited), C(unverified) (the domain or the sender); C(down), C(dns), C(tls); or C(unreadable), an answer that tells nothing.
          type: str
        reason: {description: "What was asked and what came back, in one line.", type: str}
        checks: {description: How often it was checked., type: int}
        passed: {description: How many of these passed., type: int}
        failed_in_a_row: {description: How many of the last ones failed., type: int}
        last_passed: {description: "Whether the last one passed, null where that could not be told.", type: bool}
        milliseconds: {description: How long the last one took., type: float}
        facts:
          description:
            - What is known besides. Each key is there only where the provider tells it.
            - C(credentials_valid); C(account_status) and C(domain_state), in the provider's own words; C(domain_verified); C(sandbox), whether it only
              delivers to some; C(records_wrong), the records of the domain that the provider does not find; C(certificate_days_left).
            - C(quota_limit), C(quota_left) and C(quota_used_ratio), of messages; C(balance) and C(currency).
            - C(sent_lately), messages of about one day, or the last 50 of Twilio, and the shares of them C(bounce_ratio), C(complaint_ratio) and
              C(suppressed_ratio); C(error_codes), the most frequent ones of Twilio.
          type: dict
        not_told: {description: "What a provider of this kind cannot be asked, in words.", type: list, elements: str}
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import notification_provider


def main():
    """Run the module."""
    run(notification_provider)


if __name__ == "__main__":
    main()
