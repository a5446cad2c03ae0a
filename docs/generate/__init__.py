# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes from what a runbook says by hand all files that would only say it again.

``python -m docs.generate`` writes them; ``--check`` writes nothing, prints one line for each stale one and exits 1.
"""
