#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at connectors that synchronise data."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sync_state_info
version_added: 0.2.0
short_description: Look at connectors that synchronise data, whatever tells of them
description:
  - How connectors get on, in the same words for a table of the application, an HTTP API, a command, Kafka Connect and replication slots.
  - The lag is the age of the watermark, up to which data are there, by the clock of what keeps it. That of the last run shows nothing
    where a run ends well and brings nothing.
  - What a source cannot tell is absent, and never V(0). A time in the future is no age, and is told.
  - Reading changes nothing. A connector's name is data. It is shown on one line without secrets, and one that is not plain is never acted on.
  - The managed host fetches what an API says, and the controller evaluates it, with the Python library C(jmespath).
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.sync_state
requirements:
  - psycopg2 or psycopg for tables and slots in PostgreSQL; the docker command for the transport C(docker)
"""

EXAMPLES = r"""
- name: How late the connectors are
  oncall.runbooks.sync_state_info:
    connectors:
      app:
        source: table
        table: connector_sync_state
        columns: {watermark: synced_until}
        dead_letters:
          url: https://api.example.com/v1/connectors/errors
          list: errors
          fields: {connector: connector, error: message}
      clients:
        source: command
        look: [/srv/app/sync, status, --client, "{connector}", --json]
        names: [acme, globex]
        tests: {airtable: [/srv/app/sync, test-airtable]}
      pipelines: {source: kafka_connect, url: "http://connect.example.com:8083"}
    database: {host: 10.0.0.5, name: labpics, user: oncall, password: "{{ vault_oncall_password }}"}
    window_seconds: 5
  register: observed
"""

RETURN = r"""
available: {description: Whether at least one source could be read., returned: always, type: bool}
reason: {description: "Why none could, in one line.", returned: when available is false, type: str}
complete: {description: "Whether all was seen, of every source, that it can tell, and what is beside it.", returned: always, type: bool}
unknown: {description: Names of the sources that could not be read., returned: always, type: list, elements: str}
limits:
  description: "What was not read and why, besides RV(reason), each with the name of its source."
  returned: always
  type: list
  elements: str
sources:
  description: Each entry of O(connectors) by its name.
  returned: always
  type: dict
  contains:
    source: {description: What tells of the connectors., type: str}
    available: {description: Whether it could be read., type: bool}
    reason: {description: "Why it could not, in one line.", type: str, returned: when available is false}
    error:
      description: >-
        What kept it from being read, as M(oncall.runbooks.api_info) or M(oncall.runbooks.postgres_activity_info) tell it, or C(no_column).
      type: str
      returned: when available is false
    complete: {description: Whether all was read that it can tell of its connectors., type: bool}
    limits: {description: "What of that was not read, and why.", type: list, elements: str}
    clock_ahead_seconds:
      description: By how much the clock of the source is ahead of that of the host, below 0 where it is behind. Null where it does not tell.
      type: float
    tests:
      description: >-
        Each upstream that was tested, with C(ok); where it is not, C(error_class) and C(said), a line. C(available) is false where the
        test could not be run.
      type: dict
      returned: where there are tests
    log:
      description: >-
        The log, with C(path), C(lines) (that were read), C(groups) of errors (C(count), C(line), C(last)) and C(classes) (C(error_class),
        C(count), C(last)). C(available) is false where it could not be read.
      type: dict
      returned: where there is a log
    dead_letters:
      description: >-
        How many there are (C(total)), and what is wrong with them (C(errors), each with C(text), C(count) and C(names)), and how many of
        them belong to none of the connectors, as far as they were read (C(unassigned)). C(available) is false where they could not be read.
      type: dict
      returned: where the inventory says where they are
    connectors:
      description: Each connector. What is not known of it is absent.
      type: list
      elements: dict
      contains:
        name: {description: "Its name, on one line and without secrets.", type: str}
        plain_name: {description: "Whether it can be acted on by that name, which is plain and no other has.", type: bool}
        status: {description: Its status in the word of the source., type: str}
        state: {description: "What that means: C(ok), C(running), C(retrying), C(failed) or C(paused).", type: str}
        lag_seconds: {description: How far behind its data are., type: float}
        lag_of:
          description: What that is the age of, C(watermark), or C(last_success_at) where the source keeps no watermark.
          type: str
        lag_bytes: {description: How much is written that was not read., type: int, returned: with replication_slot}
        watermark_at_seconds: {description: "Up to when its data are there, in seconds since 1970.", type: float}
        position: {description: "Up to where its data are there, where that is no time.", type: float}
        moved: {description: "By how much that has moved between two looks, in seconds of data or in what the position counts.", type: float}
        moved_in_seconds: {description: The time between these looks., type: float}
        left_waiting:
          description: Whether it ran between them though records waited before, as far as the source tells when it ran last.
          type: bool
        last_success_at_seconds: {description: "When it ended well, in seconds since 1970.", type: float}
        last_success_age_seconds: {description: How long that is ago., type: float}
        last_run_age_seconds: {description: How long ago it last ran., type: float}
        run_seconds: {description: How long the run takes so far., type: float}
        retry_count: {description: How often it has been tried again., type: int}
        max_retries: {description: How often it will be., type: int}
        next_attempt_seconds: {description: "In how many seconds it is tried again, below 0 where that time is over.", type: float}
        retry_after_seconds: {description: How long its provider asked to wait., type: float}
        error_class: {description: "The class of its last error, as in O(error_classes).", type: str}
        error: {description: "That error, one line in which secrets, addresses, ids, quoted texts and numbers are replaced.", type: str}
        record: {description: The record that fails., type: str}
        record_failures: {description: How often that one has failed., type: int}
        pending: {description: How many records wait at the other side., type: int}
        pending_age_seconds: {description: How long the oldest of them has waited., type: float}
        dead_letters: {description: How many records were set aside., type: int}
        credential_left_seconds: {description: "How long its credential is good, below 0 where it has expired.", type: float}
        tasks: {description: How many tasks it has., type: int, returned: with kafka_connect}
        failed_tasks: {description: The ids of those that failed., type: list, elements: int, returned: with kafka_connect}
        slot:
          description: >-
            C(active), C(kind), C(wal_status), C(lost), and where the server tells C(invalidation_reason), C(safe_bytes) and
            C(inactive_seconds).
          type: dict
          returned: with replication_slot
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import sync_state


def main():
    """Run the module."""
    run(sync_state)


if __name__ == "__main__":
    main()
