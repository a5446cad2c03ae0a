# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of rq_jobs.py, in a module that its workers can import."""

from __future__ import annotations

import time


def welcome(n, secret=None):
    raise ValueError(f"550 no mailbox for user{n}@example.com")


def invoice(n):
    return {}["total"]


def fine(n):
    return "r3turned"


def hang(secret=None):
    time.sleep(3600)
