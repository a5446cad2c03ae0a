# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The level of a log line, read where its format writes it. Every reader of a line uses this.

What a line says in words counts only where it names no level: an INFO line is no error for the words in it.
Every rule takes time in proportion to the length of the line.
"""

# ruff: noqa: RUF001  (words of other alphabets)

from __future__ import annotations

import json
import re

from .one_line import without_sequences

# What is read of a line that is no JSON; a level is near its start.
_READ_CHARACTERS = 4000
_JSON_CHARACTERS = 256 * 1024

FATAL, ERROR, WARNING, NOTICE, INFO, DEBUG = "fatal", "error", "warning", "notice", "info", "debug"

_WORDS = {
    FATAL: "fatal ftl fata critical crit crt panic pnc pani dpanic alert emerg emergency",
    ERROR: "error err erro eror severe fail",
    WARNING: "warning warn wrn",
    NOTICE: "notice ntc",
    INFO: "info inf information informational log note system status success http",
    DEBUG: "debug dbg debu debg dbug trace trc trac trce verbose vrb fine finer finest config silly blather blat default",
}
_LEVEL_OF_WORD = {word: level for level, words in _WORDS.items() for word in words.split()}
# PostgreSQL writes its level in the language of its messages.
_LEVEL_OF_WORD.update(
    (word.lower(), level)
    for level, words in {
        FATAL: "FATALE FATALT ВАЖНО ФАТАЛЬНО PANIK PANICO ПАНИКА ПАНІКА 치명적오류 손상 致命错误 比致命错误还过分的错误 ფატალური პანიკა",
        ERROR: "FEHLER ERREUR ERRORE FEL ОШИБКА ПОМИЛКА 오류 错误 შეცდომა",
        WARNING: "WARNUNG ATTENTION ATTENZIONE VARNING ПРЕДУПРЕЖДЕНИЕ ПОПЕРЕДЖЕННЯ 경고 警告 გაფრთხილება",
        NOTICE: "HINWEIS NOTIFICA NOTIS ЗАМЕЧАНИЕ ПОВІДОМЛЕННЯ 알림 注意",
        INFO: "LOGG ИНФОРМАЦИЯ ІНФОРМАЦІЯ СООБЩЕНИЕ ЗАПИСУВАННЯ 정보 로그 信息 日志 ინფორმაცია ჟურნალი",
        DEBUG: "ОТЛАДКА НАЛАГОДЖЕННЯ 디버그 调试 გამართვა",
    }.items()
    for word in words.split()
)
_LETTERS = {
    "F": FATAL,
    "C": FATAL,
    "E": ERROR,
    "W": WARNING,
    "I": INFO,
    "N": NOTICE,
    "D": DEBUG,
    "T": DEBUG,
    "V": DEBUG,
}
_SYSLOG = (FATAL, FATAL, FATAL, ERROR, WARNING, NOTICE, INFO, DEBUG)

_FIELDS = [
    "level",
    "lvl",
    "levelname",
    "log.level",
    "loglevel",
    "log_level",
    "level_name",
    "severity",
    "severity_text",
    "severitytext",
    "@l",
    "@level",
    "priority",
]
_JSON_KEY = re.compile(
    r"[\"'](?:level|lvl|levelname|level_name|log\.level|loglevel|log_level|severity|severitytext|severity_text|@l|@level)[\"']"
    r"\s{0,8}:\s{0,8}[\"']?(?P<json>[\w+]{1,24})",
    re.IGNORECASE,
)
_UPPER = (
    "FATAL|FTL|FATA|CRITICAL|CRIT|PANIC|PNC|PANI|DPANIC|ALERT|EMERG|EMERGENCY|ERROR|ERR|ERRO|EROR|SEVERE|WARNING|WARN|WRN"
    "|NOTICE|INFO|INF|INFORMATION|LOG|DEBUG|DBG|DEBU|DEBG|TRACE|TRC|TRAC|VERBOSE|VRB|FINE|FINER|FINEST"
)
_FOREIGN = "|".join(sorted((word.upper() for word in _LEVEL_OF_WORD if not word.isascii()), key=len, reverse=True)) + (
    "|FATALE|FATALT|PANIK|PANICO|FEHLER|ERREUR|ERRORE|FEL|WARNUNG|ATTENTION|ATTENZIONE|VARNING|HINWEIS|NOTIFICA|NOTIS|LOGG"
)
_ANY = _UPPER + "|NOTE|SYSTEM|STATUS|CRT"
# What is in double quotes is a value, whatever it says. The first of the others is the line's own level.
_MARK = re.compile(
    _JSON_KEY.pattern
    + r"|(?<![\w.\"'-])(?:level|lvl|levelname|loglevel|log_level|log\.level|severity|LogLevel)=[\"']?(?P<field>[A-Za-z]{1,16})"
    + r"|\"(?:[^\"\\]|\\.)*(?:\"|\\?\Z)"
    + r"|\[(?:[a-z_0-9]{1,24}:)?(?P<bracket>(?:"
    + _ANY
    + r")|warn|error)(?:[ ]{0,8}\]|[:\]])"
    + r"|<(?P<angle>Fatal|Critical|Error|Warning|Notice|Information|Debug|Trace|Test)>"
    + r"|[|]\s{0,8}(?P<pipe>"
    + _ANY
    + r")\s{0,8}[|]"
    + r"|[✖✗✘⚠ℹ⨯]\s{1,3}(?P<sign>error|fatal|warning|warn|info|note|debug)\b"
    + r"|\[(?P<letter>[TDIWEFC])\]",
    re.IGNORECASE,
)
_POSITION = re.compile(
    r"(?<![\w./=?&-])(?P<word>" + _UPPER + r")(?:\+\d{1,2})?(?![\w.=-])|\b[a-z]\w*\.(?P<channel>" + _UPPER + r"):",
)
_PG = re.compile(r"(?<![\w.])(?P<word>" + _FOREIGN + r") ?: {1,2}")
# In a language that is not here, the SQLSTATE says it, if the prefix of the lines has one.
_PG_STATE = re.compile(
    r"(?<![\w.:-])(?:0[3-9ABFLPZ]|2[0-8BDF]|3[489BDF]|4[024]|5[34578]|72|F0|HV|P0|XX)[0-9A-Z]{3}[: ]{1,3}(?P<word>\w{2,24}) ?:  "
)
_PG_MORE = frozenset(
    [
        "DETAIL",
        "HINT",
        "STATEMENT",
        "CONTEXT",
        "QUERY",
        "LOCATION",
        "TIPP",
        "ANWEISUNG",
        "ZUSAMMENHANG",
        "ANFRAGE",
        "ORT",
        "DETALLE",
        "SENTENCIA",
        "CONTEXTO",
        "CONSULTA",
        "UBICACIÓN",
        "DÉTAIL",
        "ASTUCE",
        "INSTRUCTION",
        "CONTEXTE",
        "REQUÊTE",
        "EMPLACEMENT",
        "DETTAGLI",
        "SUGGERIMENTO",
        "ISTRUZIONE",
        "CONTESTO",
        "詳細",
        "ヒント",
        "文",
        "文脈",
        "ПОДРОБНОСТИ",
        "ПОДСКАЗКА",
        "ОПЕРАТОР",
        "КОНТЕКСТ",
        "ЗАПРОС",
        "ПОЛОЖЕНИЕ",
        "DETALJ",
        "TIPS",
        "SATS",
        "KONTEXT",
        "FRÅGA",
        "PLATS",
        "ВІДОМОСТІ",
        "УКАЗІВКА",
        "ІНСТРУКЦІЯ",
        "ЗАПИТ",
        "РОЗТАШУВАННЯ",
        "详细信息",
        "提示",
        "语句",
        "上下文",
        "查询",
        "位置",
        "상세정보",
        "힌트",
        "내용",
        "쿼리",
        "위치",
    ]
)
_TIME_WORD = re.compile(
    r"^[\[(]?(?:\d{4}[-/.]\d\d[-/.]\d\d[T ])?\d\d?:\d\d(?::\d\d)?(?:[.,]\d{1,9})?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d|[AP]M))?[\])]?"
    r"(?:\s{1,4}\[?\d{1,10}\]?)?\s{1,8}(?P<word>[A-Za-z]{3,11})(?:\t|:|  | - | \[|\])"
)
_START = re.compile(
    r"^[\s\W]{0,6}(?P<word>trce|dbug|info|warn|fail|crit|error|fatal|panic|warning|debug|trace|notice|log|severe|alert|emerg|note"
    r"|critical)(?::|\[\d{1,6}\]|\s?\[\d{4}\])",
    re.IGNORECASE,
)
_DOTNET = re.compile(r"^(?P<word>trce|dbug|info|warn|fail|crit): ")
_KLOG = re.compile(r"^(?P<word>[IWEF])\d{4}(?:\d{4})? \d\d:\d\d:\d\d\.\d{1,9}\s{1,8}\d{1,10} [^\s\]]{1,200}\]")
_RUBY = re.compile(r"^(?P<word>[DIWEFA]), \[")
_TORNADO = re.compile(r"^\[(?P<word>[DIWEC]) \d{4}")
_REDIS = re.compile(
    r"^(?:\d{1,10}:[A-Z] |\[\d{1,10}\] )\d{1,2} [A-Z][a-z]{2} (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d{3})? (?P<word>[.*#-]) (?P<text>.*)"
)
# Redis has no level above its warnings: there the errors are as well, with the greetings and goodbyes.
_REDIS_ERROR = re.compile(
    r"\b(?:can't|cannot|could ?n[o']t|couldn't|fail(?:ed|ing|ure|s)?|errors?|fatal|unable|abort(?:ed|ing)?|denied|crash(?:ed)?"
    r"|refused|no space|out of memory|corrupt(?:ed)?|bad (?:file|directive)|wrong|unexpected|not writable|unrecoverable|panic"
    r"|impossible|guru meditation)\b",
    re.IGNORECASE,
)
_NPM = re.compile(
    r"^(?:npm (?P<npm>ERR!|error|WARN|warn|notice|info|verb|http|sill)(?:\s|$)|(?P<yarn>error|warning|info) (?:Command failed|An unexpected))"
)
_ERLANG = re.compile(r"^=(?P<word>ERROR|CRASH|SUPERVISOR|WARNING|INFO|PROGRESS|NOTICE|CRITICAL) REPORT=")
_PHP = re.compile(r"\bPHP (?P<word>Fatal error|Parse error|Recoverable fatal error|Warning|Notice|Deprecated):")
_SYSTEMD = re.compile(r"^(?:Failed to start |\S{1,200}: Failed (?:to|at step) )")
_PRIORITY = re.compile(r"^<(?P<number>\d{1,3})>(?:1 )?")
_PREFIX = re.compile(
    r"^(?:[A-Za-z0-9][\w.-]{0,80} {1,20}\| |\d{4}-\d\d-\d\dT\S{8,30} (?:stdout|stderr) [FP] "
    r"|(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S{8,30}) [\w.-]{1,64} [\w./@-]{1,64}\[\d{1,10}\]: )"
)
_PYTHON_WARNING = re.compile(r"^\S{1,300}:\d{1,7}: [A-Za-z_]{0,40}Warning: ")

_EXCEPTION = re.compile(
    r"^(?:Uncaught |Unhandled |✖ )?(?:[A-Za-z_]\w*(?:\.|::))*\w*(?:Error|Exception|HTTPError|Improperly\w+)\b(?::| \[| in |$)"
)
_PLAIN = re.compile(
    r"\b(?:fatal error|fatal|panic|error):"
    r"|\bsegmentation fault\b|\bout of memory\b|\bkilled process\b|\boom-kill"
    r"|^unhandled exception\b|^uncaught exception\b|^exception in thread \"|^thread '[^']{0,80}' (?:\(\d{1,10}\) )?panicked at "
    r"|^error response from daemon|^\*\* \(\w|\(Errno::[A-Z]+\)$|: unbound variable$|: parameter (?:null or )?not set"
    r"|\b(?:is |was )?already in use\b|\beaddrinuse\b|\bexec format error\b|^APPLICATION FAILED TO START$"
    r"|kernel pid terminated",
    re.IGNORECASE,
)
_STOP_WORDS = frozenset(
    [
        "no",
        "without",
        "any",
        "an",
        "a",
        "the",
        "last",
        "with",
        "of",
        "for",
        "is",
        "was",
        "on",
        "after",
        "if",
        "not",
        "this",
        "and",
        "or",
        "to",
        "in",
        "set",
        "as",
        "at",
        "with",
        "state",
        "status",
        "type",
    ]
)
_PLAIN_WORD = re.compile(r"[A-Za-z]{2,40}\Z")


def level_of(line):
    """The level that a line names: ``fatal``, ``error``, ``warning``, ``notice``, ``info`` or ``debug``; None without one."""
    return _named(without_sequences(line).strip(), 0)


def says_error(line):
    """Whether a line without a level reports an error in words."""
    line = without_sequences(line)
    line = line[: min(len(line), _READ_CHARACTERS)]
    prefix = _PREFIX.match(line)
    line = line[prefix.end() :] if prefix else line
    return bool(_EXCEPTION.search(line) or _PLAIN.search(line) or _SYSTEMD.search(line))


def _named(line, depth):
    prefix = _PREFIX.match(line)
    if prefix:
        line = line[prefix.end() :].lstrip()
    priority = _PRIORITY.match(line)
    if priority:
        return _SYSLOG[int(priority.group("number")) & 7]
    if line.startswith("{") and line.endswith("}") and len(line) <= _JSON_CHARACTERS:
        known, level = _of_json(line, depth)
        if known:
            return level
    return _of_text(line[:_READ_CHARACTERS])


def _of_json(line, depth):
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False, None
    if not isinstance(record, dict):
        return False, None
    fields = {str(key).lower(): value for key, value in record.items()}
    if isinstance(fields.get("log"), dict):
        fields.setdefault("log.level", fields["log"].get("level"))
    for key in _FIELDS:
        level = _of_value(key, fields.get(key), fields)
        if level:
            return True, level
    # One letter is a level only beside what else MongoDB writes.
    if isinstance(fields.get("s"), str) and "c" in fields and "t" in fields:
        return True, _LETTERS.get(fields["s"][:1].upper())
    if isinstance(fields.get("severitynumber"), int):
        return True, _opentelemetry(fields["severitynumber"])
    if "@t" in fields:
        return True, INFO  # Serilog leaves it out where it is Information
    for key in ("log", "msg", "message", "message_text"):
        if isinstance(fields.get(key), str) and depth < 2:
            inner = fields[key].strip()
            return True, _named(inner, depth + 1) or (ERROR if says_error(inner) else None)
    return True, None


def _opentelemetry(number):
    return next(
        (level for least, level in ((21, FATAL), (17, ERROR), (13, WARNING), (9, INFO), (1, DEBUG)) if number >= least),
        None,
    )


def _of_value(key, value, fields):
    if isinstance(value, str) and not value.isdigit():
        word = value.strip().lower().partition("+")[0]
        if len(word) == 1 and key == "@l":
            return _LETTERS.get(word.upper())
        return _LEVEL_OF_WORD.get(word) or _LETTERS.get(value.strip()[:1] if len(value.strip()) == 1 else "")
    if isinstance(value, bool) or value is None or isinstance(value, (list, dict)):
        return None
    number = int(float(value)) if str(value).replace(".", "", 1).isdigit() else -1
    if key == "priority" or "short_message" in fields or "facility" in fields or "syslog_identifier" in fields:
        return _SYSLOG[number] if 0 <= number <= 7 else None
    if key == "severity" and number >= 100:  # as Google numbers them
        return FATAL if number >= 600 else ERROR if number >= 500 else WARNING if number >= 400 else INFO
    if 100 <= number <= 600:  # as Monolog does
        return FATAL if number >= 500 else ERROR if number >= 400 else WARNING if number >= 300 else INFO
    if 10 <= number <= 60:  # as pino and bunyan do
        return (
            FATAL
            if number >= 60
            else ERROR
            if number >= 50
            else WARNING
            if number >= 40
            else INFO
            if number >= 30
            else DEBUG
        )
    return None


def _of_text(line):
    for rule in (_KLOG, _RUBY, _TORNADO):
        found = rule.match(line)
        if found:
            return FATAL if found.group("word") == "A" else _LETTERS[found.group("word")]
    redis = _REDIS.match(line)
    if redis:
        if redis.group("word") != "#":
            return {"*": NOTICE, "-": INFO, ".": DEBUG}[redis.group("word")]
        text = redis.group("text")
        is_warning = text[:7].lower() == "warning" or not _REDIS_ERROR.search(text)
        return WARNING if is_warning else ERROR
    npm = _NPM.match(line)
    if npm:
        word = (npm.group("npm") or npm.group("yarn")).lower()
        return ERROR if word in ("err!", "error") else WARNING if word in ("warn", "warning") else INFO
    erlang = _ERLANG.match(line)
    if erlang:
        word = erlang.group("word")
        return ERROR if word in ("ERROR", "CRASH", "SUPERVISOR", "CRITICAL") else WARNING if word == "WARNING" else INFO
    php = _PHP.search(line)
    if php:
        return ERROR if "error" in php.group("word") else WARNING
    if _PYTHON_WARNING.match(line):
        return WARNING
    return _earliest(line)


def _earliest(line):
    found = []
    for rule in (_DOTNET, _START, _TIME_WORD):
        match = rule.match(line)
        if match and match.group("word").lower() in _LEVEL_OF_WORD:
            word = match.group("word")
            # "Error: no such file" is a sentence, and so is "panic: x": an error all the same.
            found.append((match.start("word"), word))
            break
    foreign = _PG.search(line)
    if foreign:
        found.append((foreign.start(), foreign.group("word")))
    quoted = []
    for match in _MARK.finditer(line):
        kind = match.lastgroup
        if kind is None:
            quoted.append(match.span())
            continue
        word = match.group(kind)
        if kind == "letter":
            if word.isupper():
                found.append((match.start(), word))
                break
            continue
        if word.isdigit():
            level = _of_value("level", word, {}) if kind == "json" else None
            if level:
                return level
            continue
        if word.lower().partition("+")[0] in _LEVEL_OF_WORD:
            found.append((match.start(), word))
            break
    for match in _POSITION.finditer(line):
        if any(start <= match.start() < end for start, end in quoted):
            continue
        if match.group("channel"):
            found.append((match.start(), match.group("channel")))
            break
        if _is_position(line, match):
            found.append((match.start(), match.group("word")))
        break
    if not found:
        state = _PG_STATE.search(line)
        return ERROR if state and state.group("word") not in _PG_MORE else None
    word = min(found)[1].lower().partition("+")[0]
    return _LEVEL_OF_WORD.get(word) or _LETTERS.get(word.upper())


def _is_position(line, match):
    """Whether a word in capitals stands where a level does: behind times, names and brackets, and not in a sentence."""
    before = line[: match.start()][:200]
    if match.start() > 200:
        return False
    plain = [word for word in re.sub(r"\[[^\]]*\]|\([^)]*\)", " ", before).split() if _PLAIN_WORD.match(word)]
    if any(word.lower() in _STOP_WORDS for word in plain):
        return False
    plain = [
        word for word in plain if word not in ("UTC", "GMT", "CET", "CEST", "AM", "PM", "EST", "PST", "MSK", "JST")
    ]
    return len(plain) <= 3 if re.search(r"\d\d:\d\d", before) or "[" in before else len(plain) <= 1
