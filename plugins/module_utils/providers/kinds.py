# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of provider by its name. A new one is a file beside this one, and a line in each of the two places here.

A file has

- ``KEYS``: what the inventory has to say of such a provider; ``MORE_KEYS``: what it may say;
- ``SECRETS``: which of these no answer may show;
- ``IS_MAIL``: whether it sends mail, so that the records of the sender's domain matter;
- ``NOT_TOLD``: what this kind cannot be asked, in words;
- ``calls(provider, now)`` and ``read(provider, answers)``: the requests of one check, and what their answers say, as :mod:`answers` makes it;
- ``more_calls(provider, now)`` and ``read_more(answers)``, where there is more to know that no check needs;
- or ``check(provider, seconds)`` instead of all of these, where it does not speak HTTP.
"""

from __future__ import annotations

KINDS = ("mailgun", "postmark", "sendgrid", "ses", "slack", "smtp", "twilio")


def kind(name):
    """The file of a kind, loaded only when it is needed."""
    # Written out, so that the module's zip holds them.
    if name == "mailgun":
        from . import mailgun as module
    elif name == "postmark":
        from . import postmark as module
    elif name == "sendgrid":
        from . import sendgrid as module
    elif name == "ses":
        from . import ses as module
    elif name == "slack":
        from . import slack as module
    elif name == "smtp":
        from . import smtp as module
    else:
        from . import twilio as module
    return module
