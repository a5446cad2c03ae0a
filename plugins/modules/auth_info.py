#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell who gets into an application and who does not."""

from __future__ import annotations

DOCUMENTATION = r"""
module: auth_info
version_added: 0.2.0
short_description: Tell who gets into an application and who does not
description:
  - Logs in once with a canary and asks one route with what came of it; reads the discovery document and the keys of the identity provider; counts
    the answers 401 and 403 in the log of a service by route and by client; and tells by the words of known libraries why tokens were refused.
  - One look is one login at most. Refused ones are noted on the managed host, so that no number of looks locks the canary out.
  - The token is read on the controller with the library PyJWT, which managed hosts need not have. What is told of it are header and claims, and
    whether the published key of its name signed it. One without a signature is never taken for valid.
  - A redirect to another host is not followed, and a document beyond 5 MB is not read.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.auth
"""

EXAMPLES = r"""
- name: Does anybody get in
  oncall.runbooks.auth_info:
    auth:
      service: api
      login:
        url: https://shop.example/api/auth/login
        body: {email: canary@shop.example, password: "{{ vault_canary_password }}"}
        token: access_token
        route: https://shop.example/api/me
      issuer: https://id.shop.example
    services: "{{ system_services }}"
    marks_directory: /var/lib/oncall
  register: told

- name: Say why not
  ansible.builtin.debug:
    msg: "{{ told.login.reason }}; {{ told.login.route.reason }}"
"""

