# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a program ended, as the end of its log says: its port was taken, a variable is missing, a migration failed, ..."""

from __future__ import annotations

import re
from datetime import datetime

from .levels import ERROR, FATAL, level_of
from .one_line import without_sequences

# An engine waits up to a minute before it starts a container again.
_LATE_SECONDS = 180
# A rule below looks for two words in any distance, so a line is read only so far; what is shown of one is shorter.
_READ_CHARACTERS = 500
_TIME = re.compile(r"\b(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)")

PORT = re.compile(
    r"EADDRINUSE|AddrInUse|address (?:is )?(?:already )?in use|port is already allocated|\bports are not available\b|bind: .{0,200}in use"
    r"|Only one usage of each socket|\bport(?: \d{1,5})? (?:is |was )?(?:already )?in use\b|\bConnection in use: \("
    r"|Adresse wird bereits verwendet|Adresse déjà utilisée|Indirizzo già in uso|Адрес уже используется",
    re.IGNORECASE,
)
_NO_PORT = re.compile(r"\bunix:|\.sock\b|@/")
_PORT_NUMBER = re.compile(r"(?::|\bport[ =:,]{0,3}|[\"'], |[\"'] port )(\d{1,5})(?![\d.])", re.IGNORECASE)
_NO_NUMBER = re.compile(
    r"(?<![\d.:])\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?| ?[AP]M)(?!\d)|[+-]\d\d:\d\d\b"
    r"|[\w/-]{1,100}\.(?:go|rs|py|js|ts|mjs|rb|java|c|cc|cpp|ex|exs|erl|php|kt|scala):\d{1,7}(?::\d{1,5})?"
)

_NAME = r"[A-Z][A-Z0-9]*_[A-Z0-9_]+"
_ANY_NAME = r"[A-Z][A-Z0-9_]{2,}"
_VARIABLES = (
    re.compile(
        r"(?:environment|env)\b[^A-Z]{0,40}\b("
        + _ANY_NAME
        + r")\b[^A-Z]{0,30}(?:not set|missing|required|unset|undefined|not found)"
    ),
    re.compile(r"(?:missing|required|undefined|unset)\b[^A-Z]{0,40}\b(" + _NAME + r")\b"),
    re.compile(
        r"\b(" + _NAME + r")\b[\"'`]?:? (?:must be (?:set|defined|provided)|(?:env(?:ironment)? (?:var(?:iable)?s? )?)?"
        r"(?:is |was )?(?:not set|not defined|missing|required|undefined|unset)|is a required variable|is needed)\b"
    ),
    re.compile(r"\b(" + _ANY_NAME + r") (?:is |was )?not found\. Declare it as envvar"),
    re.compile(
        r"\b("
        + _ANY_NAME
        + r")\b[\"'`]? environment variable (?:is |was )?(?:not set|not defined|missing|required|undefined|unset)"
    ),
    re.compile(r"Environment variable not found: (" + _ANY_NAME + r")"),
    re.compile(r"\b(" + _ANY_NAME + r"): (?:parameter (?:null or )?not set|unbound variable)"),
    re.compile(r"\b[Ss]et the (" + _ANY_NAME + r") environment variable"),
    re.compile(r"required key (" + _ANY_NAME + r") missing value"),
    re.compile(r"required variable (" + _ANY_NAME + r") is missing a value"),
    re.compile(r"key not found: [\"':](" + _NAME + r")"),
    re.compile(r"fetch.{0,40}key not found: [\"':](" + _ANY_NAME + r")"),
    re.compile(r"KeyError: '(" + _NAME + r")'"),
)
_KEY_ERROR = re.compile(r"KeyError: '(" + _ANY_NAME + r")'|key not found: \"(" + _ANY_NAME + r")\"")
_PLACEHOLDER = re.compile(r"Could not resolve placeholder '([A-Za-z][\w.-]{0,100})'")
_LIST = re.compile(
    r"(?:missing|required|undefined|unset|not set|invalid) (?:required )?env(?:ironment)? ?var(?:iable)?s?\b.{0,40}?:\s*(.*)",
    re.IGNORECASE,
)
_MISSING_LIST = re.compile(
    r"missing environment variables:|invalid environment variables\b|variables were defined in .{1,100} but are not present in the environment",
    re.IGNORECASE,
)
_IN_LIST = re.compile(
    r"^\W{0,8}("
    + _ANY_NAME
    + r")\W{0,4}(?::|$)|\b("
    + _ANY_NAME
    + r")[\"']?: \[? ?[\"']?(?:Required|undefined|missing|.{0,40}received undefined)"
)
_INVALID_IN_LIST = re.compile(r"^\W{0,8}" + _ANY_NAME + r"\W{0,4}: (?:Invalid|Expected|must be)")
_PYDANTIC = re.compile(r"^([A-Za-z_][A-Za-z0-9_]{1,80})$")
_PYDANTIC_REQUIRED = re.compile(
    r"^\s{0,4}(?:Field required \[type=missing|field required \(type=value_error\.missing\)|Field required$)"
)
_PYDANTIC_HEAD = re.compile(r"validation errors? for (\w{1,80})")
_SETTINGS = re.compile(r"settings|config|env", re.IGNORECASE)
_ZOD_PATH = re.compile(
    r"^\W{0,16}(?:path\W{1,6}\[\s{0,4}[\"']("
    + _ANY_NAME
    + r")[\"']|[\"']("
    + _ANY_NAME
    + r")[\"']\s*$)|→ at ("
    + _ANY_NAME
    + r")$"
)
_ZOD = re.compile(r"\bZodError\b|received undefined|\"received\": \"undefined\"")

