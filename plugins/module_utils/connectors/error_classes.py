# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of which class the error of a synchronisation is: what it says decides who can mend it. Pure."""

from __future__ import annotations

import re

from ..text.first_match import first_match
from ..text.masking import mask_lines
from ..text.one_line import without_sequences

# What is read of an error: its first lines name it, and what follows is a stack.
ERROR_CHARACTERS = 2000


def _status(codes):
    """A status of HTTP where it is one, and not the number of a record."""
    return (
        r"(?:^|\b(?:http(?:/\d(?:\.\d)?)?|status(?:[ _]?code)?|code|error|response|returned|answered|answers|failed with)"
        r"[\"']?[\s:=(]{1,4})(?:" + codes + r")\b"
    )


# The most telling first: what a provider limits it may answer with 403, and a token that is none any more with 400.
_CLASSES = (
    (
        "rate_limit",
        _status("429") + r"|too many requests|rate[ _-]?limit|quota (?:was )?exceeded|\bthrottl(?:ed|ing)\b",
    ),
    (
        "cursor",
        _status("410")
        + r"|fullSyncRequired|resyncRequired|OffsetOutOfRange"
        + r"|\b(?:sync|delta|page|resume|continuation|next)[ _-]?(?:token|cursor|link)\b.{0,40}(?:expired|invalid|not found|no longer)"
        + r"|(?:expired|invalid|unknown|stale) (?:sync|delta|resume|page) ?(?:token|cursor)|(?:invalid|expired|unknown) cursor",
    ),
    (
        "credential",
        _status("401|403")
        + r"|\bunauthori[sz]ed\b|\binvalid_(?:grant|client|token)\b|\binvalid (?:api ?key|access token|token|credentials?|refresh token)\b"
        + r"|\b(?:api ?key|access token|refresh token|token|credentials?) (?:has |have |is |are |was )?(?:expired|revoked|invalid)\b"
        + r"|\bauthentication (?:failed|required)|password authentication failed",
    ),
    # Every record meets it, and not one alone.
    ("schema", r"(?:column|relation|table) \S{1,120} does not exist|\bP20(?:21|22)\b|SQLSTATE\W{0,3}42\w{3}"),
    (
        "constraint",
        r"\bP20(?:02|03|04|11|14)\b|\b(?:unique|foreign key|check|not-null|exclusion) constraint\b|violates .{0,40}constraint"
        r"|duplicate key value|duplicate entry|SQLSTATE\W{0,3}23\w{3}",
    ),
    (
        "validation",
        _status("400|422")
        + r"|\bvalidation\b|\bZodError\b|\bSerializationException\b|\bDataException\b|\binvalid (?:config|configuration|field|value|payload|schema|mapping)\b"
        + r"|\bmissing (?:required )?(?:field|setting|mapping|config)|\brequired field",
    ),
    (
        "dns",
        r"\bENOTFOUND\b|\bEAI_AGAIN\b|getaddrinfo|could not (?:be )?resolve|name or service not known|nodename nor servname"
        r"|no such host|UnknownHostException|temporary failure in name resolution|name resolution",
    ),
    (
        "tls",
        r"\bcertificate\b|\bSSL\w{0,20}\b|\bTLS\b|\bx509\b|\bCERT_\w{2,40}\b|UNABLE_TO_\w{2,40}CERT\w{0,40}|SELF_SIGNED_CERT\w{0,40}",
    ),
    (
        "timeout",
        _status("408|504")
        + r"|\bE(?:SOCKET)?TIMEDOUT\b|\btimed[ -]?out\b|\btimeout\b|TimeoutException|TimeoutError|deadline exceeded|gateway time-?out",
    ),
    (
        "connection",
        r"\bECONN(?:REFUSED|RESET|ABORTED)\b|\bEPIPE\b|\bE(?:HOST|NET)UNREACH\b|connection (?:was )?(?:refused|reset|closed|aborted)"
        r"|socket hang up|no route to host|network is unreachable|ConnectException|connection error",
    ),
    ("provider", _status("50[0-3]|52\\d") + r"|internal server error|bad gateway|service (?:temporarily )?unavailable"),
)
NAMES = tuple(name for name, _pattern in _CLASSES)
OTHER = "other"
# A number and what it counts, or a time: of HTTP, or in ISO 8601.
_RETRY_AFTER = re.compile(
    r"\bretry[ _-]?(?:after|in|at)[\"']?[\s:=]{1,4}[\"']?(?:"
    r"(?P<time>[a-z]{3}, \d\d [a-z]{3} \d{4} \d\d:\d\d:\d\d GMT|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d))"
    r"|(?P<number>\d{1,7}(?:\.\d{1,3})?)(?![-:.]?\d)(?: ?(?P<unit>ms|milli|s|m|h|d)[a-z]{0,10}(?![a-z]))?)",
    re.IGNORECASE,
)
_UNIT_SECONDS = {"ms": 0.001, "milli": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def table_of(own):
    """The classes with those that an inventory adds, which are looked for first.

    Args:
        own: patterns by the name of a class.

    Returns:
        Pairs of a class and a pattern, as :func:`first_match` takes them.

    Raises:
        ValueError: a class or a pattern is none; the message begins with the place.
    """
    found = []
    for name, patterns in own.items():
        place = f"error_classes.{name}"
        if name not in (*NAMES, OTHER):
            raise ValueError(f"{place}: there is no such class; known are {', '.join((*NAMES, OTHER))}")
        for pattern in patterns if isinstance(patterns, list) else [patterns]:
            try:
                re.compile(str(pattern))
            except re.error as error:
                raise ValueError(f"{place}: {pattern!r} is no regular expression: {error}") from None
            found.append((name, str(pattern)))
    return (*found, *_CLASSES)


def class_of(text, table):
    """The class of an error, :data:`OTHER` where none fits, or None where there is no error.

    Args:
        text: what a connector keeps of its last error, or None.
        table: of :func:`table_of`.
    """
    read = str(text or "").strip()[:ERROR_CHARACTERS]
    return (first_match(table, read) or OTHER) if read else None


def retry_after_of(text, at_seconds):
    """The seconds after which an error asks to try again, or None.

    Args:
        text: of the error.
        at_seconds: when it was said, since 1970. A time counts from then.
    """
    match = _RETRY_AFTER.search(str(text or "")[:ERROR_CHARACTERS])
    if not match:
        return None
    if match.group("time"):
        from ..net.bounded_http import moment_in_header
        from ..queues.answer import epoch_of

        moment = epoch_of(match.group("time")) or moment_in_header(match.group("time"))
        return None if moment is None else max(0.0, round(moment - at_seconds, 1))
    return round(float(match.group("number")) * _UNIT_SECONDS[(match.group("unit") or "s").lower()], 3)


def counted(lines, table):
    """How many lines of an output are errors of each class.

    Args:
        lines: as a program printed them.
        table: of :func:`table_of`.

    Returns:
        Dicts ``error_class``, ``count`` and ``last`` (a line without secrets), the most frequent first.
    """
    from ..queues.answer import kind_of_error
    from ..text.log_lines import error_positions

    own = [without_sequences(line) for line in mask_lines(lines)]
    found = {}
    for position in error_positions(own):
        name = class_of(own[position], table)
        one = found.setdefault(name, {"error_class": name, "count": 0})
        one.update(count=one["count"] + 1, last=kind_of_error(own[position]))
    return sorted(found.values(), key=lambda one: -one["count"])
