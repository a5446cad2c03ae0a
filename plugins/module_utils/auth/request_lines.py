# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests in the log of a server, in the shapes in which servers and frameworks write them. Pure."""

from __future__ import annotations

import json
import re
from collections import namedtuple
from datetime import datetime, timezone

from ..queues.answer import epoch_of, has_no_zone, moment_of
from ..text.masking import masked
from ..text.one_line import one_line, without_sequences

# ``at_seconds`` is None where the line has no time with a zone, ``client`` where it names none.
Request = namedtuple("Request", "at_seconds method route status client")

_LINE_CHARACTERS = 4000
_ROUTE_CHARACTERS = 120
_METHOD = r"(?P<method>GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)"
_SHAPES = (
    # nginx, Apache, Caddy, Gunicorn, Traefik: the common and the combined log, whatever stands before it in the line
    re.compile(
        r"(?P<client>[0-9A-Za-z.:%_-]{1,60}) \S{1,200} \S{1,200} \[(?P<clf>\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] \""
        + _METHOD
        + r" (?P<path>\S+)[^\"]{0,20}\" (?P<status>\d{3})\b"
    ),
    # Uvicorn, Hypercorn
    re.compile(
        r"(?:(?P<client>[0-9a-fA-F.:]{2,60}?)(?::\d{1,5})? - )?\""
        + _METHOD
        + r" (?P<path>\S+) HTTP/[\d.]+\" (?P<status>\d{3})\b"
    ),
    # Gin
    re.compile(
        r"\| {0,8}(?P<status>\d{3}) {0,8}\|[^|]{1,40}\| {0,30}(?P<client>[0-9a-fA-F.:]{2,60}) {0,8}\| {0,8}"
        + _METHOD
        + r" {0,8}\"?(?P<path>[^\"\s]+)"
    ),
    # morgan and what reads like it: the method, the path and the status, one after the other
    re.compile(r"(?<![\w/])" + _METHOD + r" (?P<path>/\S*) (?:HTTP/[\d.]+ )?(?:- |-> |=> )?(?P<status>\d{3})(?![\w.])"),
)
_FIELD = re.compile(
    r"(?<![\w.])(method|path|url|uri|route|status|status_code|client|ip|remote|remote_ip|remote_addr|time|ts)=(?:\"([^\"]*)\"|(\S+))"
)
_METHODS = ("method", "verb", "requestMethod", "http_method", "request_method", "RequestMethod")
_PATHS = ("route", "path", "url", "uri", "requestUri", "request_uri", "RequestPath", "http_path")
_STATUSES = (
    "status",
    "statusCode",
    "status_code",
    "StatusCode",
    "http_status",
    "responseStatusCode",
    "DownstreamStatus",
    "response_code",
)
_CLIENTS = (
    "client_ip",
    "clientIp",
    "remote_ip",
    "remoteIp",
    "remote_addr",
    "remoteAddress",
    "client",
    "ip",
    "remote",
    "ClientIp",
    "ClientHost",
)
_TIMES = (
    "@timestamp",
    "timestamp",
    "time",
    "ts",
    "@t",
    "Timestamp",
    "date",
    "time_iso8601",
    "time_local",
    "msec",
    "start_time",
    "StartUTC",
)
# Times that are no ISO 8601 with a zone, as Python, Go, nginx for its errors, and JSON of pino and zap begin a line with them.
_NO_ZONE = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)")
_NUMBER = re.compile(r"\"(?:time|ts|timestamp|@timestamp|msec)\": ?\"?(\d{10}(?:\.\d{1,9})?|\d{13})\b")
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})? ?(?:Z|[+-]\d\d:?\d\d)")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CLF = re.compile(r"(\d\d)/(\w{3})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d\d)(\d\d)")
# A part of a path that stands for one thing of many, or that may be a secret: a link to log in has one.
_ONE_OF_MANY = re.compile(r"\d+|[0-9a-fA-F-]{8,}|(?=[^/]*\d)[^/]{12,}|[^/]{33,}|[^/]*[@=][^/]*")
_PORT = re.compile(r"(?<=[\d\]]):\d{1,5}\Z")


