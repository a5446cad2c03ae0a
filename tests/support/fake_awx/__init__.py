# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of AWX's REST API v2 as the collection awx.awx and ``oncall serve`` use, over real HTTP.

It answers as AWX 24.6.1 does where something is wrong: 401 without the token, 403 without the role, 404 for what is not there,
405 for what cannot be done, 400 for a field that has to be given, for a filter or a playbook that is not known, for a survey
that AWX would not take, or a launch that its survey or its project refuses. A launch takes only what the template asks for,
and names the rest in ``ignored_fields``.
"""
