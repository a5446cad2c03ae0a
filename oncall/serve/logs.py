# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log: a JSON object to a line, in which nothing reaches a terminal that it would act on."""

from __future__ import annotations

import json
import logging
import sys
import time

MOST = 4000


class JsonLines(logging.Formatter):
    """``at`` (RFC 3339, UTC), ``level``, ``logger``, ``message`` and, of an error, ``error``."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        told = {
            "at": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:MOST],
        }
        if record.exc_info and record.exc_info[1] is not None:
            told["error"] = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}"[:MOST]
        # ASCII only: escapes, and what turns text around, are written out.
        return json.dumps(told, ensure_ascii=True).replace("\x7f", "\\u007f")


def set_up() -> None:
    """Everything that is logged goes to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("oncall").setLevel(logging.INFO)
