# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text from outside without the secrets in it: passwords, tokens, keys and cookies become ``********``.

Where it cannot be told how far a secret reaches, more is masked and never less. Every rule takes time in proportion
to the length of the line, whatever stands in it: nothing that repeats is followed by something that may be missing.
"""

from __future__ import annotations

import re

from .one_line import one_line, without_sequences

MASK = "********"

# What is read of a line of which 300 characters are shown.
_READ_CHARACTERS = 2000
_NAME_CHARACTERS = 60

_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PRIVATE_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_LINE = re.compile(r"\s*[A-Za-z0-9+/=]{16,}\s*\Z")

# All of these begin with something that is rare: it is looked for first, and the rest only where it is found.
_URL = re.compile(
    r"(?P<quoted>\"[A-Za-z][A-Za-z0-9+.-]{0,30}://)(?P<one>(?:[^\s\"\\]|\\\S)*)"
    r"|(?P<single>'[A-Za-z][A-Za-z0-9+.-]{0,30}://)(?P<two>(?:[^\s'\\]|\\\S)*)"
    r"|:(?<=[A-Za-z0-9+.-].)//(?P<three>\S+)"
)
_AUTHORITY = re.compile(r"[^/?#]*")
_HOST_AND_PORT = re.compile(r"(?:\[[^\]@]*\]|[^:@]*)(?::\d{1,5})?\Z")
_USER_NAMES = ("git", "hg")  # of hosted repositories: they have no password

# Where the name of a secret can be, in small letters; and which names are one. What comes before such a word in a name
# does not matter, what comes after it does.
_KEY_WORD = re.compile("pass|secret|token|credential|authorization|cookie|pwd|key|sess|masterauth|jwt|otp")
_KEY = re.compile(
    r"(?:(?P<many>(?i:password|passwd|secret|credential|cookie|(?:(?<=api)|(?<=api[_-]))key))"
    r"|(?P<one>(?i:pass(?:phrase|code)|(?<!unexpected )token|authorization|masterauth"
    r"|(?:(?<=php)|(?<=j)|(?<=asp\.net_))sess(?:ion)?id"
    r"|(?:(?<=access)|(?<=private)|(?<=encryption)|(?<=signing)|(?<=master)|(?<=account)|(?<=shared)|(?<=auth)|(?<=service)"
    r"|(?<=app)|(?<=ssh)|(?<=deploy)|(?<=license)"
    r"|(?<=access[_-])|(?<=private[_-])|(?<=encryption[_-])|(?<=signing[_-])|(?<=master[_-])|(?<=account[_-])"
    r"|(?<=shared[_-])|(?<=auth[_-])|(?<=service[_-])|(?<=app[_-])|(?<=ssh[_-])|(?<=deploy[_-])|(?<=license[_-]))key"
    r"|(?:(?<=admin)|(?<=bind)|(?<=db)|(?<=ftp)|(?<=key)|(?<=ldap)|(?<=login)|(?<=mail)|(?<=my)|(?<=mysql)|(?<=pg)"
    r"|(?<=require)|(?<=root)|(?<=smtp)|(?<=ssh)|(?<=store)|(?<=user))pass"
    r"|(?<![a-z])(?:pass|otp|jwt))|(?<=[a-z])Pass|(?<=[_-])(?i:pwd)|(?<![A-Za-z])[pP]wd))"
    r"(?P<rest>[A-Za-z0-9_.-]{0,60})"
)
_SEPARATOR = re.compile(r"(?P<close>\\{0,6}[\"']?\]?)(?P<gap>\s{0,8}(?:=>|:=|=|:(?!:|//))\s{0,8}|>)")
_NAME_SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
_NAME_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
# password_file names a place and tokenCount a number: neither is a secret.
_HARMLESS = (
    "age alg algorithm at attempts bucket changed class count created dir directory domain enabled encryption endpoint "
    "error exception expired expires expiration expiry field file files format header host in issuer len length limit "
    "manager max method min minutes mode name names path policy port prefix provider ref required reset retries "
    "rotation rules seconds set size state status timeout ttl type types updated uri url used valid version "
    "c cc conf cpp cs ex go h java js json jsx kt log lua md mjs php pl py pyc pyx rb rs scala sh sock sql swift ts tsx "
    "txt yaml yml"
)
# Names in camel case are those of classes as well.
_CAMEL_CASE = "base code data hash key keys pass password phrase raw secret string text token value"
_HARMLESS_LAST_WORDS = frozenset(_HARMLESS.split())
_CAMEL_CASE_LAST_WORDS = frozenset(_CAMEL_CASE.split())
_NOTHING = re.compile(
    r"(?i:null|none|nil|true|false|yes|no|undefined|\(null\)|<nil>|\"\"|''|\*{8})(?=[,;.)}\]\"']*(?:\s|\Z))"
)
_NOTHING_OF_JSON = re.compile(r"(?:null|None|true|false|True|False|\"\"|''|\*{8})(?=\s*[,}\])]|\s*\Z)")
_QUOTED = re.compile(
    r"\"(?:[^\"\\]|\\.)*(?:\"|\\?\Z)|'(?:[^'\\]|\\.)*(?:'|\\?\Z)"
    r"|(?P<quote>\\+[\"'])(?:(?!(?<!\\)(?P=quote)).)*(?:(?P=quote)|\Z)",
    re.DOTALL,
)
_BRACKETED = re.compile(r"[\[{][^\]}]*[\]}]?")
_JSON_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?=\s*[,}\])])")
_JSON_END = re.compile(r"[^\s,;)}\]]*")
_WORD = re.compile(r"\S*")
_QUERY_VALUE = re.compile(r"[^\s&#]*")
_XML_VALUE = re.compile(r"[^<]*")
_LINE_START = re.compile(r"\s*(?:-\s+)?(?:export\s+)?\Z")
# The kind of an authorization is one word, and then comes the secret; of some it is more than one word.
_AUTHORIZATION = re.compile(
    r"(?:(?i:digest|aws4-hmac-sha256|oauth|signature|hawk)\s.*|(?:[A-Za-z][A-Za-z-]{0,30}\s+)?\S*)"
)

_OPTION = re.compile(r"--?[A-Za-z0-9_.-]{1,120}\Z")
_NAMED_ARGUMENT = re.compile(r"-{0,2}(?P<name>[A-Za-z0-9_.-]{1,120})(?:=|:\s{0,8})")
_USER_OPTIONS = ("-u", "--user", "--proxy-user")
_PROGRAM_OPTIONS = (("redis-cli", "-a"), ("sshpass", "-p"))
_OPTION_GAP = re.compile(r"[\"']?\s{1,8}(?=\S)")
_USER_OPTION = re.compile(
    r"(?P<option>-(?<!\S.)(?:u|-user|-proxy-user)(?:\s{1,8}|=)[\"']?)(?P<user>[^\s:]{1,128}):(?P<password>\S+)"
)
_QUERY_SIGNATURE = re.compile(r"(?P<name>[?&](?i:sig|auth|(?:x-amz-)?signature|x-amz-credential)=)[^\s&#\"']+")
_SQL = re.compile(
    r"(?P<name>(?:[pP]assword|PASSWORD|identified\s{1,8}by|IDENTIFIED\s{1,8}BY)\s{1,8})'(?:[^'\\]|''|\\.)*(?:'|\\?\Z)"
)
_REDIS = re.compile(r"(?P<name>(?:requirepass|masterauth)[\"']?\s{1,8})(?!\W*(?:is|or|nor|and)\b)\S+")
_PROGRAM_OPTION = re.compile(r"(?P<name>sshpass\s{1,8}-p\s{0,8}|redis-cli\s(?:\S{1,60}\s){0,8}?-a\s{1,8})\S+")
_SCHEME_AND_TOKEN = re.compile(
    r"(?P<name>(?:[Bb]earer|BEARER|[Bb]asic)\s{1,8})(?=[A-Za-z.~+/-]*[0-9_=])[\w.~+/=-]{8,}", re.ASCII
)
_TOKENS = (
    r"eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*){0,3}",
    r"sk_(?:live|test)_\w{8,}",
    r"rk_(?:live|test)_\w{8,}",
    r"whsec_\w{16,}",
    r"gh[opsru]_\w{16,}",
    r"github_pat_\w{20,}",
    r"glpat-[\w-]{16,}",
    r"xox[abeoprs]-[\w-]{8,}",
    r"xapp-[\w-]{8,}",
    r"A(?:KIA|SIA)[A-Z0-9]{16}(?![A-Z0-9])",
    r"AIza[\w-]{30,}",
    r"ya29\.[\w-]{16,}",
    r"sk-[\w-]{20,}",
    r"npm_\w{30,}",
    r"pypi-[\w-]{30,}",
    r"hv[sb]\.[\w-]{20,}",
    r"dop_v1_\w{30,}",
    r"SG\.[\w-]{16,64}\.[\w-]{16,}",
)
_TOKEN = re.compile("|".join(token[0] + r"(?<![A-Za-z0-9_-].)" + token[1:] for token in _TOKENS), re.ASCII)
_WEBHOOK = re.compile(r"(?P<name>(?:hooks\.slack\.com/services|discord(?:app)?\.com/api/webhooks)/)[\w/-]+")


def masked(text, limit=300):
    """Text from outside, fit to be shown: on one line, without secrets, not too long."""
    # Masked before it is cut: of half a URL nothing says which part is the password.
    return one_line(mask_secrets(one_line(without_sequences(str(text)), limit=_READ_CHARACTERS)), limit)


def masked_lines(lines):
    """Lines from outside, each fit to be shown as :func:`masked` makes it."""
    read = (one_line(without_sequences(line), limit=_READ_CHARACTERS) for line in lines)
    return [one_line(line) for line in mask_lines(read)]


def mask_lines(lines):
    """The lines without the secrets in them; of a private key that takes several, none is left."""
    found, in_key = [], False
    for line in lines:
        begin, end = _PRIVATE_KEY.search(line), _PRIVATE_KEY_END.search(line)
        if in_key:
            found.append(MASK + mask_secrets(line[end.end() :]) if end else MASK)
            in_key = not end
            continue
        if end and not begin:
            # Where a log is cut within a key, only the end of the key is there to tell.
            for position in range(len(found) - 1, -1, -1):
                if not _KEY_LINE.match(found[position]):
                    break
                found[position] = MASK
        in_key = bool(begin) and not _PRIVATE_KEY_END.search(line, begin.end())
        found.append(mask_secrets(line))
    return found


def mask_secrets(line):
    """A line without the secrets in it."""
    line = _without_private_keys(line)
    if "://" in line:
        line = _URL.sub(_without_credentials, line)
    line = _without_named_values(line)
    line = _USER_OPTION.sub(_without_password, line)
    for rule in (_QUERY_SIGNATURE, _SQL, _REDIS, _PROGRAM_OPTION, _SCHEME_AND_TOKEN, _WEBHOOK):
        line = rule.sub(r"\g<name>" + MASK, line)
    return _TOKEN.sub(MASK, line)


def mask_arguments(arguments):
    """The arguments of a program without the secrets in them: a value is the next argument, or behind ``=``."""
    shown, before = [], ""
    for argument in arguments:
        if _announces_secret(before, arguments[0]):
            shown.append(MASK)
        else:
            shown.append(_masked_argument(argument, before))
        before = argument
    return shown


def _announces_secret(argument, program):
    if not argument.startswith("-"):
        return argument in ("requirepass", "masterauth")
    if (program.rsplit("/", 1)[-1], argument) in _PROGRAM_OPTIONS:
        return True
    return _OPTION.match(argument) is not None and is_secret_name(argument)


def _masked_argument(argument, before):
    named = _NAMED_ARGUMENT.match(argument)
    if named and named.end() < len(argument) and is_secret_name(named.group("name")):
        # All of it is one value, blanks in it or not.
        return argument if _NOTHING.match(argument, named.end()) else argument[: named.end()] + MASK
    if before in _USER_OPTIONS:
        return mask_secrets(f"{before} {argument}")[len(before) + 1 :]
    return mask_secrets(argument)


def is_secret_name(name):
    """Whether what has this name is a secret, such as ``db_password`` and not ``password_file``."""
    keys = (_KEY.match(name, word.start()) for word in _KEY_WORD.finditer(name.lower()))
    return any(key and key.end() == len(name) and _is_secret(key) for key in keys)


def _is_secret(key):
    word, rest = key.group("many") or key.group("one"), key.group("rest")
    if key.group("many") and rest[:1] in ("s", "S") and not rest[1:2].isalpha():
        rest = rest[1:]
    is_camel = rest[:1].isalpha()
    if is_camel and not (word[-1].islower() and rest[0].isupper()):
        return False  # another word: passenger, tokenizer
    last = (_NAME_WORD.findall(rest) or [""])[-1].lower()
    return last in _CAMEL_CASE_LAST_WORDS if is_camel else last not in _HARMLESS_LAST_WORDS


def _without_private_keys(line):
    shown, at = [], 0
    begin = _PRIVATE_KEY.search(line)
    while begin:
        shown += [line[at : begin.start()], MASK]
        end = _PRIVATE_KEY_END.search(line, begin.end())
        at = end.end() if end else len(line)
        begin = _PRIVATE_KEY.search(line, at)
    return "".join(shown) + line[at:]


def _without_credentials(match):
    text = match.group(match.lastgroup)
    before = match.group(0)[: len(match.group(0)) - len(text)]
    shown, at, last_at, question = [], 0, text.rfind("@"), -1
    # One word can hold several URLs.
    start = 0
    while start <= last_at or text.endswith("…"):
        end = _AUTHORITY.match(text, start).end()
        if question < end:
            question = text.find("?", end)
        until = _credentials_end(text, start, end, last_at, question)
        if until > start:
            shown += [text[at:start], MASK]
            at = until
        start = text.find("://", max(end, until)) + 3
        if start < 3:
            break
    return before + "".join(shown) + text[at:]


def _credentials_end(text, start, end, last_at, question):
    """Where user and password end that begin at ``start``, which is also the answer where there are none."""
    user, sign, host = text[start:end].rpartition("@")
    if not _HOST_AND_PORT.match(host) or ":" in user:
        # A password can hold @ and / unescaped. Where the @ is cut off, the rest is password.
        return last_at if last_at >= start else len(text) if text.endswith("…") else start
    if sign:
        return start if user in _USER_NAMES else start + len(user)
    if ":" in host.rpartition("]")[2] and end < last_at:
        # A port, or a password of digits with a / behind them.
        is_path = text.startswith("/@", end) or end <= question < last_at
        return start if is_path else last_at
    return start


def _without_named_values(line):
    small = line.lower()
    if len(small) != len(line):
        small = "".join(one.lower() if one.isascii() else one for one in line)
    shown, at = [], 0
    for word in _KEY_WORD.finditer(small):
        if word.start() < at:
            continue
        key = _KEY.match(line, word.start())
        start, end = _value(line, key) if key else (0, 0)
        if end > start:
            shown += [line[at:start], MASK]
            at = end
    return "".join(shown) + line[at:] if at else line


def _value(line, key):
    """Where the secret that follows a name begins and ends; twice the same where none follows."""
    separator, gap = _SEPARATOR.match(line, key.end()), None
    if not separator:
        gap = _OPTION_GAP.match(line, key.end())
    if not (separator or gap) or not _is_secret(key):
        return 0, 0
    begin = _name_begin(line, key.start())
    before = line[begin - 1 : begin] if begin else ""
    if not separator:
        is_option = line.startswith("-", begin) and not before.strip(" \t\"'[")
        return _after_option(line, gap.end()) if is_option else (0, 0)
    start, is_closed, gap = separator.end(), bool(separator.group("close")), separator.group("gap")
    if gap == ">":
        return _up_to(line, start, _XML_VALUE) if before == "<" and not is_closed else (0, 0)
    if (_NOTHING_OF_JSON if is_closed else _NOTHING).match(line, start):
        return 0, 0
    if key.group("one") in ("pwd", "Pwd") and line.startswith("/", start):
        return 0, 0  # the folder that a program works in
    if before in ("?", "&"):
        return _up_to(line, start, _QUERY_VALUE)
    rest = _JSON_END if is_closed else _WORD
    for value in (_QUOTED, _BRACKETED):
        found = value.match(line, start)
        if found:
            return start, rest.match(line, found.end()).end()
    if is_closed:
        number = _JSON_NUMBER.match(line, start)
        return (start, number.end()) if number else _up_to(line, start, _WORD)
    return start, _end_of_open_value(line, key, begin, start, gap)


def _after_option(line, start):
    quoted = _QUOTED.match(line, start)
    return start, _WORD.match(line, quoted.end() if quoted else start).end()


def _end_of_open_value(line, key, begin, start, gap):
    """Where a value ends that is in no quotes: mostly at the first blank."""
    word = key.group(0).lower()
    is_header = ":" in gap
    if line[begin - 1 : begin] in ('"', "'") and begin:
        # "X-Api-Key: value" as a whole is in quotes.
        quote = line.find(line[begin - 1], start)
        if quote >= 0 and is_header:
            return _WORD.match(line, quote).end()
    is_setting = gap[:1].isspace() or is_header
    if gap[-1:].isspace() and is_setting and _LINE_START.match(line[max(0, begin - 40) : begin]) and begin < 40:
        return len(line)
    if word == "cookie" and is_header:
        return len(line)
    if word == "authorization":
        return _AUTHORIZATION.match(line, start).end()
    return _WORD.match(line, start).end()


def _up_to(line, start, pattern):
    return start, pattern.match(line, start).end()


def _name_begin(line, position):
    before = line[max(0, position - _NAME_CHARACTERS) : position]
    return position - len(before) + len(before.rstrip(_NAME_SIGNS))


def _without_password(match):
    user, password = match.group("user"), match.group("password")
    if user.strip("\"'").isdigit() and password.strip("\"'").isdigit():
        return match.group(0)  # the numbers of a user and a group
    return f"{match.group('option')}{user}:{MASK}"