# None of them, as in "0 failed" and "errors: 0", is no failure.
_FAILS = (
    r"(?<!\b0 )(?<!\bno )(?<!\bwithout )\b(?:fail(?:ed|s|ure|ures|ing)?|errors?)\b(?![\"']?\s{0,4}[:=]\s{0,4}[\"']?0\b)"
)
MIGRATION = re.compile(
    rf"\bmigrat(?:ion|ions|e)\b.*(?:{_FAILS}|\b(?:cannot|could not|conflict|dirty|is corrupt))"
    rf"|{_FAILS}.*\bmigrat(?:ion|ions|e)\b|Can't locate revision|\bP30(?:05|06|09|18)\b|Dirty database version"
    r"|(?<!\bno )\bmigrations are pending\b|\bPendingMigrationError\b|\bInconsistentMigrationHistory\b|\bFlywayValidateException\b"
    r"|\bMultiple head revisions are present\b|Could not acquire change ?log lock|\bfound \d{0,5} ?missing migrations\b|PendingModelChanges"
    r"|\bmigration \S{1,100} was previously applied but\b|NodeNotFoundError: Migration\b",
    re.IGNORECASE,
)
IMAGE = re.compile(
    r"no such image|pull access denied|manifest .{0,200}(?:unknown|not found)|failed to (?:build|solve)|exec format error"
    r"|executable file not found|no such file or directory: unknown",
    re.IGNORECASE,
)
# The quota of a user or of a folder is a filesystem that is full for it.
_NO_ROOM = re.compile(
    r"\bno space left on device\b|\bENOSPC\b|\bdisk quota exceeded\b|\bEDQUOT\b|\b53100\b", re.IGNORECASE
)
# PostgreSQL's segments in /dev/shm are called so in every language. Its name is no file of Python's multiprocessing (psm_, sem.).
_SHARED_MEMORY = re.compile(r"\bshared memory\b|/PostgreSQL\.\d{1,12}\b|/dev/shm\b", re.IGNORECASE)
# What PostgreSQL writes of a statement: its level, a colon and two spaces.
_STATEMENT = re.compile(r"[^\W\d_]:  \S")
_POSTGRES_LOG = re.compile(r"\b(?:LOG|LOGG|СООБЩЕНИЕ|ЗАПИСУВАННЯ|日志|로그|ჟურნალი):  ")


