# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One variable in an ``environment=`` of a supervisor configuration, changed in place.

supervisor reads that option in three steps: the INI parser takes comments and line breaks out, ``%`` expansion
follows, and a lexer without escapes splits the result. Every step here keeps track of where each character
stands in the file, so that a change touches that variable's text only. The result is read back with the parser
and the lexer that supervisor uses, before anybody writes it.
"""

from __future__ import annotations

import configparser
import re
import shlex

from ansible_collections.oncall.runbooks.plugins.module_utils.url_parameter import with_url_parameter

_OPTION = re.compile(r"(?P<option>.*?)\s*(?:[=:]\s*(?P<value>.*))$")
_HEADER = re.compile(r"\[(?P<header>.+)\]")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
_EXPANSION = re.compile(r"%%|%\([^)]*\)[#0\- +]*\d*(?:\.\d+)?[A-Za-z]|%")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_URL_START = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")


class CannotChange(ValueError):
    """The change cannot be made; the text is one line for the user and holds no value."""


def names(text, section):
    """The names of the variables that a section sets, in order.

    Raises:
        CannotChange: the file or the section is not what supervisor could read.
    """
    return [pair["name"] for pair in _read(text, section)["pairs"]]


def changed(text, section, name, value, url_parameter=None):
    """The text of the file with one variable set, or removed.

    Args:
        text: the configuration file.
        section: such as ``program:api``.
        name: the variable.
        value: what to set, or None to remove it.
        url_parameter: only this parameter of the query of the URL in the variable is set or removed.

    Returns:
        A dict ``text``, ``was_set`` (the variable, or the parameter, was there before) and ``before`` and
        ``after`` (the names of the section's variables).

    Raises:
        CannotChange: it cannot be done so that supervisor reads it back.
    """
    _check_arguments(section, name, value)
    found = _read(text, section)
    pair = next((pair for pair in reversed(found["pairs"]) if pair["name"] == name), None)
    if url_parameter is not None:
        return _with_parameter(text, section, name, pair, url_parameter, value)
    if value is None:
        text_after = _without(text, found, name)
    elif pair is None:
        text_after = _with_new(text, found, name, value)
    elif pair["value"].strip("'\"") == value:
        text_after = text
    else:
        text_after = _spliced(text, [(*pair["value_span"], _quoted(value, pair["value"][:1]))])
    if _proven(text, text_after, section, name) != value:
        raise _not_alone(name, section)
    return _outcome(text, text_after, section, pair is not None)


def _check_arguments(section, name, value):
    if not _NAME.match(name):
        raise CannotChange("name must be letters, digits and underscores, and not begin with a digit")
    if value is not None and _CONTROL.search(value):
        raise CannotChange(f"the value for {name} holds a line break or another control character")
    if value is not None and "%" in value and section == "supervisord":
        raise CannotChange("supervisor expands [supervisord] twice: set a value with % in a program's section")


def _with_parameter(text, section, name, pair, parameter, value):
    if pair is None and value is None:
        return _outcome(text, text, section, False)
    if pair is None:
        raise CannotChange(f"{name} is not set in [{section}]: there is no URL to set a parameter in")
    start, end = pair["value_span"]
    quoted = text[start:end]
    raw = quoted.strip("'\"")
    if not _URL_START.match(raw) or re.search(r"\s", raw):
        raise CannotChange(f"what {name} holds in [{section}] is not a URL: its parameter cannot be set")
    start += len(quoted) - len(quoted.lstrip("'\""))
    raw_after, was_set = with_url_parameter(raw, parameter, value)
    text_after = _spliced(text, [(start, start + len(raw), raw_after)])
    if _proven(text, text_after, section, name) != _expanded(raw_after)[0]:
        raise _not_alone(name, section)
    return _outcome(text, text_after, section, was_set)


def _outcome(text, text_after, section, was_set):
    return {
        "text": text_after,
        "was_set": was_set,
        "before": sorted(set(names(text, section))),
        "after": sorted(set(names(text_after, section))),
    }


# Reading, with positions


def _read(text, section):
    """Where the section's environment stands: ``pairs``, ``option`` (spans of it, or None) and ``insert_at``."""
    parsed = _parsed(text)
    option, option_count, insert_at = _find_option(text, section)
    if insert_at is None or section not in parsed:
        raise CannotChange(f"there is no section [{section}]")
    joined, origin = _joined(text, option["pieces"]) if option else ("", [])
    if joined != parsed[section].get("environment", ""):
        raise CannotChange(
            f"the environment of [{section}] is not where it can be changed: "
            "write it in that section, without comments behind the values"
        )
    pairs = _pairs(joined, origin)
    return {"pairs": pairs, "option": option, "option_count": option_count, "insert_at": insert_at}


def _find_option(text, section):
    """Follow the INI parser line by line to the last ``environment`` of a section.

    Returns:
        The option (``pieces``: spans of its value on each line; ``line``: the span of its first line;
        ``has_comment``), how many there are, and ``(offset, indentation)`` of where another option would go.
    """
    option, count, insert_at = None, 0, None
    current, in_option, indent_level = None, None, 0
    for match in _LINE.finditer(text):
        line, start = match.group(), match.start()
        if not line:
            break
        comment = _comment_start(line)
        content = line[:comment].strip()
        if not content:
            if in_option and comment is None:
                in_option["pieces"].append((start, start))
            continue
        indent = len(line) - len(line.lstrip())
        content_start = start + indent
        if current is not None and in_option is not None and indent > indent_level:
            in_option["pieces"].append((content_start, content_start + len(content)))
            in_option["has_comment"] = in_option["has_comment"] or comment is not None
        else:
            indent_level = indent
            header = _HEADER.match(content)
            if header:
                current, in_option = header.group("header"), None
            else:
                found = _OPTION.match(content)
                in_option = {
                    "name": found.group("option").rstrip().lower() if found else "",
                    "pieces": [tuple(content_start + offset for offset in found.span("value"))] if found else [],
                    "line": (start, match.end()),
                    "has_comment": comment is not None,
                }
                if current == section and in_option["name"] == "environment":
                    option, count = in_option, count + 1
        if current == section:
            insert_at = (match.end(), line[:indent] if indent <= indent_level else line[:indent_level])
    return option, count, insert_at


def _comment_start(line):
    if line.strip().startswith(("#", ";")):
        return 0
    found = re.search(r"(?:^|(?<=\s))[;#]", line)
    return found.start() if found else None


def _joined(text, pieces):
    """The value as the INI parser gives it, and the offset in the file of each of its characters."""
    characters, origin = [], []
    for number, (start, end) in enumerate(pieces):
        if number:
            characters.append("\n")
            origin.append(pieces[number - 1][1])
        characters.extend(text[start:end])
        origin.extend(range(start, end))
    joined = "".join(characters).rstrip()
    return joined, origin[: len(joined)]


def _expanded(raw):
    """The value after ``%`` expansion, and for each character the span in ``raw`` that it comes from.

    What only supervisord can know (``%(ENV_HOME)s``) becomes a word that stands for it.
    """
    text, spans, position = "", [], 0
    for match in _EXPANSION.finditer(raw):
        text += raw[position : match.start()]
        spans.extend((index, index + 1) for index in range(position, match.start()))
        if match.group() == "%":
            raise CannotChange("supervisor cannot read its environment: a % that is neither %% nor %(...)s")
        stands_for = "%" if match.group() == "%%" else f"EXPANSION.{match.group().encode().hex()}"
        text += stands_for
        spans.extend([match.span()] * len(stands_for))
        position = match.end()
    text += raw[position:]
    spans.extend((index, index + 1) for index in range(position, len(raw)))
    return text, spans


def _tokens(text):
    """The lexer's tokens, as supervisor's ``dict_of_key_value_pairs`` makes them."""
    lexer = shlex.shlex(text)
    lexer.wordchars += "/.+-():"
    try:
        return list(lexer)
    except ValueError:
        raise CannotChange("supervisor cannot read its environment: a quote is not closed") from None


def _pairs(joined, origin):
    text, spans = _expanded(joined)
    tokens, positions, cursor = _tokens(text), [], 0
    for token in tokens:
        cursor = _skip_blank(text, cursor)
        if not text.startswith(token, cursor):
            raise CannotChange("its environment has a comment in the middle of a word: write it without")
        positions.append((cursor, cursor + len(token)))
        cursor += len(token)

    def in_file(start, end):
        return origin[spans[start][0]], origin[spans[end - 1][1] - 1] + 1

    pairs = []
    for index in range(0, len(tokens), 4):
        if len(tokens) < index + 3 or tokens[index + 1] != "=":
            raise CannotChange("supervisor cannot read its environment: it is not KEY=value,KEY=value")
        pairs.append(
            {
                "name": tokens[index],
                "value": tokens[index + 2],
                "span": in_file(positions[index][0], positions[index + 2][1]),
                "value_span": in_file(*positions[index + 2]),
                "separator_span": in_file(*positions[index + 3]) if len(tokens) > index + 3 else None,
            }
        )
    return pairs


def _skip_blank(text, cursor):
    while cursor < len(text):
        if text[cursor] == "#":
            end = text.find("\n", cursor)
            cursor = len(text) if end < 0 else end
        elif text[cursor] not in " \t\r\n":
            break
        else:
            cursor += 1
    return cursor


# Writing


def _quoted(value, preferred='"'):
    """A value in the first notation that supervisor reads back as it is."""
    for quote in dict.fromkeys([preferred if preferred in ("'", '"') else '"', '"', "'", ""]):
        raw = quote + value.replace("%", "%%") + quote
        if _comment_start("x=" + raw) is not None:
            break
        try:
            tokens = _tokens(_expanded("x=" + raw)[0])
        except CannotChange:
            continue
        if len(tokens) == 3 and tokens[2].strip("'\"") == value:
            return raw
    raise CannotChange(
        "supervisor has no notation for this value: it knows no escapes, so a value cannot hold both kinds of "
        "quotes, begin or end with one, or hold a space followed by ; or #"
    )


def _with_new(text, found, name, value):
    assignment = f"{name}={_quoted(value)}"
    option, pairs = found["option"], found["pairs"]
    if option is None:
        offset, indentation = found["insert_at"]
        end_of_line = "\r\n" if "\r\n" in text else "\n"
        before = "" if offset == 0 or text[offset - 1] in "\r\n" else end_of_line
        return _spliced(text, [(offset, offset, f"{before}{indentation}environment={assignment}{end_of_line}")])
    if not pairs:
        offset = option["pieces"][0][0]
        return _spliced(text, [(offset, offset, assignment)])
    last = pairs[-1]
    # Written like the variable before it: on a line of its own where that has one.
    previous = pairs[-2]["separator_span"][1] if len(pairs) > 1 else option["pieces"][0][0]
    gap = text[previous : last["span"][0]]
    gap = gap if not gap.strip() else ""
    if last["separator_span"]:
        offset = last["separator_span"][1]
        return _spliced(text, [(offset, offset, gap + assignment)])
    offset = last["span"][1]
    return _spliced(text, [(offset, offset, "," + gap + assignment)])


def _without(text, found, name):
    pairs, option = found["pairs"], found["option"]
    if not any(pair["name"] == name for pair in pairs):
        return text
    if all(pair["name"] == name for pair in pairs):
        start, end = option["line"]
        has_one_line = len([piece for piece in option["pieces"] if piece[0] < piece[1]]) == 1
        if found["option_count"] == 1 and has_one_line and not option["has_comment"]:
            return _spliced(text, [(start, end, "")])
    cuts = []
    for index, pair in enumerate(pairs):
        if pair["name"] != name:
            continue
        cuts.append((*pair["span"], ""))
        follows_kept = any(other["name"] != name for other in pairs[index + 1 :])
        if pair["separator_span"]:
            cuts.append((*pair["separator_span"], ""))
        if not follows_kept and not pair["separator_span"]:
            kept = [other for other in pairs[:index] if other["name"] != name]
            if kept:
                cuts.append((*kept[-1]["separator_span"], ""))
    return _spliced(text, _with_blank_around(text, cuts))


def _with_blank_around(text, cuts):
    """The cuts, taking the blank behind them along, and a line that would be left empty."""
    cuts = sorted(set(cuts))
    merged = []
    for start, end, _new in cuts:
        while end < len(text) and text[end] in " \t":
            end += 1
        if merged and merged[-1][1] >= start:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]), "")
        else:
            merged.append((start, end, ""))
    whole = []
    for start, end, new in merged:
        line_start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
        if not text[line_start:start].strip() and text[end : end + 1] in ("", "\r", "\n"):
            start, end = line_start, end + (2 if text[end : end + 2] == "\r\n" else len(text[end : end + 1]))
        whole.append((start, end, new))
    return whole


def _spliced(text, changes):
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text


# Proof


def _parsed(text):
    """Every section's options, read by the parser and with the settings that supervisor uses."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    try:
        parser.read_string(text)
        return {section: dict(parser.items(section)) for section in parser.sections()}
    except configparser.Error as error:
        raise CannotChange(f"it is not a supervisor configuration ({type(error).__name__})") from None


def _meaning(text, section):
    tokens = _tokens(_expanded(_parsed(text)[section].get("environment", ""))[0])
    return {tokens[index]: tokens[index + 2].strip("'\"") for index in range(0, len(tokens), 4)}


def _proven(text, text_after, section, name):
    """What the variable reads as afterwards (None where it is not set), if nothing else reads differently."""
    before, after = _parsed(text), _parsed(text_after)
    variables = [_meaning(text, section), _meaning(text_after, section)]
    for options in (before[section], after[section]):
        options.pop("environment", None)
    values = [meaning.pop(name, None) for meaning in variables]
    if before != after or variables[0] != variables[1]:
        raise _not_alone(name, section)
    return values[1]


def _not_alone(name, section):
    return CannotChange(f"{name} in [{section}] cannot be changed so that supervisor reads that change only")
