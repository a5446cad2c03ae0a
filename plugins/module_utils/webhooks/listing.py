# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The events of a provider, the oldest first, though its lists begin with the newest. Pure but for what it is given to ask with."""

from __future__ import annotations

PAGE = 100


class Cut(Exception):
    """As many pages as may be were read."""


class _Pages:
    """Pages of one list, as many as may be asked for."""

    def __init__(self, ask, filters, most):
        self._ask, self._filters, self._left = ask, [*filters, ("limit", str(PAGE))], most

    def page(self, *more):
        if self._left < 1:
            raise Cut
        self._left -= 1
        return self._ask([*self._filters, *more])


def oldest_first(ask, since, until, filters, most_pages):
    """Yield pages of events, the oldest first, until all are read or as many pages as may be.

    The list begins with the newest, and can only be read on from an event. So where there is more than a page, one with the oldest is
    looked for by halving the time, and from its newest event on each next page is asked for (``ending_before``).

    Args:
        ask: a function: pairs of a query -> a page (``data``, ``has_more``), the newest first.
        since, until: seconds since 1970; events of both moments are in it.
        filters: pairs of a query that all questions have.
        most_pages: how often to ask, the search included.

    Yields:
        A list of documents, the oldest first.

    Raises:
        Cut: after what was yielded.
    """
    pages = _Pages(ask, [*filters, ("created[gte]", str(since))], most_pages)
    upto = ("created[lte]", str(until))
    found = pages.page(upto)
    if not found["has_more"]:
        yield found["data"][::-1]
        return
    oldest = _oldest(pages, since, until)
    yield oldest
    newest = oldest[-1]
    while True:
        found = pages.page(upto, ("ending_before", newest["id"]))
        if not found["data"]:
            return
        yield found["data"][::-1]
        newest = found["data"][0]
        if not found["has_more"]:
            return


def _oldest(pages, since, until):
    """Some of the oldest events, in order."""
    # Nothing is at or before low, and more than a page is at or before high.
    low, high = since - 1, until
    while high - low > 1:
        middle = (low + high) // 2
        found = pages.page(("created[lte]", str(middle)))
        if found["has_more"]:
            high = middle
        elif found["data"]:
            return found["data"][::-1]
        else:
            low = middle
    return _whole(pages, ("created[lte]", str(high)))


def _whole(pages, upto):
    """More than a page in one second, in order."""
    found = pages.page(upto)
    data = list(found["data"])
    while found["has_more"] and found["data"]:
        found = pages.page(upto, ("starting_after", data[-1]["id"]))
        data += found["data"]
    return data[::-1]