class Reader:
    """Reads lines; remembers what it has worked out, since many lines have the same time and path."""

    def __init__(self):
        self._times, self._routes = {}, {}

    def request(self, line):
        """The request that a line tells of, or None."""
        line = without_sequences(line[:_LINE_CHARACTERS])
        brace = line.find("{")
        if brace >= 0:
            found = self._of_json(line[brace:])
            if found:
                return found
        for shape in _SHAPES:
            match = shape.search(line)
            if match:
                parts = match.groupdict()
                at = self._time_of_clf(parts["clf"]) if parts.get("clf") else self._time_in(line)
                return self._made(at, parts["method"], parts["path"], parts["status"], parts.get("client"))
        return self._of_fields(line) if "status" in line and "=" in line else None

    def at_seconds(self, line):
        """The time that a line begins with, or None. One without a zone is in UTC or that of this host, whichever is later."""
        begin = line[:200]
        at = self._time_in(begin)
        if at is not None:
            return at
        found = _CLF.search(begin)
        if found:
            return self._time_of_clf(found.group(0))
        found = _NUMBER.search(begin)
        if found:
            return moment_of(found.group(1))
        found = _NO_ZONE.search(begin)
        return _latest(*found.groups()) if found else None

    def _of_json(self, text):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, dict):
            return None
        # pino-http and others put these into objects of their own.
        rows = [
            found,
            *(found[key] for key in ("req", "request", "res", "response", "http") if isinstance(found.get(key), dict)),
        ]
        method, path, status, client = (_first(rows, names) for names in (_METHODS, _PATHS, _STATUSES, _CLIENTS))
        if path is None and isinstance(found.get("request"), str):
            # nginx has the line of the request in one.
            line = found["request"].split(" ")
            method, path = (line[0], line[1]) if len(line) > 1 else (method, None)
        if path is None or status is None:
            return None
        given = _first(rows[:1], _TIMES)
        at = None if given is None or has_no_zone(given) else self._time_of_clf(given) or moment_of(given)
        return self._made(at, method or "", path, status, client)

    def _of_fields(self, line):
        fields = {name: quoted or bare for name, quoted, bare in _FIELD.findall(line)}
        path = next((fields[name] for name in ("route", "path", "url", "uri") if name in fields), None)
        status = fields.get("status_code", fields.get("status"))
        if path is None or status is None:
            return None
        client = next(
            (fields[name] for name in ("remote_addr", "remote_ip", "remote", "client", "ip") if name in fields), None
        )
        return self._made(self._time_in(line), fields.get("method", ""), path, status, client)

    def _made(self, at_seconds, method, path, status, client):
        if not str(status).isdigit() or not 100 <= int(status) <= 599:
            return None
        shown = one_line(_PORT.sub("", str(client)), 60) if client not in (None, "", "-") else None
        return Request(at_seconds, one_line(method, 10).upper(), self._route(str(path)), int(status), shown)

    def _route(self, path):
        route = self._routes.get(path)
        if route is None:
            route = route_of(path)
            if len(self._routes) < 10_000:
                self._routes[path] = route
        return route

    def _time_of_clf(self, text):
        if not isinstance(text, str) or not _CLF.match(text):
            return None
        if text not in self._times:
            self._remember(text, _clf_seconds(text))
        return self._times[text]

    def _time_in(self, line):
        match = _ISO.search(line, 0, 200)
        if not match:
            return None
        text = match.group(0)
        if text not in self._times:
            self._remember(
                text, epoch_of(text.replace(",", ".").replace(" +", "+").replace(" -", "-").replace(" Z", "Z"))
            )
        return self._times[text]

    def _remember(self, text, seconds):
        if len(self._times) > 10_000:
            self._times.clear()
        self._times[text] = seconds


def _first(rows, names):
    return next((row[name] for name in names for row in rows if isinstance(row.get(name), (str, int, float))), None)


def _clf_seconds(text):
    match = _CLF.match(text)
    if not match or match.group(2) not in _MONTHS:
        return None
    day, month, year, hour, minute, second, zone_hour, zone_minute = match.groups()
    iso = f"{year}-{_MONTHS.index(month) + 1:02}-{day}T{hour}:{minute}:{second}{zone_hour}:{zone_minute}"
    try:
        return datetime.strptime(iso, "%Y-%m-%dT%H:%M:%S%z").timestamp()
    except ValueError:
        return None


def _latest(*parts):
    moment = [int(part) for part in parts]
    try:
        here, utc = datetime(*moment), datetime(*moment, tzinfo=timezone.utc)
        return max(here.timestamp(), utc.timestamp())
    except (ValueError, OverflowError, OSError):
        return None


def route_of(path):
    """The route of a path or a URL: without host and query, and with # for what stands for one thing of many."""
    from urllib.parse import urlsplit

    try:
        bare = urlsplit(path).path if "://" in path[:12] else path.partition("?")[0].partition("#")[0]
    except ValueError:
        bare = "/"
    parts = ["#" if _ONE_OF_MANY.fullmatch(part) else part for part in bare.split("/")[:12]]
    return masked("/".join(parts) or "/", _ROUTE_CHARACTERS)