RETURN = r"""
available: {description: Whether anything was seen., returned: always, type: bool}
reason: {description: "Why not, in one line.", returned: when available is false, type: str}
complete: {description: Whether all was seen., returned: always, type: bool}
limits: {description: "What was not, and why, a line each.", returned: always, type: list, elements: str}
now_seconds: {description: "When it was looked, by the clock of where this runs, in seconds since 1970.", returned: always, type: float}
login:
  description: The canary's login. Null where the inventory names none.
  returned: always
  type: dict
  contains:
    probed: {description: Whether it was sent., type: bool}
    state:
      description: >-
        C(in), it got what lets it in; C(refused), its name or password; C(more_wanted), more than these, such as a second factor or another password;
        C(locked), also where it is asked to wait; C(no_token), let in without a token or a cookie; C(failed), a server error; C(unreachable), no
        answer; C(unreadable), an answer that is about no login; C(not_probed).
      type: str
    status: {description: Of HTTP. Null without an answer., type: int}
    error: {description: "What kept an answer away, such as C(refused), C(timeout), C(tls) or C(dns); or empty.", type: str}
    reason: {description: "What was asked and what came back, in one line.", type: str}
    milliseconds: {description: How long it took., type: float}
    retry_after_seconds: {description: How long it is asked to wait. Null where nothing says so., type: float}
    clock_ahead_seconds: {description: How far the clock of the server is ahead of this one. Null where it does not say., type: float}
    clock_within_seconds: {description: How exactly that is known., type: float}
    cookies:
      description: >-
        The cookie that lets users in, with C(name), C(domain) (empty for the host alone), C(path), C(secure), C(same_site) and C(problems), why a
        browser
        would not keep it or not send it to C(route); a list of C(domain) (not that of the host that sets it), C(route_domain), C(secure)
        (over plain HTTP), C(same_site) (none, and not secure), C(prefix) (of its name), C(path), C(ended) and C(missing).
      type: list
      elements: dict
    route:
      description: What C(route) answered.
      type: dict
      contains:
        state: {description: "C(in), C(refused), C(failed), C(unreachable), C(unreadable) or C(not_asked).", type: str}
        status: {description: Of HTTP. Null without an answer., type: int}
        kind: {description: "Of which kind a refusal is, as in RV(token_errors.kinds). Null where it does not say.", type: str}
        reason: {description: "What was asked and what came back, in one line.", type: str}
token:
  description: What the token says that the canary got. Null where it got none.
  returned: always
  type: dict
  contains:
    reason: {description: "Why it could not be read or checked, or empty.", type: str}
    kind:
      description: >-
        C(signed), with a key of its own; C(shared_secret), which nobody but the application can check; C(unsigned) (C(alg) is C(none)); C(opaque),
        it
        says nothing by itself.
      type: str
    algorithm: {description: C(alg) of its header., type: str}
    kid: {description: "The name of its key, C(kid) of its header.", type: str}
    issuer: {description: C(iss)., type: str}
    issuer_right: {description: Whether that is the issuer of the inventory. Null where the inventory names none., type: bool}
    audience: {description: C(aud)., type: list, elements: str}
    audience_right: {description: Whether that of the inventory is among them. Null where the inventory names none., type: bool}
    issued_ahead_seconds: {description: "How far C(iat) is ahead of the clock here. Null without it, as the next two.", type: float}
    expires_in_seconds: {description: "From now until C(exp), by the clock here.", type: float}
    valid_in_seconds: {description: "From now until C(nbf), by the clock here.", type: float}
    key_published: {description: Whether its key is among those that the issuer publishes. Null where that is not known., type: bool}
    signature: {description: Whether that key signed it. Null where that is not known., type: bool}
discovery:
  description: The discovery document of the issuer. Null where the inventory names no issuer.
  returned: always
  type: dict
  contains:
    available: {description: Whether it could be read., type: bool}
    reason: {description: Why not., type: str}
    error: {description: "What kept it away, such as C(refused), C(tls), C(redirect), C(html), C(bad_status), C(bad_json) or C(too_large).", type:
      str}
    status: {description: Of HTTP., type: int}
    milliseconds: {description: How long it took., type: float}
    retry_after_seconds: {description: How long it asks to wait., type: float}
    issuer: {description: What it says the issuer is., type: str}
    issuer_right: {description: "Whether that is, byte for byte, what the inventory says.", type: bool}
    clock_ahead_seconds: {description: How far the clock of the provider is ahead of this one. Null where it does not say., type: float}
    clock_within_seconds: {description: How exactly that is known., type: float}
    limits: {description: What of it could not be read., type: list, elements: str}
published:
  description: The keys of the issuer. Null where the inventory names neither issuer nor C(jwks_url).
  returned: always
  type: dict
  contains:
    available: {description: Whether they could be read., type: bool}
    reason: {description: Why not., type: str}
    error: {description: "As of RV(discovery.error); C(not_asked) where it is not known where they are.", type: str}
    status: {description: Of HTTP., type: int}
    milliseconds: {description: How long it took., type: float}
    retry_after_seconds: {description: How long it asks to wait., type: float}
    count: {description: How many there are., type: int}
    kids: {description: "The names of the first 20, null where one has none.", type: list, elements: str}
    private: {description: "The names of those that show what only their owner may have. Nothing of it is kept.", type: list, elements: str}
    not_read: {description: How many entries are no keys., type: int}
    clock_ahead_seconds: {description: How far the clock of the provider is ahead of this one. Null where it does not say., type: float}
    clock_within_seconds: {description: How exactly that is known., type: float}
    limits: {description: What of them could not be read., type: list, elements: str}
requests:
  description:
    - Requests in the log of C(access_log), of the window. Routes are told without query, and with C(#) for what stands for one thing of many. Only
      routes that refused somebody count, but for the login, which RV(requests.logins) tells of.
  returned: always
  type: dict
  contains:
    available: {description: Whether the log could be read., type: bool}
    reason: {description: Why not., type: str}
    service: {description: Whose log it is., type: str}
    lines: {description: How many lines were read., type: int}
    window_seconds: {description: The window., type: float}
    limits: {description: What could not be read., type: list, elements: str}
    requests: {description: How many requests there are of any kind., type: int}
    dated: {description: How many of these have a time with a zone., type: int}
    answered: {description: "How many of any route were answered below 400.", type: int}
    unauthorized: {description: How many were answered 401., type: int}
    forbidden: {description: How many were answered 403., type: int}
    let_in: {description: How many were answered otherwise below 400., type: int}
    clients_told: {description: Whether each request names its client., type: bool}
    clients: {description: How many clients there are., type: int}
    clients_refused: {description: How many of them were refused., type: int}
    clients_only_refused: {description: How many of them were refused and never let in., type: int}
    clients_let_in: {description: How many of them were let in., type: int}
    clients_answered: {description: "How many clients were answered below 400 on any route but the login.", type: int}
    top_clients:
      description: "The five that were refused most, with C(client), C(refused), C(let_in), and C(answered), whether it was answered below 400 elsewhere."
      type: list
      elements: dict
    routes:
      description: >-
        The 20 that refused most, with C(route), C(unauthorized), C(forbidden), C(let_in), C(clients_refused), C(clients_let_in), and
        C(clients_in_elsewhere), how many of those that it refused got an answer of another route.
      type: list
      elements: dict
    routes_total: {description: How many there are., type: int}
    logins:
      description: >-
        Logins at the URL of the canary's, by anybody who is not known as ourselves, with C(let_in), C(refused), C(locked), C(failed),
        C(clients_let_in) and C(clients_refused).
      type: dict
    since_start:
      description: >-
        C(refused) and C(let_in), of the window, since C(service) was started C(seconds) ago, of several replicas the first. Null where that is not
        known.
      type: dict
    minutes: {description: "By minute, the latest first, with C(minutes_ago), C(refused) and C(let_in).", type: list, elements: dict}
token_errors:
  description: Why tokens were refused, by the words in the logs.
  returned: always
  type: dict
  contains:
    available: {description: Whether a log could be read., type: bool}
    reason: {description: Why not., type: str}
    services: {description: Whose logs were read., type: list, elements: str}
    kinds:
      description: >-
        The most frequent first, with C(kind), C(count) and C(last) (a line without secrets). C(kind) is C(expired), C(not_yet_valid), C(signature),
        C(unknown_key), C(issuer), C(audience), C(algorithm), C(session), C(revoked) or C(malformed).
      type: list
      elements: dict
    limits: {description: What could not be read., type: list, elements: str}
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import auth


def main():
    """Run the module."""
    run(auth)


if __name__ == "__main__":
    main()
