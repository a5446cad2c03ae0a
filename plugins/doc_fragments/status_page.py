# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of everything that reads status pages."""

from __future__ import annotations

OPTIONS = r"""
  pages:
    description:
      - The status pages, by name, as C(system_status_pages) of the role system says them. A dictionary with the keys C(url), C(kind)
        and C(component) and, where wanted, the following ones.
      - C(kind), C(statuspage) (Atlassian), C(better_stack), C(instatus), or C(jmespath) for any other that answers JSON. C(url) is the
        page; of C(jmespath), and where it ends with C(.json), the document.
      - C(component), the id of the component that matters, its name, or C(GROUP / NAME) where several have this name.
      - C(max_age_seconds), from when on a page is stale and its status unknown. Without it, 90 days of C(statuspage), which says
        when anything on it changed last, 3 days of C(better_stack), which writes every day, and 7 days of C(jmespath) where it
        has C(updated_at). C(instatus) does not say.
      - C(status), C(incidents) and C(updated_at), of C(jmespath), the expressions that find the word for the status, the list of
        open incidents (texts, or objects with C(name), C(status), C(impact), C(url) and C(started_at)), and when the page was
        written. C(words), a dictionary from the page's words to C(operational), C(degraded), C(partial_outage),
        C(major_outage) and C(maintenance), where they are others.
      - C(headers), C(auth) and C(timeout_seconds), as M(oncall.runbooks.api_info) takes them.
    type: dict
    required: true
  timeout_seconds:
    description: Time in seconds for all of it. All are asked at once.
    type: float
    default: 10
"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
