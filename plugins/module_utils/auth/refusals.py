# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who was let in and who was not: requests counted by route, by client and by minute. Pure."""

from __future__ import annotations

from collections import Counter

UNAUTHORIZED, FORBIDDEN = 401, 403
_MOST_ROUTES, _MOST_CLIENTS = 20, 5
# Of more clients nobody needs the exact number, and each costs memory.
_CLIENTS_COUNTED = 100_000
# So much may a clock be ahead.
_AHEAD_SECONDS = 120.0


class Tally:
    """Counts requests of one window.

    Args:
        now_seconds: since 1970.
        window_seconds: what is older does not count.
        login_route: as :func:`request_lines.route_of` gives it; empty where there is none.
    """

    def __init__(self, now_seconds, window_seconds, login_route=""):
        self._now, self._window, self._login = now_seconds, window_seconds, login_route
        self._routes, self._clients, self._minutes = {}, {}, {}
        self.requests = self.dated = self.older = self.ahead = 0
        self._unclear = 0

    def add(self, request):
        """Count one, if it is of this window."""
        if request.at_seconds is not None:
            age = self._now - request.at_seconds
            if age > self._window:
                self.older += 1
                return
            if age < -_AHEAD_SECONDS:
                self.ahead += 1
                return
            self.dated += 1
            minute = max(0, int(age // 60))
        else:
            minute = None
        self.requests += 1
        kind = _kind(request.status)
        route = self._routes.setdefault(request.route, _Route())
        route.counts[kind] += 1
        if request.client is None:
            self._unclear += 1
        elif request.client in self._clients or len(self._clients) < _CLIENTS_COUNTED:
            self._clients.setdefault(request.client, Counter())[(request.route, kind)] += 1
        if minute is not None:
            self._minutes.setdefault(minute, Counter())[(request.route, kind)] += 1

    def told(self):
        """What was counted.

        Returns:
            See ``requests`` in the module ``auth_info``.
        """
        # Routes that refused somebody are guarded, and the login itself is told apart: a wrong password there is the user's own.
        guarded = {
            name for name, one in self._routes.items() if one.counts["401"] + one.counts["403"] and name != self._login
        }
        refused_by = {name: Counter() for name in guarded}
        let_in_by = {name: set() for name in guarded}
        by_client = []
        for client, counts in self._clients.items():
            refused = let_in = 0
            for (route, kind), count in counts.items():
                if route not in guarded:
                    continue
                if kind in ("401", "403"):
                    refused += count
                    refused_by[route][client] += count
                elif kind == "in":
                    let_in += count
                    let_in_by[route].add(client)
            if refused or let_in:
                by_client.append((client, refused, let_in))
        total = Counter()
        for name in guarded:
            total.update(self._routes[name].counts)
        by_client.sort(key=lambda one: -one[1])
        routes = sorted(guarded, key=lambda name: -self._routes[name].refused())
        login = self._routes[self._login].counts if self._login in self._routes else Counter()
        answered = {
            client
            for client, counts in self._clients.items()
            if any(kind == "in" and route != self._login for route, kind in counts)
        }
        logged_in = {
            client
            for client, counts in self._clients.items()
            if self._login and any(route == self._login and kind == "in" for route, kind in counts)
        }
        return {
            "requests": self.requests,
            "dated": self.dated,
            "answered": sum(one.counts["in"] for one in self._routes.values()),
            "unauthorized": total["401"],
            "forbidden": total["403"],
            "let_in": total["in"],
            "clients_told": self.requests > 0 and self._unclear == 0,
            "clients": len(self._clients),
            "clients_refused": sum(1 for _client, refused, _in in by_client if refused),
            "clients_only_refused": sum(1 for _client, refused, let_in in by_client if refused and not let_in),
            "clients_let_in": sum(1 for _client, _refused, let_in in by_client if let_in),
            "clients_answered": len(answered),
            "top_clients": [
                {"client": client, "refused": refused, "let_in": let_in, "answered": client in answered}
                for client, refused, let_in in by_client[:_MOST_CLIENTS]
                if refused
            ],
            "routes": [
                {
                    "route": name,
                    "unauthorized": self._routes[name].counts["401"],
                    "forbidden": self._routes[name].counts["403"],
                    "let_in": self._routes[name].counts["in"],
                    "clients_refused": len(refused_by[name]),
                    "clients_let_in": len(let_in_by[name]),
                    "clients_in_elsewhere": self._in_elsewhere(name, refused_by[name]),
                }
                for name in routes[:_MOST_ROUTES]
            ],
            "routes_total": len(routes),
            "logins": {
                "let_in": login["in"],
                "refused": login["401"] + login["403"] + login["other"],
                "locked": login["locked"],
                "failed": login["failed"],
                "clients_let_in": len(logged_in),
                "clients_refused": sum(
                    1
                    for counts in self._clients.values()
                    if self._login
                    and any(route == self._login and kind in ("401", "403", "other") for route, kind in counts)
                ),
            },
            "minutes": [
                {
                    "minutes_ago": minute,
                    "refused": sum(
                        n for (name, kind), n in counts.items() if name in guarded and kind in ("401", "403")
                    ),
                    "let_in": sum(n for (name, kind), n in counts.items() if name in guarded and kind == "in"),
                }
                for minute, counts in sorted(self._minutes.items())
            ],
        }

    def _in_elsewhere(self, route, clients):
        """How many of these clients got an answer of another route, but for the login."""
        return sum(
            1
            for client in clients
            if any(kind == "in" and other not in (route, self._login) for other, kind in self._clients[client])
        )


class _Route:
    def __init__(self):
        self.counts = Counter()

    def refused(self):
        return self.counts["401"] + self.counts["403"]


def _kind(status):
    if status in (UNAUTHORIZED, FORBIDDEN):
        return str(status)
    if status in (423, 429):
        return "locked"
    if status >= 500:
        return "failed"
    # What is not modified, or leads on, was let in; what is wrong with a request says nothing.
    return "in" if status < 400 else "other"