def reason_of_end(lines, error=""):
    """What the end of a log says about why its program ended.

    The gravest lines count, the last of them; a line of a harmless level does not, whatever its words. What a life of
    long ago ended with does not count either.

    Args:
        lines: the end of the log.
        error: what its manager says about the last start; it is newer than the log of a life before it.

    Returns:
        A dict ``port_line``, ``port`` (the number that it names, or None), ``variable``, ``variables`` (all of them) and
        ``variable_line``, ``migration_line`` and ``image_line``; empty where it does not say so.
    """
    if error and (names_port(error) or IMAGE.search(error)):
        telling = _telling([error])
    else:
        telling = _telling(_of_late([without_sequences(line)[:_READ_CHARACTERS] for line in lines]))
    gravest = max((one["weight"] for one in telling), default=0)
    reason = next((one for one in reversed(telling) if one["weight"] == gravest), None)
    found = {
        "port_line": "",
        "port": None,
        "variable": "",
        "variables": [],
        "variable_line": "",
        "migration_line": "",
        "image_line": "",
    }
    if reason:
        found.update({key: value for key, value in reason.items() if key in found})
    return found


def shortage(lines):
    """What a program found no room in, as the end of its log says.

    Of several, the last line that ended the program counts, else the last of a statement that failed: PostgreSQL goes on after
    it. Shared memory is a filesystem of its own, /dev/shm: its disk may have any room.

    Args:
        lines: the end of the log.

    Returns:
        A dict ``what`` (``disk`` or ``shared_memory``; empty where the log does not say so), ``line``, and ``ended`` (whether
        the program ended with that).
    """
    found = {"what": "", "line": "", "ended": False}
    for line in _of_late([without_sequences(line)[:_READ_CHARACTERS] for line in lines]):
        what = lacks(line)
        if not what or not _weight(line):
            continue
        ended = level_of(line) != ERROR or not _STATEMENT.search(line)
        if ended or not found["ended"]:
            found = {"what": what, "line": line, "ended": ended}
    return found


def lacks(message):
    """What a message says that there is no room in: ``disk``, ``shared_memory``, or nothing."""
    if not _NO_ROOM.search(message):
        return ""
    return "shared_memory" if _SHARED_MEMORY.search(message) else "disk"


def names_port(line):
    """Whether a line says that a port is taken; the file of a Unix socket is none."""
    return bool(PORT.search(line)) and not _NO_PORT.search(line)


def port_numbers(line):
    """The ports that a line names; its times and the lines of source files are none."""
    found = [int(number) for number in _PORT_NUMBER.findall(_NO_NUMBER.sub(" ", line))]
    return [number for number in found if 1 <= number <= 65535]


def _telling(lines):
    """What each line that names a reason says, with its weight, in the order of the lines."""
    listed = _listed_variables(lines)
    found = []
    for position, line in enumerate(lines):
        weight = _weight(line)
        told = {}
        if names_port(line):
            if _POSTGRES_LOG.search(line):
                weight = 1  # its FATAL line says only that no socket could be made
            told.update(port_line=line, port=_port_of(lines, position))
        if MIGRATION.search(line):
            told["migration_line"] = line
        if IMAGE.search(line):
            told["image_line"] = line
        names = listed.get(position) or _variables_in(line) or _of_key_error(lines, position)
        if names:
            told.update(variable=names[0], variables=names, variable_line=line)
        if told and weight:
            found.append(dict(told, weight=weight))
    return found


def _port_of(lines, position):
    """The number that the line names, or one of the next lines that names a port, as a hint does."""
    own = port_numbers(lines[position])
    after = [
        number
        for line in lines[position + 1 : position + 10]
        if re.search(r"\bport\b", line, re.I)
        for number in port_numbers(line)
    ]
    return own[-1] if own else after[0] if after else None


