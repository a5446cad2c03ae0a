# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The post-mortem of an incident: worked out from its timeline, and nothing in it that is not in the timeline.

from oncall.incidents import postmortem

found = postmortem.of(document, postmortem.Template.of(incident_review))
found.to_dict(), postmortem.markdown(found), postmortem.html(found)
"""

from __future__ import annotations

from .document import PostMortem
from .gather import of
from .html import html
from .markdown import markdown
from .template import Template

__all__ = ["PostMortem", "Template", "html", "markdown", "of"]
