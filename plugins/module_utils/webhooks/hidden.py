# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a webhook nobody may read. Pure."""

from __future__ import annotations

from ..net.bounded_http import public_url
from ..net.documents import secrets_of
from ..text.masking import masked
from ..text.one_line import without_secrets


def hidden(webhook):
    """The texts of a webhook that no answer may show.

    Args:
        webhook: as :data:`spec.WEBHOOK` says, or a part of it.
    """
    own = [webhook.get("api_key"), webhook.get("write_key"), *webhook.get("secrets", ())]
    return [text for text in own if text] + [
        text for name in ("url", "provider_url") if webhook.get(name) for text in secrets_of(webhook[name])
    ]


def shown(webhook, text, limit=300):
    """A text from outside, fit to be shown: on one line, without secrets."""
    return masked(without_secrets(text, *hidden(webhook)), limit)


def shown_url(webhook, url):
    """A URL fit to be shown."""
    return without_secrets(public_url(url), *hidden(webhook))