def _variables_in(line):
    placeholder = _PLACEHOLDER.search(line)
    if placeholder:
        return [placeholder.group(1).replace("-", "").replace(".", "_").upper()]
    several = _LIST.search(line)
    if several:
        names = re.findall(r"\b" + _ANY_NAME + r"\b", several.group(1))
        if names:
            return list(dict.fromkeys(names))
    for pattern in _VARIABLES:
        found = pattern.search(line)
        if found:
            return [found.group(1)]
    return []


def _of_key_error(lines, position):
    """A key that is missing is a variable where the lines before it read the environment: KeyError: 'EUR' may be a currency."""
    found = _KEY_ERROR.search(lines[position])
    before = " ".join(lines[max(0, position - 8) : position])
    return [found.group(1) or found.group(2)] if found and re.search(r"\benviron\b|\bENV\b|getenv", before) else []


def _listed_variables(lines):
    """Variables that a message of several lines names, by the position of its last line."""
    found = {}
    for position, line in enumerate(lines):
        if _MISSING_LIST.search(line):
            _add(found, *_below(lines, position))
        if _PYDANTIC_HEAD.search(line):
            _add(found, *_of_pydantic(lines, position))
    if any(_ZOD.search(line) for line in lines):
        _add(found, *_of_zod(lines))
    return found


def _add(found, position, names):
    if names:
        found[position] = list(dict.fromkeys(found.get(position, []) + names))


def _below(lines, start):
    names, last = [], start
    for position in range(start, min(start + 60, len(lines))):
        line = lines[position]
        if position > start and (level_of(line) or re.match(r"\W{0,8}at |=+\s*$", line)):
            break
        # "X: Invalid number" is there, with a wrong value.
        text = line.split(":", 1)[1] if position == start and ":" in line else line
        if _INVALID_IN_LIST.match(text) and position > start:
            continue
        own = [one or other for one, other in _IN_LIST.findall(text)]
        if position == start:
            own = [one for one in own if one] if "{" in text or re.search(r"Required", text) else []
        elif not own and "," in text and re.match(r"\s*" + _ANY_NAME + r"(?:\s*,\s*" + _ANY_NAME + r")+\s*$", text):
            own = re.findall(_ANY_NAME, text)
        if own:
            names, last = names + own, position
    return last, names


def _of_pydantic(lines, start):
    is_settings = bool(_SETTINGS.search(_PYDANTIC_HEAD.search(lines[start]).group(1)))
    names, last = [], start
    for position in range(start + 1, min(start + 120, len(lines) - 1)):
        field = _PYDANTIC.match(lines[position].strip())
        if field and _PYDANTIC_REQUIRED.match(lines[position + 1]):
            # Settings are read whatever their case; what is in small letters may also be a field of a request.
            if field.group(1).isupper() or is_settings:
                names.append(field.group(1).upper())
                last = position + 1
        elif level_of(lines[position]):
            break
    return last, names


def _of_zod(lines):
    names, last, is_missing = [], 0, False
    for position, line in enumerate(lines):
        own = _ZOD_PATH.search(line)
        if own and any(
            "undefined" in other or "Required" in other for other in lines[max(0, position - 4) : position + 4]
        ):
            names.append(own.group(1) or own.group(2) or own.group(3))
            last, is_missing = position, True
    return last, names if is_missing else []


def _weight(line):
    """2 for a line that says the program cannot go on, 0 where it says that it can, 1 for others, such as a traceback."""
    level = level_of(line)
    return 1 if level in (None, ERROR) else 2 if level == FATAL else 0


def _of_late(lines):
    """The lines written shortly before the newest one. Without times in the lines, all of them."""
    late, newest = [], None
    for line in reversed(lines):
        found = _TIME.search(line)
        try:
            at = datetime.strptime(f"{found[1]} {found[2]}", "%Y-%m-%d %H:%M:%S") if found else None
        except ValueError:
            at = None
        newest = newest or at
        if at and newest and (newest - at).total_seconds() > _LATE_SECONDS:
            break
        late.append(line)
    return late[::-1]
