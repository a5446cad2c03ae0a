# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's own programs have in common when supervisord starts them."""

from __future__ import annotations

import argparse
import logging


def home_from_argv() -> str:
    """The state folder of ``--home``; sets up the log on the way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", required=True)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # Every failed attempt of a pool to grow would be a line.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    return parser.parse_args().home
