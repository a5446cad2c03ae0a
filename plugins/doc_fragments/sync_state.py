# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of what looks at connectors."""

from __future__ import annotations

from ..doc_fragments.postgres import DATABASE
from ..doc_fragments.queue import of_things

OPTIONS = (
    r"""
  connectors:
    description:
      - The connectors by name, as the variable C(system_connectors) of the inventory describes them. An entry is one source, which may
        tell of many connectors.
      - Every entry has the key C(source). C(only) lists the connectors that count, without which all do.
      - "C(table): C(table) (C(connector_sync_state)), or C(statement), a query, with C(parameters) for C(:name) in it. C(columns) says what
        the columns are called: C(name) (C(connector)), C(status), C(last_success_at), C(last_run_at), C(started_at), C(watermark) (up to
        which data are there: a time, or a number that grows), C(retry_count), C(max_retries), C(next_attempt_at), C(last_error), C(record)
        and C(record_failures) (of the record that fails), C(pending) (records that wait at the other side), C(pending_since) (when the
        oldest of them came), C(dead_letters) and C(credential_expires_at). Only these columns leave the database."
      - "C(api): C(url), C(list) and C(fields), as M(oncall.runbooks.api_info) takes them. The fields have the names above."
      - "C(command): C(look), an argument list that tells and changes nothing, and C(names), the connectors that it is run for, in the
        place of C({connector}). Exit code 0 is well. What it prints is read for its errors; a JSON object, as all of it or as its last
        line, may have the names above. At most 64 KiB of it are read, and nothing of it is executed."
      - "C(kafka_connect): C(url), and C(auth) and C(headers) as above. Its REST API tells states and no lag. It was tried
        with answers as its documentation has them, and with no broker."
      - "C(replication_slot): nothing else. The lag is in bytes, and in seconds where PostgreSQL measures them."
      - C(database), where it is another one than the one for all of them.
      - C(states), a dictionary of words of the source and of C(ok), C(running), C(retrying), C(failed) or C(paused). C(max_retries), where
        the source does not tell. C(times_in_utc), true where times without a zone are in UTC; without it they are only of a database
        whose own zone is UTC, and are not known elsewhere.
      - C(tests), argument lists by the name of an upstream, which test that it can be reached and change nothing. C(log), the path of a log
        on the host, in which C({date}) is today. C(dead_letters), an API as above with the fields C(connector) and C(error).
      - Other keys are for those who act on it.
    type: dict
    required: true
"""
    + of_things(DATABASE, "the database", "database", "connectors")
    + r"""  error_classes:
    description:
      - Regular expressions besides those that are known, by the class of error that they show. C(rate_limit), C(cursor), C(credential),
        C(constraint), C(schema), C(validation), C(dns), C(tls), C(timeout), C(connection), C(provider) and C(other).
      - These are looked for first, in letters of either case.
    type: dict
    default: {}
  window_seconds:
    description: Time between two looks, which tell whether a watermark moves. With V(0) there is one look, and that is absent.
    type: float
    default: 0
  log_lines:
    description: How many of the last lines of each log to search for errors.
    type: int
    default: 500
  timeout_seconds:
    description: The time in seconds for all of it, beside the window. Sources are asked at the same time.
    type: float
    default: 10
"""
)


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
