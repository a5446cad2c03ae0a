# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API of a payment provider, asked within one deadline. It speaks what Stripe documents."""

from __future__ import annotations

import json
import time

from ..deadline import DeadlineExceeded
from ..net.bounded_http import FetchError, fetch, retry_after_seconds
from .events import is_event_id
from .hidden import shown, shown_url

# A hundred events with what they are about have some 500 KB.
_MAX_BYTES = 8 * 1024 * 1024
# Before it is asked again where it does not say when.
_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0)
_EXCERPT_CHARACTERS = 120
NEEDED = "a restricted key with read access to Events and to Webhook Endpoints"


class ProviderError(Exception):
    """The provider could not be asked, or its answer cannot be used; one line.

    Attributes:
        kind: that of :class:`net.bounded_http.FetchError`, ``credentials``, ``not_allowed``, ``rate_limited``, ``server_error``,
            ``not_found``, ``bad_status`` or ``protocol``.
    """

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


class Provider:
    """An API that is asked.

    Args:
        webhook: as :data:`spec.WEBHOOK` says.
        deadline: for everything that is asked.

    Attributes:
        clock_offset_seconds: how far its clock is before that of this machine, after its first answer; None where it does not say.
        waited_seconds: how long it made us wait, because too much was asked.
        questions: how many it was asked.
    """

    def __init__(self, webhook, deadline):
        self._url = webhook["provider_url"].rstrip("/")
        self._key, self._write_key = webhook["api_key"], webhook.get("write_key")
        self._webhook = webhook
        self._deadline = deadline
        self.clock_offset_seconds = None
        self.waited_seconds = 0.0
        self.questions = 0

    def endpoints(self):
        """Its endpoints, as dictionaries ``id``, ``url``, ``enabled``, ``livemode`` and ``enabled_events``.

        Raises:
            ProviderError: no usable answer, or more endpoints than are read.
        """
        # It lets nobody have more than some tens of them.
        document = self.listed("/v1/webhook_endpoints", [("limit", "100")])
        if document["has_more"]:
            raise self._error("/v1/webhook_endpoints", "protocol", "has more than 100 endpoints, which are not read")
        return [_endpoint(one) for one in document["data"]]

    def event(self, event_id):
        """One event as it is, as a dictionary.

        Raises:
            ProviderError: no usable answer; ``not_found`` where it is not kept any more.
        """
        if not is_event_id(event_id):
            raise ValueError(f"{event_id!r} is no id of an event")
        document = self._ask(f"/v1/events/{event_id}", [])
        if not isinstance(document, dict) or document.get("id") != event_id:
            raise self._error(f"/v1/events/{event_id}", "protocol", "gives another event")
        return document

    def listed(self, path, query):
        """A page: ``data``, a list, and ``has_more``.

        Args:
            path: of the list.
            query: pairs.
        """
        document = self._ask(path, query)
        data = document.get("data") if isinstance(document, dict) else None
        is_list = isinstance(data, list) and all(
            isinstance(one, dict) and isinstance(one.get("id"), str) for one in data
        )
        if not is_list or not isinstance(document.get("has_more"), bool):
            raise self._error(path, "protocol", "answers 200 with what is no list of it; is it another API?")
        return document

    def set_endpoint(self, endpoint_id, is_disabled):
        """Enable or disable an endpoint, with the key that may write.

        Raises:
            ProviderError: it was not done, as far as is known.
        """
        from urllib.parse import quote, urlencode

        path = f"/v1/webhook_endpoints/{quote(endpoint_id, safe='')}"
        body = urlencode({"disabled": "true" if is_disabled else "false"}).encode()
        document = self._ask(path, [], body, self._write_key)
        if not isinstance(document, dict) or document.get("status") != ("disabled" if is_disabled else "enabled"):
            raise self._error(path, "protocol", "did not do it, as its answer says")

    def _ask(self, path, query, body=None, key=None):
        """A document; a question that was one too many is asked again within the deadline."""
        for pause_seconds in (*_PAUSES_SECONDS, None):
            try:
                status, headers, content = self._fetched(path, query, body, key or self._key)
            except FetchError as error:
                raise ProviderError(error.kind, shown(self._webhook, str(error))) from None
            if status != 429:
                return self._document(path, status, content)
            wanted = retry_after_seconds(headers)
            self._wait(path, pause_seconds if wanted is None else wanted)
        raise self._error(path, "rate_limited", "answers 429 again and again: something else asks too much of it")

    def _fetched(self, path, query, body, key):
        from urllib.parse import urlencode

        url = self._url + path + (f"?{urlencode(query)}" if query else "")
        headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        began = time.time()
        status, answered, content = fetch(
            url, self._deadline.remaining_seconds(), _MAX_BYTES, headers=headers, body=body, redirects=False
        )
        self.questions += 1
        offset = clock_offset_seconds(answered.get("date", ""), began, time.time())
        self.clock_offset_seconds = offset if offset is not None else self.clock_offset_seconds
        return status, answered, content

    def _wait(self, path, seconds):
        # Where the time is up before it may be asked again, it is not asked again.
        try:
            left = self._deadline.remaining_seconds()
        except DeadlineExceeded:
            left = 0.0
        if seconds is None or seconds >= left:
            after = (
                ""
                if seconds is None
                else f" and wants to be left alone for {seconds:g} s, which is longer than is left"
            )
            raise self._error(path, "rate_limited", f"answers 429{after}; try again later, or ask for fewer pages")
        time.sleep(seconds)
        self.waited_seconds += seconds

    def _document(self, path, status, content):
        if status == 401:
            raise self._error(path, "credentials", f"answers 401: the key is refused; it needs {NEEDED}")
        if status == 403:
            raise self._error(path, "not_allowed", f"answers 403: the key may not read it; it needs {NEEDED}")
        if status != 200:
            kind = "server_error" if status >= 500 else "not_found" if status == 404 else "bad_status"
            excerpt = shown(self._webhook, content[:2000].decode("utf-8", "replace"), _EXCERPT_CHARACTERS)
            raise self._error(path, kind, f"answers {status}, expected was 200" + (f": {excerpt}" if excerpt else ""))
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise self._error(path, "protocol", "answers 200 with what is no JSON; is it a login page?") from None

    def _error(self, path, kind, message):
        return ProviderError(kind, f"{shown_url(self._webhook, self._url + path)} {message}")


def _endpoint(given):
    events = given.get("enabled_events")
    return {
        "id": given["id"],
        "url": str(given.get("url") or ""),
        "enabled": {"enabled": True, "disabled": False}.get(given.get("status")),
        "livemode": given.get("livemode") if isinstance(given.get("livemode"), bool) else None,
        "enabled_events": [str(one) for one in events] if isinstance(events, list) else None,
    }


def clock_offset_seconds(date, began, ended):
    """How far another clock is before ours, from the header Date of an answer, which has whole seconds; None where it has none.

    Args:
        date: the header.
        began, ended: when it was asked and when it had answered, in seconds since 1970, by our clock.
    """
    from email.utils import parsedate_to_datetime

    try:
        theirs = parsedate_to_datetime(date).timestamp() + 0.5
    except (IndexError, OverflowError, TypeError, ValueError):
        return None
    return round(theirs - (began + ended) / 2, 1)
