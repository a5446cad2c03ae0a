# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the runbooks are right: real stacks with a known truth, every runbook asked, and each answer judged.

``verdicts`` judges one answer, ``scenes`` says what is tried, ``stacks`` runs it, ``report`` counts and writes.
"""
