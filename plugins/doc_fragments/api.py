# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of everything that reads HTTP APIs of applications."""

from __future__ import annotations

OPTIONS = r"""
  apis:
    description:
      - The APIs, by name, as C(system_apis) of the role system says them. A dictionary with the keys C(url) and C(fields) and, where
        wanted, the following ones.
      - C(fields), a dictionary from the name of a field to the JMESPath expression that finds it in each thing, or in the document
        where there is no C(list).
      - C(list), the JMESPath expression that finds the list of things in the document. Where it finds an object, each of its
        entries is a thing with C(key) and C(value).
      - C(types), a dictionary from the name of a field to C(float), C(int), C(str), C(bool) or C(time). A time is written in
        seconds or milliseconds since 1970 or in ISO 8601 with a zone, and becomes seconds; 0 and the year 1 are no time.
        Without a type a field is what the document has.
      - C(method), C(GET) or C(POST). C(body), for C(POST), a text, or data that is sent as JSON.
      - C(headers), a dictionary of request headers. C(auth), a dictionary with one of the keys C(bearer) (a token), C(basic) (a
        dictionary of C(user) and C(password)) and C(cookie) (the text of the header). None of these is ever returned, nor what is
        equal to one of them in the answer of a server.
      - C(status), a list of the status codes that are right. Without it, those from 200 to 299.
      - C(timeout_seconds), where this one has less time than all.
    type: dict
    required: true
  timeout_seconds:
    description: Time in seconds for all of it. All are asked at once.
    type: float
    default: 10
"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
