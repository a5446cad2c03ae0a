# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Incidents. These commands work on the database of the service, whether it runs or not, or on a folder where there is no service."""

from __future__ import annotations

# Each of them adds its commands to the group.
from . import acts, looks, proof, review
from .options import incident

__all__ = ["acts", "incident", "looks", "proof", "review"]
