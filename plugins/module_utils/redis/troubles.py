# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers, redis-py, redis-cli and docker say where Redis cannot be asked, and what to do about it."""

from __future__ import annotations

from ..text.first_match import first_match

# The server's own words begin with a code in capitals.
_KINDS = (
    ("loading", r"\bLOADING\b|loading the dataset"),
    ("misconf", r"\bMISCONF\b"),
    ("out_of_memory", r"command not allowed when used memory"),
    ("read_only", r"\bREADONLY\b|against a read only replica"),
    ("no_replicas", r"\bNOREPLICAS\b"),
    ("busy", r"\bBUSY Redis is busy|busy running a script"),
    ("primary_down", r"\bMASTERDOWN\b|link with master is down"),
    ("too_many_clients", r"max(imum)? number of clients reached|too many connections"),
    ("not_allowed", r"\bNOPERM\b|no permissions"),
    (
        "credentials",
        r"\bNOAUTH\b|\bWRONGPASS\b|\bDENIED\b|invalid (username-)?password|authentication required|without any password",
    ),
    (
        "no_engine",
        r"docker daemon|docker cannot be run|no such container|is (not running|paused|restarting)|redis-cli\W.*not found",
    ),
    ("timeout", r"timed out|timeout|no complete answer within|was killed: it had not ended"),
    ("refused", r"connection refused|errno 2\b|no such file or directory|no route to host"),
    ("closed", r"connection (closed|reset)|broken pipe|eof"),
    ("name_resolution", r"name or service not known|name resolution|errno -[235]\b|nodename nor servname"),
    ("protocol", r"protocol error|invalid response|bad response|unexpected type|unknown response"),
)

ADVICE = {
    "loading": "it reads its data and answers when it is done",
    "misconf": "it cannot save its data to disk and refuses writes: see its log",
    "out_of_memory": "it is full and refuses writes",
    "read_only": "it is a replica and refuses writes",
    "no_replicas": "it has fewer replicas than min-replicas-to-write wants and refuses writes",
    "clients_paused": "its clients are paused (CLIENT PAUSE): find out by whom, and do not restart it for this",
    "busy": "a script keeps it busy",
    "cluster_down": "some slots of its cluster are served by nobody: see CLUSTER NODES",
    "primary_down": "it is a replica that lost its primary",
    "too_many_clients": "every connection it allows is taken",
    "not_allowed": "give the user +ping and +info; for queues, what ansible-doc oncall.runbooks.queue_info says",
    "credentials": "check system_redis.username and .password",
    "no_engine": "check the Docker engine and system_redis.container",
    "timeout": "it is there but does not answer in time",
    "refused": "nothing listens there: is it running (runbook cache)?",
    "closed": "it takes connections and closes them: check system_redis, and what stands before it",
    "name_resolution": "check system_redis.host",
    "protocol": "what answers there is not Redis: check system_redis",
    "no_driver": "install redis (redis-py) for that Python, or use transport docker",
    "other": "see the message",
}


def kind_of(message):
    """The kind of trouble that a message reports: a key of :data:`ADVICE`."""
    return first_match(_KINDS, message) or "other"
