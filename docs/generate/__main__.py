# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m docs.generate [--check]``"""

from __future__ import annotations

import sys

from .write import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
